"""Client of the Hugging Face hub: the files of a repository, their ETags and sizes, their contents.

Written after `huggingface_hub`: what it asks for, which headers it reads.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from numpyclip.weights.download import patiently, pull, save
from numpyclip.weights.hub_cache import LISTING, CachedRepository, is_commit, is_sha256, may_be_commit
from numpyclip.weights.json_file import parse_json
from numpyclip.weights.local import read_sha256
from numpyclip.weights.network_settings import hub_endpoint, hub_token
from numpyclip.weights.partial_file import Expected, Part
from numpyclip.weights.progress import Progress
from numpyclip.weights.transfer import read_all
from numpyclip.weights.web_request import Refused, Wrong, ask

MANY = 100_000  # files of a repository, to which the hub's own documentation limits them
SMALL = 128 << 20  # bytes of a file that is no weights; the largest published tokenizer has 34 million
_LARGE = (".safetensors", ".bin", ".pt", ".pth", ".npz")

_Result = TypeVar("_Result")


class Listing(NamedTuple):
    """The files of a revision of a repository."""

    commit: str
    files: list[str]


class Stated(NamedTuple):
    """What the hub states of a file."""

    commit: str
    etag: str
    expected: Expected


class HubClient:
    """Requests about one repository. Its errors are those of `web_request`, but for what concerns the disk."""

    def __init__(self, repository: str, is_public: bool = False) -> None:
        self._repository, self._endpoint = repository, hub_endpoint()
        self._token = None if is_public else hub_token()  # of a public one it is sent only if the hub wants it
        self._is_settled = False  # whether to send a token

    @property
    def page(self) -> str:
        """The URL of the repository."""
        return f"{self._endpoint}/{self._repository}"

    @property
    def has_token(self) -> bool:
        """Whether requests are those of a user."""
        return self._token is not None

    def url(self, revision: str, file: str) -> str:
        """Return the URL of a file."""
        return f"{self.page}/resolve/{quote(revision, safe='')}/{quote(file)}"

    def list_files(self, revision: str | None) -> Listing:
        """Ask for the commit of a revision, by default the newest, and its files."""
        url = f"{self._endpoint}/api/models/{self._repository}"
        url += f"/revision/{quote(revision, safe='')}" if revision else ""
        data = self._request(lambda: read_all(url, LISTING, self._token), drops=1)
        try:
            told = parse_json(data)
            commit = told["sha"]
            files = [sibling["rfilename"] for sibling in told.get("siblings") or ()]
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
            what = "a web page" if data.lstrip().startswith(b"<") else "something else"
            why = f": {error}" if type(error) is ValueError else ""  # ours, not those of the parser
            raise Refused(f"sent {what} in place of a list of files{why}") from error
        if not may_be_commit(commit) or not all(isinstance(file, str) for file in files):
            raise Refused(f"sent a list of files whose commit is {commit!r:.60}; expected 40 hexadecimal digits")
        if len(files) > MANY:
            raise Refused(f"sent a list of {len(files):,} files; expected at most {MANY:,}")
        return Listing(commit, files)

    def ask_about(self, revision: str, file: str, sha256: str | None = None) -> Stated:
        """Ask for the commit, ETag and size of a file; with the right SHA-256 a plain web server is enough."""
        url = self.url(revision, file)
        head = partial(ask, url, "HEAD", stays=True)
        answer = self._request(lambda: head(token=self._token), drops=1)
        answer.body.close()
        commit = answer.header("X-Repo-Commit") or ""
        last = answer.headers[-1]
        told = answer.header("X-Linked-Etag") or last.get("ETag") or sha256 or ""
        etag = re.sub(r'^W/|"', "", told.strip())
        size = answer.header("X-Linked-Size") or ("" if "Location" in last else last.get("Content-Length")) or ""
        commit = revision if is_commit(revision) else commit
        if not may_be_commit(commit) or not re.fullmatch(r"[\w=+-][\w.=+-]{0,127}", etag, re.ASCII):
            raise Refused(f"is no hub: its commit is {commit!r:.60}, its ETag {told!r:.60}; expected hashes")
        if sha256 not in (None, etag) and is_sha256(etag):
            raise Wrong(f"has another file, with SHA-256 {etag}; expected {sha256}")
        expected = Expected(
            size=int(size) if re.fullmatch(r"[0-9]{1,18}", size) else None,
            sha256=sha256 or (etag if is_sha256(etag) else None),  # of large files; for others it is that of Git
            sha1=etag if sha256 is None and is_commit(etag) else None,
            most=None if file.endswith(_LARGE) else SMALL,
        )
        if expected.most is not None and (expected.size or 0) > expected.most:
            raise Refused(f"has {expected.size:,} bytes; expected at most {expected.most:,}")
        return Stated(commit, sha256 or etag, expected)

    def fetch(self, cache: CachedRepository, stated: Stated, file: str, is_suspect: bool = False) -> Path:
        """Download a file into the cache, unless it is there.

        One that `is_suspect` is read, and replaced if it is not what the hub states.
        """
        pointer, blob, sha256 = cache.snapshot(stated.commit) / file, cache.blob(stated.etag), stated.expected.sha256

        def is_here(path: Path) -> bool:
            return stated.expected.has_size_of(path) and not (is_suspect and sha256 and read_sha256(path) != sha256)

        with cache.being_written(stated.etag, file) as path:
            if is_here(pointer):  # another process may have downloaded it meanwhile
                return pointer
            is_new = not is_here(blob)
            if is_new:
                url = self.url(stated.commit, file)

                def fill(part: Part, progress: Progress) -> bool:
                    progress.say(f"downloading {url}")
                    self._request(lambda: pull(url, part, progress, stated.expected, self._token))
                    return True

                save(path, blob, stated.expected, file, fill)
            return cache.link(stated.etag, stated.commit, file, is_new)

    def _request(self, request: Callable[[], _Result], drops: int = 0) -> _Result:
        """Make a request; once more with the token of `huggingface_hub`, or without one that has expired, say."""
        try:
            return patiently(request, drops)
        except Refused as refused:
            if refused.status not in (401, 403) or refused.host or self._is_settled:
                raise
            self._is_settled = True
            before, self._token = self._token, None if self._token else hub_token(_logged_in)
            if before == self._token:
                raise
            try:
                return patiently(request, drops)
            except Refused:
                self._token = self._token or before
                raise refused from None


def _logged_in() -> str | None:
    """Return the token that `huggingface_hub` knows, where it is installed and the user has logged in."""
    try:
        from huggingface_hub import get_token

        token: str | None = get_token()
    except (ImportError, OSError, RuntimeError, ValueError):  # its troubles are not those of a repository
        return None
    return token
