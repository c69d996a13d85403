"""Every program in the pages is a file, the files are whole, and links lead somewhere.

A fenced block of a language that runs has a line `<!-- file: docs/examples/x.py -->` above it, or, for a part of a file
between `# region name` and `# endregion`, `<!-- file: docs/examples/x.py #region name -->`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
EXAMPLES = sorted(path for path in (DOCS / "examples").iterdir() if path.suffix in (".py", ".js", ".html"))
UNMARKED = {"sh", "text", "json"}
GENERATED = {DOCS / "reference" / "settings.md"}
"""Held to the code by a test of its own."""


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    marker: str | None
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    found = []
    lines = page.read_text().splitlines()
    begun: int | None = None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if begun is None:
            begun = number
            continue
        above = re.fullmatch(r"<!-- file: (.+?) -->", lines[begun - 1].strip())
        text = "\n".join(lines[begun + 1 : number])
        found.append(Block(page, begun + 1, lines[begun].strip("` "), above[1] if above else None, text))
        begun = None
    return found


BLOCKS = [block for page in PAGES if page not in GENERATED for block in blocks_of(page)]
MARKED = [block for block in BLOCKS if block.marker]


def shown(marker: str) -> str:
    """What a marker stands for: a file without the comments that bound its regions, or a region of it."""
    name, _, region = marker.partition(" #region ")
    lines = (ROOT / name).read_text().splitlines()
    if not region:
        whole = "\n".join(line for line in lines if not re.fullmatch(r"(#|//) (region .+|endregion)", line))
        return re.sub(r"\n{4,}", "\n\n\n", whole).strip("\n")
    begins = [n for n, line in enumerate(lines) if re.fullmatch(rf"(#|//) region {re.escape(region)}", line)]
    assert len(begins) == 1, f"{name} has {len(begins)} regions {region!r}"
    end = next(n for n in range(begins[0], len(lines)) if re.fullmatch(r"(#|//) endregion", lines[n]))
    return "\n".join(lines[begins[0] + 1 : end]).strip("\n")


def test_there_are_blocks() -> None:
    assert len(MARKED) > 20


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.where)
def test_programs_are_files(block: Block) -> None:
    if block.marker is None:
        assert block.language in UNMARKED, "a program: put it into docs/examples and mark the block"
    else:
        assert block.text == shown(block.marker)


def test_every_example_is_shown() -> None:
    pages = {block.marker.partition(" ")[0] for block in MARKED if block.marker}
    linked = "".join(page.read_text() for page in PAGES)

    unseen = [
        path.name
        for path in EXAMPLES
        if f"docs/examples/{path.name}" not in pages and path.name not in linked
    ]
    assert unseen == []


def test_every_example_is_run() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert [
        path.name for path in EXAMPLES if f'"{path.name}"' not in tests and f'"{path.stem}"' not in tests
    ] == []


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.suffix == ".js"], ids=lambda p: p.name)
def test_scripts_are_sound(path: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on PATH")
    copy = tmp_path / f"{path.stem}.mjs"
    shutil.copy(path, copy)

    done = subprocess.run([node, "--check", copy], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


# ---- links ----


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page

        assert goal.exists(), target
        if anchor:
            assert anchor in anchors(goal), target


@pytest.mark.parametrize("page", sorted((DOCS / "howto").glob("*.md")), ids=lambda p: p.name)
def test_a_page_with_parts_of_a_python_program_links_to_the_program(page: Path) -> None:
    parts = {
        marker.partition(" ")[0]
        for _, _, language, marker, _ in blocks_of(page)
        if marker and language == "python" and "#region" in marker and "/examples/" in marker
    }
    linked = {
        str((page.parent / target).resolve().relative_to(ROOT))
        for target in links(page)
        if "/examples/" in target
    }

    assert sorted(parts - linked) == []


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "index.md"
    listed = {(DOCS / target.partition("#")[0]).resolve() for target in links(index)}

    assert [str(page) for page in DOCS.rglob("*.md") if page != index and page.resolve() not in listed] == []
