"""A server on this machine that speaks as much of the Hugging Face hub's language as `huggingface_hub` needs.

It was written after that package's source: what it asks for, which headers it reads. The hub itself was never asked.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.http_server import running

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin", ".pt")  # files that lie elsewhere, where a redirection leads

Trouble = Callable[["Handler"], bool]  # answers in its own way and says so, or leaves it to the hub


@dataclass
class Hub:
    """A hub with one repository, and what was asked of it."""

    files: dict[str, bytes]
    repository: str = "someone/model"
    commit: str = COMMIT
    revisions: tuple[str, ...] = ("main", "v2")
    trouble: Trouble = lambda handler: False
    url: str = ""
    asked: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def elsewhere(self) -> str:
        """Where large files lie: on another host, by its name."""
        return self.url.replace("127.0.0.1", "localhost") + "/elsewhere"

    @property
    def fetched(self) -> list[str]:
        """Names of the files whose content was asked for, in turn."""
        matches = (re.fullmatch(r"GET .+/resolve/[^/]+/(.+)", asked) for asked in self.asked)
        return [match[1] for match in matches if match]


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.trouble(self):
            return
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/(.+))?", path):
            self._describe(match[1], match[3] or "main")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(*match.groups())
        elif match := re.fullmatch(r"/elsewhere/(.+)", path):
            self._send(self.hub.files[match[1]])
        else:
            self.refuse(404)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: object) -> bool:
        """Send this, and say that it was sent; the length may be told otherwise."""
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def refuse(self, status: int, code: str = "") -> bool:
        """Send an error as the hub does, whose reason is in a header."""
        reason = {"X_Error_Code": code, "X_Error_Message": "no"}
        return self.answer(status, b'{"error":"no"}', Content_Type="application/json", **reason)

    def _describe(self, repository: str, revision: str) -> None:
        hub = self.hub
        if repository != hub.repository:
            self.refuse(404, "RepoNotFound")
        elif revision not in (*hub.revisions, hub.commit):
            self.refuse(404, "RevisionNotFound")
        else:
            siblings = [{"rfilename": name} for name in hub.files]
            body = {"id": repository, "modelId": repository, "sha": hub.commit, "siblings": siblings, "tags": []}
            self.answer(200, json.dumps(body).encode(), Content_Type="application/json")

    def _resolve(self, repository: str, revision: str, name: str) -> None:
        hub = self.hub
        if repository != hub.repository:
            self.refuse(404, "RepoNotFound")
        elif revision not in (*hub.revisions, hub.commit):
            self.refuse(404, "RevisionNotFound")
        elif name not in hub.files:
            self.refuse(404, "EntryNotFound")
        else:
            body = hub.files[name]
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            facts: dict[str, Any] = {"X_Repo_Commit": hub.commit, "X_Linked_Size": len(body), "X_Linked_Etag": etag}
            if name.endswith(LARGE):
                self.answer(302, **facts, Location=f"{hub.elsewhere}/{name}", ETag='"of the redirection"')
            else:
                self.answer(200, body, **facts, ETag=etag)

    def _send(self, body: bytes) -> None:
        told = self.headers.get("Range")
        self.hub.ranges.append(told)
        match = re.fullmatch(r"bytes=(\d+)-", told or "")
        if match:
            start = int(match[1])
            self.answer(206, body[start:], Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.answer(200, body)


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Run the hub for the length of the block."""
    handler = type("HubHandler", (Handler,), {"hub": hub})
    with running(handler) as hub.url:  # the client keeps connections open, so threads do not end by themselves
        try:
            yield hub
        finally:
            hub.ending.set()


@contextlib.contextmanager
def using(files: dict[str, bytes], home: Path) -> Iterator[Hub]:
    """Run a hub with these files, in an environment that knows no other, has an empty cache and no token."""
    with serving(Hub(files)) as hub, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
            patch.delenv(name)
        settings = {"HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
        for name, value in {**settings, "HF_ENDPOINT": hub.url}.items():
            patch.setenv(name, value)
        imported_anew(patch)
        yield hub


def imported_anew(patch: pytest.MonkeyPatch) -> None:
    """Make the next import of `huggingface_hub` read its settings again; what is imported now comes back afterwards."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        patch.delitem(sys.modules, name)
