from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sanic_chatrooms.web.assets import CLIENTS, COMPONENT, FOLDER, component
from sanic_chatrooms.web.compact import compact_script, compact_style
from sanic_chatrooms.web.joined import joined_modules
from tests.support.process import ROOT

NODE = shutil.which("node")
SAME_TREES = ROOT / "tests" / "support" / "same_trees.cjs"

SCRIPTS = {
    "comments": ("// one\nconst a = 1; // two\n\n/** three */\nconst b = 2; /* four */\n", "const a=1,b=2;"),
    "indentation": ("if (a) {\n  b();\n  c();\n}\n", "if(a){b();c()}"),
    "words": ("return typeof a in b;", "return typeof a in b;"),
    "names": ("class A {\n  #a = 1;\n  get b() {\n    return this.#a;\n  }\n}", "class A{#a=1;get b(){return this.#a}}"),
    "functions": ("function a() {}\nfunction b() {}\n", "function a(){}function b(){}"),
    "strings": ("a(\"x  // '\", 'y  /* \"');", "a(\"x  // '\",'y  /* \"');"),
    "escapes": (r'a("\" // b", "\\");  b();', r'a("\" // b","\\");b();'),
    "templates": ("a(`x  // ${b ? `  ${ {c: 1}.c }  ` : \"}\"}  y\n  `);", "a(`x  // ${b?`  ${{c:1}.c}  `:\"}\"}  y\n  `);"),
    "expressions": (r"a.replace(/ \/ [/*] /g, b);  c = d / e / f;", r"a.replace(/ \/ [/*] /g,b);c=d/e/f;"),
    "after words": ("return / \" /.test(a) ? b / c : d / e;", "return/ \" /.test(a)?b/c:d/e;"),
    "signs": ("a = b + +c - -d + ++e;", "a=b+ +c- -d+ ++e;"),
    "functions with one parameter": ("return (a) => b((c) => d(({ e }) => [e, ...c]));", "return a=>b(c=>d(({e})=>[e,...c]));"),
    "last commas": ("const a = {\n  b,\n  c: [d, , ],\n};", "const a={b,c:[d,,]};"),
    "declarations": (
        "const a = () => {\n  const b = c;\n  return b;\n};\nconst d = `${e}`;\nexport const f = 1;\nconst g = 2;\nfor (const h of i) j();\nconst k = 3;\n",
        "const a=()=>{const b=c;return b},d=`${e}`;export const f=1;const g=2;for(const h of i)j();const k=3;",
    ),
    "breaks": ("const a = 1\nconst b = [c]\n[d] = e\n", "const a=1\nconst b=[c]\n[d]=e"),
}  # fmt: skip

STYLES = {
    "comments": ("/* one */\na { color: red; }\n\n/* two */\nb { top: 0; } /* three */\n", "a{color:red}b{top:0}"),
    "rules": ("a,\nb > c {\n  margin: 0 auto;\n  color: red;\n}\n", "a,b>c{margin:0 auto;color:red}"),
    "descendants": (".a :is(.b, .c) ::before { top: 0; }", ".a :is(.b,.c) ::before{top:0}"),
    "numbers": ("a { width: calc(1px + 2 * var(--b)); }", "a{width:calc(1px + 2 * var(--b))}"),
    "conditions": ("@media (hover: none) and (width > 2px) { a { top: 0; } }", "@media (hover:none) and (width>2px){a{top:0}}"),
    "strings": ('a[b="c  ; d"] { content: "/* : */"; }', 'a[b="c  ; d"]{content:"/* : */"}'),
}  # fmt: skip


@pytest.mark.parametrize(("text", "compact"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_loses_only_comments_and_needless_spaces(text: str, compact: str) -> None:
    assert compact_script(text) == compact


@pytest.mark.parametrize(("text", "compact"), STYLES.values(), ids=STYLES)
def test_a_style_sheet_loses_only_comments_and_needless_spaces(text: str, compact: str) -> None:
    assert compact_style(text) == compact


def test_a_template_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no end"):
        compact_script("const a = `b")


@pytest.mark.skipif(NODE is None, reason="there is no node on PATH")
def test_every_module_of_the_page_means_the_same_without_comments_and_spaces(tmp_path: Path) -> None:
    texts = {path.name: path.read_text() for path in FOLDER.rglob("*.js")} | {COMPONENT: component()}
    texts |= {f"joined {name}": text for name, text in joined_modules(FOLDER, (*CLIENTS, COMPONENT)).items()}
    given = {name: (text, compact_script(text)) for name, text in texts.items()}
    # The comparison itself notices what is different, and what is no module.
    given |= {"other": ("a(b);", "a(c);"), "broken": ("a(b);", "a(;")}

    assert differing(given, tmp_path) == ["other", "broken"]


def differing(given: dict[str, tuple[str, str]], tmp_path: Path) -> list[str]:
    file = tmp_path / "modules.json"
    file.write_text(
        json.dumps(
            [{"name": name, "before": before, "after": after} for name, (before, after) in given.items()]
        )
    )
    assert NODE is not None
    command = [NODE, "--expose-internals", str(SAME_TREES), str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    names: list[str] = json.loads(run.stdout)
    return names
