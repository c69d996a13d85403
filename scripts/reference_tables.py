"""Write what the documentation says of commands, metrics and the command line from the code: python scripts/reference_tables.py

A page holds `<!-- rows: NAME -->…<!-- /rows -->`, and what stands between is made anew. NAME is one of `TABLES`.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click

from sanic_chatrooms.command_line.main import COMMANDS
from sanic_chatrooms.observe.instruments import INSTRUMENTS
from sanic_chatrooms.verbs import schema
from sanic_chatrooms.web.rest import schema as rest_schema

DOCS = Path(__file__).parents[1] / "docs"
PLACE = re.compile(r"(<!-- rows: ([a-z-]+) -->)(.*?)(<!-- /rows -->)", re.DOTALL)


def metrics() -> str:
    lines = ["", "| Name | Kind | Labels | What it is |", "|---|---|---|---|"]
    for one in INSTRUMENTS:
        labels = ", ".join(f"`{label}`" for label in getattr(one, "labels", ()))
        lines.append(f"| `chatrooms_{one.name}` | {type(one).__name__.lower()} | {labels} | {one.help} |")
    return "\n".join([*lines, ""])


def command_line() -> str:
    return "".join(f"\n{section_of(command)}" for command in COMMANDS)


def section_of(command: click.Command) -> str:
    """What `--help` tells of a command, as a section of a page."""
    name = str(command.name)
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    told, _, examples = inspect.cleandoc(command.help or "").partition("\n\n\b\n")
    rows = [option_row(param) for param in command.params if isinstance(param, click.Option)]
    table = ["| Option | |", "|---|---|", *rows]
    code = ["```sh", examples, "```"]
    return "\n".join([f"## {name}", "", told, "", f"`{name} {usage}`", "", *code, "", *table, ""])


def option_row(option: click.Option) -> str:
    written = ", ".join(option.opts) + (f" {option.metavar}" if option.metavar else "")
    default = f" Default: `{option.default}`." if option.show_default else ""
    variable = f" Variable: `{option.envvar}`." if option.envvar else ""
    return f"| `{written}` | {option.help}{default}{variable} |"


TABLES = {**schema.TABLES, **rest_schema.TABLES, "metrics": metrics, "command-line": command_line}


def made_anew(page: str) -> str:
    """The page with every table as the rows have it. Raises `KeyError` for a table that there is not."""
    return PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], page)


def main() -> None:
    for path in sorted(DOCS.rglob("*.md")):
        page = path.read_text()
        anew = made_anew(page)
        if anew != page:
            path.write_text(anew)
            print(f"{path} is written anew")


if __name__ == "__main__":
    main()
