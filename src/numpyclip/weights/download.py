"""One resumable, verified, atomic download, from the first of several sources that has the file.

``ViT-B-32.pt``
    appears only when it is complete and its SHA-256 is the published one.
``ViT-B-32.pt.verified``
    notes that it was verified, so that later loads need not read all of it. It guards against accidents, not against
    somebody who can write to the folder.
``ViT-B-32.pt.part``
    what has arrived so far; the next attempt continues it.
``ViT-B-32.pt.lock``
    held during the download (see `numpyclip.lock`): a second process waits, and finds the file. Where there are no
    locks, each process writes a part of its own, and removes it in the end.

Files of a hub have their names, parts and locks in its cache: see `numpyclip.weights.hub_cache`.
"""

import errno
import shutil
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

from numpyclip.errors import ChecksumError, DownloadError
from numpyclip.weights.local import FOLDER_SETTINGS, stat_regular_file
from numpyclip.weights.partial_file import Expected, Part
from numpyclip.weights.progress import Progress
from numpyclip.weights.transfer import fetch
from numpyclip.weights.web_request import Broken, Refused, Wrong

TRIES = 5  # consecutive requests to one URL that bring less than MIN_PROGRESS
MIN_PROGRESS = 1 << 20  # bytes; a connection that brings this much before it breaks is worth any number of tries
PATIENCE = 60.0  # seconds to wait, in all, for a server that is busy
_STALL = 3  # tries that a stalled connection counts as: each takes its time
_BUSY = (429, 500, 502, 503, 504)

_Result = TypeVar("_Result")

_pause = time.sleep


class Attempts:
    """Failed attempts, and what each source answered."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.refused: set[str] = set()  # sources that do not have it
        self.may_pass = False  # whether another attempt may help: a connection broke, or a server was busy
        self.kind: type[DownloadError] = DownloadError  # a ChecksumError once one has sent another file
        self._silent: set[str] = set()  # hosts that did not answer, or stalled, and are not asked again

    def add(self, source: str, failure: Exception) -> None:
        """Note a failure."""
        self.failures.append(f"{source}: {str(failure).rstrip('.')}")
        if isinstance(failure, Refused) and failure.status not in _BUSY:
            self.refused.add(source)
        elif isinstance(failure, Broken | Refused):
            self.may_pass = True
        if isinstance(failure, Wrong | ChecksumError):
            self.kind = ChecksumError
        if isinstance(failure, Broken) and (failure.stalled or not failure.connected):
            self._silent.add(_host(source))

    def skip(self, url: str) -> bool:
        """Tell, and note, whether the host of a URL did not answer, or stalled, before."""
        is_silent = _host(url) in self._silent
        if is_silent:
            self.failures.append(f"{url}: skipped: {_host(url)} did not answer")
        return is_silent


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def patiently(request: Callable[[], _Result], drops: int = 0) -> _Result:
    """Repeat a request while the server is busy, waiting as long as it says, but not for hours.

    A connection may break so many times (`drops`).
    """
    waited = 0.0
    for usual in (1.0, 2.0):
        try:
            return request()
        except Broken as broken:
            if not drops or broken.stalled or not broken.connected:
                raise
            drops -= 1
            continue
        except Refused as refused:
            wait = usual if refused.wait is None else max(1.0, refused.wait)
            if refused.status not in _BUSY or waited + wait > PATIENCE:
                raise
        waited += wait
        _pause(wait)
    return request()


def pull(url: str, part: Part, progress: Progress, expected: Expected, token: str | None = None) -> None:
    """Fetch one URL to its end, and verify it; start over once if several responses do not make the expected file."""
    if expected.sha256 is None:
        part.clear()  # of which version it is, nobody knows
    for _ in range(2):
        _pull(url, part, progress, expected, token)
        difference = part.differs(expected)
        if difference is None:
            return
        page = ", which looks like a web page" if part.head().lstrip().startswith(b"<") else ""
        reason = f"sent {part.size:,} bytes{page}, {difference}"
        may_differ_next_time = part.spliced or expected.sha1 is not None
        part.clear()
        if not may_differ_next_time:
            break
    raise Wrong(reason)


def _pull(url: str, part: Part, progress: Progress, expected: Expected, token: str | None) -> None:
    """Fetch one URL to its end, retrying as long as that makes progress."""
    fruitless, reached, furthest = 0, False, part.size
    while True:
        try:
            return fetch(url, part, progress, expected, token)
        except Broken as broken:
            reached = reached or broken.connected
            # by the furthest point: starting over and over is no progress
            fruitless = 0 if part.size - furthest >= MIN_PROGRESS else fruitless + (_STALL if broken.stalled else 1)
            progress.say(f"{broken}")
            furthest = max(furthest, part.size)
            # a server that was never reached gets no second try: there may be another
            if not reached or fruitless >= TRIES:
                raise
            wait = 0.0 if broken.stalled else 2.0 ** max(0, fruitless - 1)
        _pause(wait)


def pull_first(urls: Iterable[str], part: Part, progress: Progress, expected: Expected, attempts: Attempts) -> bool:
    """Fetch the first URL that has the expected file; tell whether one had."""
    for url in urls:
        if attempts.skip(url):
            continue
        try:
            progress.say(f"downloading {url}")
            patiently(partial(pull, url, part, progress, expected))
            return True
        except (Broken, Refused) as failure:
            attempts.add(url, failure)
    return False


def save(path: Path, file: Path, expected: Expected, label: str, fill: Callable[[Part, Progress], bool]) -> bool:
    """Let the partial file at `path` be filled, unless it is complete, and rename it; tell whether it is complete.

    Raises
    ------
    DownloadError
        If it cannot be written.
    """
    stat_regular_file(path)
    total = None
    try:
        with Part(path) as part, Progress(label) as progress:
            try:
                is_complete = expected.sha256 is not None and part.differs(expected) is None
                if not is_complete and not fill(part, progress):
                    return False
                part.settle()
            finally:
                total = part.total
    except DownloadError:
        raise
    except OSError as error:  # of the disk; those of the network are among the reasons
        raise _disk_error(file, total, error) from error
    try:
        path.replace(file)
    except OSError as error:
        raise _disk_error(file, total, error) from error
    return True


def _disk_error(file: Path, total: int | None, error: OSError) -> DownloadError:
    what = error.strerror or error
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        needed = "an unknown number of" if total is None else f"{total:,}"
        free = f"{shutil.disk_usage(file.parent).free:,}"
        return DownloadError(
            f"{file}: the disk is full ({what}); {needed} bytes are needed, {free} are free. "
            f"Make room, or choose another folder {FOLDER_SETTINGS}."
        )
    return DownloadError(f"{file}: cannot be written ({what}). Choose a folder that can be, {FOLDER_SETTINGS}.")
