"""The guard against asyncio's log really fails tests. What it must catch runs in a pytest of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OFFENDERS = textwrap.dedent(
    """
    import asyncio
    import gc
    import warnings


    async def fail():
        raise ValueError("nobody looks")


    async def test_clean():
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        assert task.exception()


    async def test_unretrieved():
        await asyncio.wait([asyncio.create_task(fail())])


    async def test_unretrieved_in_a_cycle():
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        cycle = [task]
        cycle.append(cycle)


    async def test_callback():
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)


    async def test_destroyed():
        async def wait_for_ever():
            await asyncio.get_running_loop().create_future()

        coroutine = wait_for_ever()
        task = asyncio.Task(coroutine)
        await asyncio.sleep(0)
        asyncio.tasks._unregister_task(task)  # hidden from the runner, which would cancel it
        del task, coroutine
        gc.collect()


    async def test_never_awaited():
        asyncio.sleep(0)


    async def test_never_awaited_in_a_cycle():
        cycle = [asyncio.sleep(0)]
        cycle.append(cycle)


    def test_warning():
        warnings.warn("old", DeprecationWarning)


    def test_after_all_is_clean_again():
        pass
    """
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("offenders")
    folder.joinpath("conftest.py").write_text(
        'pytest_plugins = ("tests.support.guard", "tests.support.loops")\n'
    )
    folder.joinpath("test_offenders.py").write_text(OFFENDERS)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)),
            *("-rA", "-o", f"cache_dir={folder}", "--color=no", str(folder / "test_offenders.py")),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "", "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


@pytest.mark.parametrize("name", ["unretrieved", "unretrieved_in_a_cycle", "callback", "destroyed"])
def test_what_asyncio_logs_fails_the_test(report: str, name: str) -> None:
    assert re.search(rf"^ERROR \S+::test_{name} - Failed: asyncio complained", report, re.MULTILINE), report


@pytest.mark.parametrize("name", ["never_awaited", "never_awaited_in_a_cycle", "warning"])
def test_warnings_fail_the_test(report: str, name: str) -> None:
    assert re.search(rf"^(ERROR|FAILED) \S+::test_{name} - .*Warning", report, re.MULTILINE), report


@pytest.mark.parametrize("name", ["clean", "after_all_is_clean_again"])
def test_innocent_neighbours_pass(report: str, name: str) -> None:
    assert re.search(rf"^PASSED \S+::test_{name}$", report, re.MULTILINE), report
    assert not re.search(rf"^(ERROR|FAILED) \S+::test_{name}\b", report, re.MULTILINE), report
