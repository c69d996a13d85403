"""The npm package: what is in it, and a project of Vite, TypeScript and React in tests/npm that has it.

The package is built and imported without a network. The project needs tools from the npm registry, as its lock file names them; where
that cannot be reached, its tests are skipped with that reason.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.web.assets import FOLDER
from scripts.npm_package import OWN, build, npm_version
from tests.browser.acts import messages, say
from tests.browser.conftest import Pages
from tests.support.fixtures import Live
from tests.support.npm import MODULES, NPM, PROJECT, install, output

NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="there is no node on PATH")
needs_npm = pytest.mark.skipif(NPM is None, reason="there is no npm on PATH")
pytestmark = pytest.mark.timeout(300)  # the first test of the project downloads what it needs


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm") / "package"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def project(package: Path) -> Path:
    """The project with its tools and the package, as `npm ci` and `npm install sanic-chatrooms` leave it."""
    install()
    assert NPM is not None
    to = ("--pack-destination", package.parent)  # beside the package, whose files other tests count
    (archive,) = json.loads(output(NPM, "pack", "--json", "--offline", *to, cwd=package))
    shutil.rmtree(MODULES / "sanic-chatrooms", ignore_errors=True)
    with tarfile.open(package.parent / archive["filename"]) as packed:
        packed.extractall(package.parent / "packed", filter="data")
    shutil.move(package.parent / "packed" / "package", MODULES / "sanic-chatrooms")
    return PROJECT


@pytest.fixture(scope="module")
def bundled(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    output(NODE, MODULES / "vite" / "bin" / "vite.js", "build", "--outDir", folder, cwd=project)
    return folder


# ---- the package, without a network ----


def test_all_that_the_package_names_is_in_it(package: Path) -> None:
    about = json.loads((package / "package.json").read_text())
    exports = [places for places in about["exports"].values() if isinstance(places, dict)]
    named = {place.removeprefix("./") for places in exports for place in places.values()}

    named |= {"words", "client-http.js"}
    assert named == set(about["files"])
    words = {path.name for path in FOLDER.glob("words/*.js")}
    assert {path.name for path in package.iterdir()} == {*named, "package.json", "README.md", "LICENSE"}
    assert {path.name for path in (package / "words").iterdir()} == words > {"en.js"}
    assert all((package / name).stat().st_size > 1000 for name in named - {"words"})  # that is a folder
    assert about["license"] == "MIT"
    assert "dependencies" not in about


@pytest.mark.parametrize(
    ("version", "written"),
    [
        ("1.2.3", "1.2.3"),
        ("0.1.0.dev0", "0.1.0-dev.0"),
        ("1.0.0a1", "1.0.0-alpha.1"),
        ("1.0.0b2", "1.0.0-beta.2"),
        ("1.0.0rc3", "1.0.0-rc.3"),
    ],
)
def test_versions_are_written_as_npm_does(version: str, written: str) -> None:
    assert npm_version(version) == written


def test_a_version_that_npm_cannot_write_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0\.0\.post1"):
        npm_version("1.0.0.post1")


@needs_node
def test_a_server_that_renders_pages_can_import_both_modules(package: Path) -> None:
    script = """
const { ChatRooms, fold } = await import("./client.js");
const { ChatRoomElement } = await import("./chat-room.js");
try { new ChatRooms(); } catch (error) { console.log(error.name); }
console.log(new ChatRooms({ url: "ws://localhost/chat/ws" }).state, typeof fold, typeof ChatRoomElement);
"""
    assert NODE is not None
    told = output(NODE, "--input-type=module", "--eval", script, cwd=package)

    assert told.split() == ["TypeError", "closed", "function", "function"]


@needs_npm
def test_npm_packs_these_files_and_no_others(package: Path) -> None:
    assert NPM is not None
    (packed,) = json.loads(output(NPM, "pack", "--dry-run", "--json", "--offline", cwd=package))

    about = json.loads((OWN / "package.json").read_text())
    assert {file["path"].partition("/")[0] for file in packed["files"]} == {
        *about["files"],
        "package.json",
        "README.md",
        "LICENSE",
    }


# ---- a project that has it ----


def test_the_project_type_checks_strictly(project: Path) -> None:
    """`src/typing.ts` has lines that have to be refused."""
    config = json.loads((project / "tsconfig.json").read_text())["compilerOptions"]
    assert config["strict"] is True
    assert "skipLibCheck" not in config, "our declarations are checked, too"

    output(MODULES / ".bin" / "tsc", cwd=project)


def test_vite_bundles_each_page_with_what_it_uses(bundled: Path) -> None:
    scripts = {path.name.partition("-")[0]: path.read_text() for path in (bundled / "assets").glob("*.js")}

    assert {path.name for path in bundled.glob("*.html")} == {"index.html", "room.html"}
    assert [name for name, text in scripts.items() if "attachShadow" in text] == ["room"]


@pytest.mark.asyncio(loop_scope="session")
async def test_two_people_talk_through_the_bundles(
    app: Sanic[Any, Any], live: Live, new_page: Pages, bundled: Path
) -> None:
    chat = ChatRooms(guests=True, drain_seconds=0)
    app.blueprint(chat.bp)
    app.static("/shop", bundled)
    server = await live()
    await chat.create_room("general", title="General")
    await chat.publish("general", "message", {"text": "Welcome"})
    ada, bob = await new_page(base_url=server.url), await new_page(base_url=server.url)

    await ada.goto("/shop/index.html")  # the client in React
    await expect(ada.get_by_role("listitem")).to_have_text(["Shop: Welcome"])
    await bob.goto("/shop/room.html")  # the element in React
    await expect(messages(bob)).to_have_count(1)
    await expect(bob.get_by_test_id("here")).to_have_text("2 here")

    await ada.get_by_label("Message").fill("Hello from React")
    await ada.get_by_role("button", name="Send").click()
    await expect(messages(bob).last).to_contain_text("Hello from React")
    await expect(bob.get_by_role("heading", name="Support (1 new)")).to_be_visible()
    await say(bob, "Hello from the element")
    await expect(ada.get_by_role("listitem")).to_have_text(
        ["Shop: Welcome", "Ada: Hello from React", "Bob: Hello from the element"]
    )
    await messages(bob).last.focus()
    await messages(bob).last.get_by_test_id("delete").focus()
    await bob.keyboard.press("Enter")
    await bob.get_by_test_id("answer-yes").click()
    await expect(ada.get_by_role("listitem")).to_have_text(["Shop: Welcome", "Ada: Hello from React"])


@pytest.mark.asyncio(loop_scope="session")
async def test_the_bundle_loads_the_words_of_one_language(
    app: Sanic[Any, Any], live: Live, new_page: Pages, bundled: Path
) -> None:
    app.blueprint(ChatRooms(guests=True, drain_seconds=0).bp)
    app.static("/shop", bundled)
    page = await new_page(base_url=(await live()).url)
    german = (bundled / "room.html").read_text().replace('lang="en"', 'lang="de"')
    await page.route("**/shop/room.html", lambda route: route.fulfill(body=german, content_type="text/html"))
    asked: list[str] = []
    page.on("request", lambda request: asked.extend(re.findall(r"/((?:en|de)-[^/]+)$", request.url)))
    await page.goto("/shop/room.html")

    await expect(page.get_by_test_id("composer")).to_have_attribute(
        "placeholder", re.compile("^Nachricht an ")
    )
    assert [name.partition("-")[0] for name in asked] == ["de"]
