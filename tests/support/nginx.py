"""nginx with the settings of deploy/."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.deployed import DEPLOY
from tests.support.process import ServerProcess, free_port, start_command
from tests.support.tools import needed

__all__ = ["Nginx"]

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx:
    """A copy of the settings, with ports and directories of the test's own."""

    def __init__(self, folder: Path, *apps: int) -> None:
        self.folder = folder
        self.port = free_port()
        shutil.copytree(DEPLOY / "nginx", folder)
        self.change("nginx.conf", "server app:8000;", "".join(f"server 127.0.0.1:{port};" for port in apps))
        self.change("servers/plain.conf", "listen 80;", f"listen 127.0.0.1:{self.port};")
        self.change("nginx.conf", "error_log", f"pid {folder}/nginx.pid;\nerror_log")
        # Without root those that are built in cannot be written.
        lines = [f"{name}_temp_path {folder}/{name};\n" for name in TEMPORARY]
        (folder / "servers" / "directories.conf").write_text("".join(lines))

    def change(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def command(self, *more: str) -> list[str]:
        settings = ["-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]
        return [needed("nginx"), *settings, *more]

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*more), capture_output=True, text=True, check=False)

    def start(self) -> ServerProcess:
        return start_command(self.command("-g", "daemon off;"), self.port)
