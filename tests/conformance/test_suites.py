"""The suites are whole, and anybody can use them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import sanic_chatrooms
from sanic_chatrooms.access.policy import Policy
from sanic_chatrooms.auth.base import Authenticator
from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.presence.base import Presence
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.testing import (
    AuthenticatorSuite,
    BrokerSuite,
    PolicySuite,
    PresenceSuite,
    StoreSuite,
)

ROOT = Path(sanic_chatrooms.__file__).parent
SUITES = {
    Store: StoreSuite,
    Broker: BrokerSuite,
    Presence: PresenceSuite,
    Policy: PolicySuite,
    Authenticator: AuthenticatorSuite,
}


@pytest.mark.parametrize(("contract", "suite"), SUITES.items())
def test_every_numbered_sentence_of_a_contract_has_a_test(contract: type, suite: type) -> None:
    sentences = {int(number) for number in re.findall(r"^ +(\d+)\. ", contract.__doc__ or "", re.MULTILINE)}

    tested = {int(found[1]) for name in dir(suite) if (found := re.match(r"test_(\d+)_", name))}

    assert sentences
    assert tested == sentences


@pytest.mark.parametrize("suite", SUITES.values())
def test_no_part_of_a_suite_hides_a_test_of_another(suite: type) -> None:
    names = [name for part in suite.__mro__ for name in vars(part) if name.startswith("test_")]

    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_no_test_runner_is_needed_to_import_them() -> None:
    program = "import sys, sanic_chatrooms.testing; sys.exit('pytest' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], check=False)

    assert done.returncode == 0


@pytest.mark.parametrize("part", sorted((ROOT / "testing").glob("_*/*.py")), ids=lambda part: part.name)
def test_a_part_of_a_suite_names_the_sentences_that_it_tests(part: Path) -> None:
    text = part.read_text()
    named = re.findall(
        r"(\d+)(?: to (\d+))?", " ".join(re.findall(r"\(([^)]*\d[^)]*)\)", text.partition("\n")[0]))
    )
    tested = {int(number) for number in re.findall(r"def test_(\d+)_", text)}

    assert {n for first, last in named for n in range(int(first), int(last or first) + 1)} == tested
