"""What axe-core finds: it reads the roles, names and colours that a page has by then."""

from __future__ import annotations

from functools import cache

from playwright.async_api import Page

from tests.support.npm import MODULES, install

__all__ = ["violations"]

FINDS = """async ([host, rules]) => {
    const only = rules ? { type: "rule", values: rules } : { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
    // A menu covers what is behind it only for the moment.
    const open = host ?? (document.querySelector("[role=menu], .menu[role=dialog]") && ".menu:is([role=menu], [role=dialog])");
    const { violations } = await axe.run(open ? { include: [open] } : document, { runOnly: only, resultTypes: ["violations"] });
    return violations.filter(({ impact }) => impact !== "minor").flatMap(({ id, impact, nodes }) =>
        nodes.map((node) => `${impact} ${id}: ${node.html.slice(0, 160)} ${node.any.map(({ message }) => message).join(" ").slice(0, 160)}`));
}"""


@cache
def source() -> str:
    """Of axe-core. Skips the test where it cannot be had."""
    install()
    return (MODULES / "axe-core" / "axe.min.js").read_text()


async def violations(page: Page, *, host: str | None = None, rules: tuple[str, ...] = ()) -> list[str]:
    """The critical, serious and moderate ones of the page, or of this element in it; by all rules, or by these."""
    if not await page.evaluate("Boolean(window.axe)"):
        await page.evaluate(source())  # not by an element: the policy of the page allows no foreign scripts
    found: list[str] = await page.evaluate(FINDS, [host, list(rules) or None])
    return found
