"""Write what the documentation says of commands from their rows: python scripts/reference_tables.py

A page holds `<!-- rows: NAME -->…<!-- /rows -->`, and what stands between is made anew. NAME is one of
`sanic_chatrooms.verbs.schema.TABLES`, or of `sanic_chatrooms.web.rest.schema.TABLES`.
"""

from __future__ import annotations

import re
from pathlib import Path

from sanic_chatrooms.verbs import schema
from sanic_chatrooms.web.rest import schema as rest_schema

DOCS = Path(__file__).parents[1] / "docs"
TABLES = {**schema.TABLES, **rest_schema.TABLES}
PLACE = re.compile(r"(<!-- rows: ([a-z-]+) -->)(.*?)(<!-- /rows -->)", re.DOTALL)


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
