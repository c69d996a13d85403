"""A bar chart as SVG, drawn by hand: no library for three groups of bars."""

from html import escape

from .fanout import Fanout, Outcome
from .peers import OURS

__all__ = ["plot"]

WIDTH, LABEL, VALUE, BAR, GAP, TITLE = 820, 210, 110, 18, 6, 34
STYLE = "text{font:13px system-ui,sans-serif;fill:#444}.title{font-weight:600}rect{fill:#9aa5b1}.ours{fill:#0b7285}"


def plot(found: Fanout) -> str:
    """Deliveries per second of processor time: one group of bars per scenario, each group on its own scale."""
    scenarios = list(dict.fromkeys(outcome.scenario for outcome in found.outcomes))
    parts: list[str] = []
    top = 10
    for scenario in scenarios:
        parts.append(
            f'<text class="title" x="10" y="{top + 20}">{escape(scenario)}: deliveries per second of CPU</text>'
        )
        top += TITLE
        outcomes = [o for o in found.outcomes if o.scenario == scenario]
        most = max((o.per_cpu_second for o in outcomes), default=0) or 1
        for outcome in outcomes:
            parts.append(_bar(outcome, most, top))
            top += BAR + GAP
    size = f'width="{WIDTH}" height="{top + 10}" viewBox="0 0 {WIDTH} {top + 10}"'
    background = '<rect width="100%" height="100%" style="fill:#fff"/>'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n{background}\n{body}\n</svg>\n'


def _bar(outcome: Outcome, most: float, top: int) -> str:
    width = round((WIDTH - LABEL - VALUE) * outcome.per_cpu_second / most)
    name, value = escape(outcome.peer), "left out" if outcome.missing else f"{outcome.per_cpu_second:,.0f}"
    kind = ' class="ours"' if outcome.peer == OURS.name else ""
    middle = top + 14
    return (
        f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{name}</text>'
        f'<rect{kind} x="{LABEL}" y="{top}" width="{width}" height="{BAR}"/>'
        f'<text x="{LABEL + width + 6}" y="{middle}">{value}</text>'
    )
