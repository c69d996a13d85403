from __future__ import annotations

import json
import time

import jwt
import pytest

from sanic_chatrooms.command_line.main import main
from sanic_chatrooms.command_line.options import duration

SECRET = "a-secret-of-more-than-64-bytes-for-tests-of-all-algorithms-that-take-one"


def claims(text: str, algorithm: str = "HS256", audience: str | None = None) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(text, SECRET, [algorithm], audience=audience)
    return found


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANIC_CHATROOMS_JWT_SECRET", SECRET)


def test_a_token_names_the_user_and_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time()

    assert (
        main(
            ["token", "u1", "--name", "Ada", "--ttl", "15m", "--scope", "chat:read", "--scope", "chat:write"]
        )
        == 0
    )

    found = claims(capsys.readouterr().out.strip())
    expires = found.pop("exp")
    assert isinstance(expires, int)
    assert now + 890 < expires < now + 990
    assert found.pop("iat")
    assert found == {"sub": "u1", "name": "Ada", "scope": "chat:read chat:write"}


def test_a_token_is_as_the_servers_settings_want_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "ALGORITHMS": "HS512",
        "AUDIENCE": "shop",
        "ISSUER": "https://login.example",
        "USER_CLAIM": "uid",
        "NAME_CLAIM": "nick",
    }.items():
        monkeypatch.setenv(f"SANIC_CHATROOMS_JWT_{name}", value)

    assert main(["token", "u1", "--name", "Ada", "--json"]) == 0

    answer = json.loads(capsys.readouterr().out)
    found = claims(answer["token"], "HS512", "shop")
    assert answer.keys() == {"token", "user", "expiresAt"}
    assert (answer["user"], answer["expiresAt"]) == ("u1", found["exp"])
    assert (found["uid"], found["nick"], found["iss"]) == ("u1", "Ada", "https://login.example")


def test_without_the_secret_the_error_says_where_it_belongs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SANIC_CHATROOMS_JWT_SECRET")

    assert main(["token", "u1"]) == 1

    assert "SANIC_CHATROOMS_JWT_SECRET is not set" in capsys.readouterr().err


@pytest.mark.parametrize("user", ["guest-1", "", "a\nb"])
def test_an_id_that_no_user_of_a_token_may_have_is_refused(
    user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", user]) == 1

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5s", 1.5), ("15m", 900), ("2min", 120), ("1h", 3600), ("7d", 604_800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds
