from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sanic import Request
from sanic.compat import Header
from sanic.exceptions import NotFound

from sanic_chatrooms.web import assets as module
from sanic_chatrooms.web.assets import FOLDER, PAGE_POLICY, Assets


class Asked:
    """As much of a request as is looked at."""

    def __init__(self, *lines: tuple[str, str], debug: bool = False, **headers: str) -> None:
        self.app = SimpleNamespace(debug=debug)
        self.headers = Header([*lines, *((name.replace("_", "-"), value) for name, value in headers.items())])


def answer(assets: Assets, name: str, headers: dict[str, str] | None = None, **asked: Any) -> Any:
    return asyncio.run(assets.answer(cast(Request, Asked(**asked)), name, headers))


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    (tmp_path / "client.js").write_text("export const a = 'ü';")
    (tmp_path / "client.d.ts").write_text("export const a: string;")
    (tmp_path / "page.js").write_text("// The page.\nconst a = 'ü';\n")
    (tmp_path / "page.css").write_text("/* The page. */\na { top: 0; }\n")
    (tmp_path / "page.html").write_text('<!doctype html><div id="chat"></div>')
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "font.woff2").write_bytes(b"\0")
    (tmp_path / "folder").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.js").write_text("export const words = () => ({});")
    (tmp_path / "style").mkdir()
    (tmp_path / "style" / "page.html").write_text("<!doctype html><title>Style</title>")
    return Assets(tmp_path)


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("client.js", "text/javascript; charset=utf-8"),
        ("client.d.ts", "text/plain; charset=utf-8"),
        ("page.html", "text/html; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
        ("font.woff2", "font/woff2"),
    ],
)
def test_files_have_their_types(assets: Assets, name: str, type: str) -> None:
    response = answer(assets, name)

    assert (response.status, response.content_type) == (200, type)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("guests", "sign_in", "said"),
    [
        (True, None, ""),
        (False, None, ' data-guests="no"'),
        (
            False,
            '/login?next=/chat/&by="x"',
            ' data-guests="no" data-sign-in="/login?next=/chat/&amp;by=&quot;x&quot;"',
        ),
    ],
)
def test_the_page_knows_who_gets_in_and_where_the_others_sign_in(
    assets: Assets, guests: bool, sign_in: str | None, said: str
) -> None:
    response = assets.page(cast(Request, Asked()), guests, sign_in)
    again = assets.page(cast(Request, Asked(if_none_match=response.headers["etag"])), guests, sign_in)

    assert response.body == f'<!doctype html><div id="chat"{said}></div>'.encode()
    assert response.headers["content-security-policy"] == PAGE_POLICY
    assert again.status == 304


def test_words_are_in_a_folder_of_their_own(assets: Assets) -> None:
    assert answer(assets, "words/en.js").body == b"export const words=()=>({});"
    with pytest.raises(NotFound):
        answer(assets, "words/../client.js")


def test_the_style_sheet_page_is_in_a_folder_of_its_own(assets: Assets) -> None:
    assert answer(assets, "style/page.html").body == b"<!doctype html><title>Style</title>"


def test_a_file_that_the_browser_has_is_not_sent_again(assets: Assets) -> None:
    first = answer(assets, "client.js", {"content-security-policy": PAGE_POLICY})
    again = answer(assets, "client.js", if_none_match=first.headers["etag"])
    other = answer(assets, "page.html", if_none_match=first.headers["etag"])

    assert first.body == "export const a = 'ü';".encode()
    assert first.headers["content-security-policy"] == PAGE_POLICY
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert other.status == 200


@pytest.mark.parametrize(
    ("name", "usual", "debug"),
    [
        ("page.js", "const a='ü';", "// The page.\nconst a = 'ü';\n"),
        ("page.css", "a{top:0}", "/* The page. */\na { top: 0; }\n"),
        ("client.js", "export const a = 'ü';", "export const a = 'ü';"),
    ],
)
def test_the_page_is_served_without_comments_and_spaces_except_in_debug_mode(
    assets: Assets, name: str, usual: str, debug: str
) -> None:
    served = [answer(assets, name), answer(assets, name), answer(assets, name, debug=True)]

    assert [response.body.decode() for response in served] == [usual, usual, debug]
    assert served[0].headers["etag"] == served[1].headers["etag"]
    assert answer(assets, name, if_none_match=served[0].headers["etag"]).status == 304


def test_what_is_left_out_of_a_file_is_found_once_and_beside_the_event_loop(
    assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def shortened(text: str) -> str:
        threads.append(threading.get_ident())
        return text

    monkeypatch.setitem(module.COMPACT, ".js", shortened)

    assert answer(assets, "page.js").body == answer(assets, "page.js").body
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("TAG", 304),
        ("W/TAG", 304),
        (" TAG ", 304),
        ('"x", TAG', 304),
        ('"x",W/"y",W/TAG,"z"', 304),
        ('"a,b", TAG', 304),
        (", ,TAG", 304),
        ("*", 304),
        (" * ", 304),
        ("", 200),
        ('""', 200),
        ('"x"', 200),
        ('W/"x", "y"', 200),
        ("BARE", 200),
        ('"x*"', 200),
        ("TA", 200),
        ('"', 200),
        ("\xff", 200),
        ("w/", 200),
    ],
)
def test_tags_are_compared_weakly_and_in_lists(assets: Assets, given: str, status: int) -> None:
    tag = answer(assets, "client.js").headers["etag"]

    asked = given.replace("TAG", tag).replace("BARE", tag.strip('"'))

    assert answer(assets, "client.js", if_none_match=asked).status == status


def test_tags_may_come_in_several_lines(assets: Assets) -> None:
    tag = answer(assets, "client.js").headers["etag"]
    asked = Asked(("If-None-Match", '"x"'), ("If-None-Match", f"W/{tag}"))

    assert asyncio.run(assets.answer(cast(Request, asked), "client.js")).status == 304


@pytest.mark.parametrize(
    "name", ["", "folder", "../assets.py", "/etc/passwd", "CLIENT.JS", "client.js/", "x" * 9999]
)
def test_there_are_no_other_names(assets: Assets, name: str) -> None:
    with pytest.raises(NotFound):
        answer(assets, name)


def test_the_ready_page_needs_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = (FOLDER / "page.html").read_text()

    assert "unsafe" not in PAGE_POLICY
    assert "style=" not in page
    assert "<style" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page
