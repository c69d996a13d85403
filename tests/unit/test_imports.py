"""The layout of the package, read from its source: who imports whom, where, and how long functions are."""

from __future__ import annotations

import ast
import functools
import gc
import graphlib
import importlib.util
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import sanic_chatrooms

ROOT = Path(__file__).parents[2]
PACKAGE = "sanic_chatrooms"

# The wings, from the ground up: each imports those below it, and none beside it.
FLOORS = (
    ("errors", "version"),
    ("models", "observe", "support"),
    ("websocket", "wire"),
    ("auth", "client", "drivers"),
    ("brokers", "presence", "stores"),
    ("access", "hub"),
    ("config", "hooks", "live"),
    ("follows", "sessions"),
    ("verbs",),
    ("declaration", "parts", "tracing", "upkeep"),
    ("chat",),
    ("server_api",),
    ("web",),
    ("command_line", "testing"),
    ("__main__",),
)
# Leaves: one file or folder per driver. They know their contract and what is below, not each other and not the core.
LEAVES = ("auth", "stores", "brokers", "presence")
SANIC_ONLY_IN = f"{PACKAGE}.web"

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    name: str
    is_package: bool
    tree: ast.Module
    at_import: set[str] = field(default_factory=set)  # what running the module imports, as dotted names
    inner: list[tuple[str, int]] = field(
        default_factory=list
    )  # function and line of imports inside functions


class _Imports(ast.NodeVisitor):
    def __init__(self, module: Module) -> None:
        self.module = module
        self.functions: list[str] = []

    def visit_If(self, node: ast.If) -> None:
        if _is_type_checking(node.test):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inside(node)

    def visit_Import(self, node: ast.Import) -> None:
        self._found(node, [alias.name for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = _absolute(node, self.module)
        self._found(node, [f"{base}.{alias.name}" for alias in node.names])

    def _inside(self, node: AnyFunction) -> None:
        self.functions.append(node.name)
        self.generic_visit(node)
        self.functions.pop()

    def _found(self, node: ast.stmt, names: list[str]) -> None:
        if self.functions:
            self.module.inner.append((self.functions[0], node.lineno))
        else:
            self.module.at_import.update(names)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def read(source: str, name: str, *, is_package: bool = False) -> Module:
    module = Module(name, is_package, ast.parse(source))
    _Imports(module).visit(module.tree)
    return module


@functools.cache
def package_modules() -> dict[str, Module]:
    found = (
        read(path.read_text(), _dotted(path), is_package=path.name == "__init__.py")
        for path in sorted((ROOT / PACKAGE).rglob("*.py"))
    )
    modules = {module.name: module for module in found}
    gc.freeze()  # else each test's collection would walk through all the trees
    return modules


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def own_imports(module: Module, modules: dict[str, Module]) -> set[str]:
    """The modules of the package that a module imports; for a name inside a module, the module that has it."""
    found = {name if name in modules else name.rpartition(".")[0] for name in module.at_import}
    return (found & modules.keys()) - {module.name}


def cycle(modules: dict[str, Module]) -> list[str]:
    graph = {name: own_imports(module, modules) for name, module in modules.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def tops(module: Module) -> set[str]:
    return {name.partition(".")[0] for name in module.at_import}


def code_lines(function: AnyFunction) -> int:
    """Lines from `def` to the end, docstring and decorators excluded."""
    assert function.end_lineno is not None
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def functions() -> Iterator[AnyFunction]:
    for module in package_modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


# The package


def test_there_is_a_package_to_look_at() -> None:
    assert len(package_modules()) > 5


def test_modules_import_each_other_in_one_direction_only() -> None:
    assert not cycle(package_modules()), "a cycle of imports"


def test_no_import_hides_in_a_function() -> None:
    hidden = {name: module.inner for name, module in package_modules().items() if name != PACKAGE}
    hidden[PACKAGE] = [one for one in package_modules()[PACKAGE].inner if one[0] != "__getattr__"]

    assert {name: places for name, places in hidden.items() if places} == {}


def test_sanic_is_imported_below_web_only() -> None:
    theirs = {"sanic", "sanic_ext", "sanic_routing"}

    importing = {name for name, module in package_modules().items() if not tops(module).isdisjoint(theirs)}

    assert {name for name in importing if not f"{name}.".startswith(f"{SANIC_ONLY_IN}.")} == set()


# What Sanic and websockets document. Their other names stand in one module, which looks for them when an app starts.
PUBLIC = (
    "sanic",
    "sanic.exceptions",
    "sanic.response",
    "websockets.asyncio.client",
    "websockets.exceptions",
    "websockets.typing",
)


def test_no_private_name_of_sanic_or_websockets_is_imported_with_the_package() -> None:
    theirs = {
        (name, imported)
        for name, module in package_modules().items()
        for imported in module.at_import
        if imported.partition(".")[0] in ("sanic", "websockets")
    }

    assert theirs
    assert {one for one in theirs if one[1].rpartition(".")[0] not in PUBLIC} == set()


def wing(name: str) -> str:
    """The folder or file just below the package; empty for the package itself."""
    return name.partition(".")[2].partition(".")[0]


def floor(name: str) -> int:
    return next(number for number, wings in enumerate(FLOORS) if wing(name) in wings)


def wings_apart() -> Iterator[tuple[str, str]]:
    """A module and one of another wing that it imports."""
    for name, module in package_modules().items():
        for other in own_imports(module, package_modules()) - {PACKAGE}:
            if name != PACKAGE and wing(other) != wing(name):
                yield name, other


def test_a_wing_imports_what_is_below_it() -> None:
    assert {(name, other) for name, other in wings_apart() if floor(other) >= floor(name)} == set()


def test_every_module_is_in_a_wing_that_has_a_floor() -> None:
    assert {wing(name) for name in package_modules()} - {""} == {one for wings in FLOORS for one in wings}


def test_leaves_know_no_other_leaf() -> None:
    assert {(name, other) for name, other in wings_apart() if {wing(name), wing(other)} <= {*LEAVES}} == set()


def test_most_functions_have_at_most_six_lines() -> None:
    assert statistics.median(map(code_lines, functions())) <= 6


def test_no_function_has_more_than_sixty_lines() -> None:
    assert {function.name for function in functions() if code_lines(function) > 60} == set()


def test_no_module_has_more_than_400_lines() -> None:
    sources = (path for path in (ROOT / PACKAGE).rglob("*") if path.suffix in (".py", ".lua", ".js"))

    # A language is one file, however much there is to say.
    languages = ROOT / PACKAGE / "web" / "static" / "words"
    long = {path for path in sources if len(path.read_text().splitlines()) > 400}
    assert {path.name for path in long if path.parent != languages} == set()


# The reader itself


def test_reader_resolves_relative_imports() -> None:
    module = read("from . import base\nfrom ..errors import Forbidden\nimport os.path", "pkg.auth.jwt")

    assert module.at_import == {"pkg.auth.base", "pkg.errors.Forbidden", "os.path"}


def test_names_belong_to_the_module_that_has_them() -> None:
    modules = {name: read("", name, is_package=True) for name in ("pkg", "pkg.stores", "pkg.stores.base")}
    module = read("from .stores import base\nfrom pkg import VERSION\nimport os.path", "pkg.chat")

    assert own_imports(module, modules) == {"pkg", "pkg.stores.base"}


def test_reader_leaves_out_what_only_type_checkers_see() -> None:
    source = "import typing\nif typing.TYPE_CHECKING:\n    import a\nelse:\n    import b\n"

    assert read(source, "m").at_import == {"typing", "b"}


def test_reader_finds_imports_in_functions() -> None:
    source = "class A:\n    async def f(self):\n        def g():\n            import a\n"

    module = read(source, "m")

    assert (module.at_import, module.inner) == (set(), [("f", 4)])


def test_cycles_are_found() -> None:
    modules = {
        name: read(source, name)
        for name, source in {"p.a": "from p import b", "p.b": "import p.c", "p.c": "from .a import x"}.items()
    }

    assert set(cycle(modules)) == {"p.a", "p.b", "p.c"}


def test_code_lines_leave_the_docstring_out() -> None:
    function = ast.parse('@cached\ndef f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body[0]
    assert isinstance(function, ast.FunctionDef)

    assert code_lines(function) == 2


def seen_by_type_checkers() -> set[str]:
    tree = package_modules()[PACKAGE].tree
    block = next(node for node in tree.body if isinstance(node, ast.If) and _is_type_checking(node.test))
    imported = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assigned = {
        target.id
        for node in block.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return imported | assigned


def test_names_that_are_imported_on_first_use_are_those_that_type_checkers_see() -> None:
    assert set(sanic_chatrooms._MODULES) == seen_by_type_checkers()
    assert set(sanic_chatrooms.__all__) - {"__version__"} <= set(sanic_chatrooms._MODULES)
    assert set(dir(sanic_chatrooms)) > set(sanic_chatrooms.__all__)


def test_every_name_of_the_package_is_there() -> None:
    assert [name for name in sanic_chatrooms._MODULES if getattr(sanic_chatrooms, name) is None] == []


def test_a_name_that_the_package_does_not_have_is_an_error_for_type_checkers_too() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Chatrooms'"):
        sanic_chatrooms.Chatrooms  # type: ignore[attr-defined]  # noqa: B018 - mypy says so if this needs no ignoring
