"""Runs the blocks of a page: Python in one session, all in one folder, requests to one server."""

import contextlib
import http.client
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpyclip
from numpyclip import Index
from tests.pages import ROOT, Block

HOME = "/home/me"  # what pages call the current folder
SERVER = "127.0.0.1:8000"  # what pages call the server, which has `tiny` and an index of the album
ALBUM = "docs/pictures/album"
_TIMEOUT = 300


def checkout(folder: Path) -> dict[str, str]:
    """Copy what pages read into a folder, and return the variables of a reader who has nothing else."""
    for name in ("docs", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return {"HOME": str(folder), "XDG_DATA_HOME": str(folder / ".local" / "share"), "NO_PROXY": "127.0.0.1"}


class Session(contextlib.ExitStack):
    """Runs the blocks of a page in the current folder, and a server as soon as one asks it, until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, Any] = {}
        self._address: str | None = None

    def run(self, block: Block) -> str:
        """Return what a block prints, written as the page writes it."""
        code = block.code.replace(SERVER, self._server()) if SERVER in block.code else block.code
        if block.language == "http":
            printed = self._ask(code, with_head=block.output is not None and block.output.language == "http")
        elif block.language == "python":
            printed = self._python(code)
        else:
            command = ["bash", "-ec"] if block.language == "sh" else ["node", "--input-type=module", "--eval"]
            printed = _process([*command, code])
        printed = printed.replace(str(Path.cwd()), HOME)
        return printed.replace(self._address, SERVER) if self._address else printed

    def _python(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "the page", "exec"), self._names)
        return "".join(f"# {line}".rstrip() + "\n" for line in printed.getvalue().splitlines())

    def _ask(self, code: str, with_head: bool) -> str:
        """Send a request, as `METHOD PATH`, headers, an empty line and a body, and return the response."""
        head, _, body = code.partition("\n\n")
        request, *headers = head.splitlines()
        method, path = request.split()[:2]
        with contextlib.closing(http.client.HTTPConnection(self._server(), timeout=_TIMEOUT)) as connection:
            pairs = (line.partition(": ") for line in headers)
            connection.request(method, path, body.strip().encode() or None, {name: value for name, _, value in pairs})
            response = connection.getresponse()
            answer = response.read().decode()
        start = f"HTTP/1.1 {response.status} {response.reason}\n"
        if not with_head and response.status >= 400:
            raise AssertionError(start + answer)
        return f"{start}{answer}" if with_head else answer

    def _server(self) -> str:
        if self._address is None:
            from numpyclip.server import create_app
            from tests.server.conftest import running

            model, _ = numpyclip.load("tiny")
            store = f"{self.enter_context(tempfile.TemporaryDirectory())}/index"
            with Index(store, model, create=True) as index:
                index.update([ALBUM])
            app = create_app(model, "tiny", store)
            client = self.enter_context(running(app))
            self._address = f"127.0.0.1:{client.port}"
        return self._address


def _process(command: list[str]) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where `numpyclip` is
    return subprocess.run(
        command,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=_TIMEOUT,
    ).stdout
