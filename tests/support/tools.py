"""Programs that tests need and no wheel brings: without them tests are skipped, in words; with CI=true they fail."""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["needed"]

# Where Debian has nginx, which is not on everybody's PATH.
_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def needed(name: str) -> str:
    """The path of a program."""
    found = shutil.which(name, path=_PLACES)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {name}, and there is none on PATH", pytrace=False)
    if found is None:
        pytest.skip(f"there is no {name} on PATH")
    return found
