"""One resumable, verified, atomic download.

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
"""

import contextlib
import errno
import os
import re
import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.atomic import resumable_part, resumable_path
from numpyclip.errors import ChecksumError, DownloadError, OfflineError
from numpyclip.weights.catalogue import KnownModel
from numpyclip.weights.local import Folder, sha256_of, stat_regular_file, weights_folder, write_stamp

if TYPE_CHECKING:  # http and tls take a while to import; a model that is here needs neither
    from numpyclip.weights.transfer import Part, Progress

TRIES = 5  # consecutive requests to one URL that bring less than MIN_PROGRESS
MIN_PROGRESS = 1 << 20  # bytes; a connection that brings this much before it breaks is worth any number of tries

_TINY = "To try NumPyCLIP without a download, use the model in the package: 'tiny' (--model tiny)."

_pause = time.sleep


def is_offline() -> bool:
    """Tell whether ``$NUMPYCLIP_OFFLINE`` forbids the network."""
    return os.environ.get("NUMPYCLIP_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def sources(model: KnownModel) -> tuple[str, ...]:
    """Return the URLs of a model in the order to try, those of ``$NUMPYCLIP_MIRROR`` first."""
    mirror = os.environ.get("NUMPYCLIP_MIRROR", "").strip().rstrip("/")
    if not mirror:
        return model.urls
    if re.match(r"\w+://[^/]*@", mirror):  # not shown: it may contain a password
        raise DownloadError("$NUMPYCLIP_MIRROR: has a user name; expected https://host/folder. Remove it.")
    if not re.match(r"https?://[^/]", mirror):
        raise DownloadError(f"$NUMPYCLIP_MIRROR: is {mirror!r}; expected https://host/folder.")
    return (f"{mirror}/{model.file}", f"{mirror}/{model.sha256}/{model.file}", *model.urls)


def _pull(url: str, part: "Part", progress: "Progress") -> None:
    """Fetch one URL to its end, retrying as long as that makes progress."""
    from numpyclip.weights.transfer import Broken, fetch

    fruitless, reached, furthest = 0, False, part.size
    while True:
        try:
            return fetch(url, part, progress)
        except Broken as broken:
            reached = reached or broken.connected
            # by the furthest point: starting over and over is no progress
            fruitless = 0 if part.size - furthest >= MIN_PROGRESS else fruitless + 1
            progress.say(f"{broken}")
            furthest = max(furthest, part.size)
            # a server that was never reached gets no second try: there may be another
            if not reached or fruitless >= TRIES:
                raise
        _pause(2.0 ** (fruitless - 1))


def _fetch_verified(url: str, model: KnownModel, part: "Part", progress: "Progress") -> None:
    """Fetch one URL; start over once if the parts of several responses do not make the published file."""
    from numpyclip.weights.transfer import Wrong

    for _ in range(2):
        _pull(url, part, progress)
        if part.sha256 == model.sha256:
            return
        page = ", which looks like a web page" if part.head().lstrip().startswith(b"<") else ""
        reason = f"sent {part.size:,} bytes{page}, with SHA-256 {part.sha256}; expected {model.sha256}"
        spliced = part.spliced
        part.clear()
        if not spliced:
            break
    raise Wrong(reason)


def _advice(model: KnownModel, file: Path) -> str:
    return (
        f"Put {model.file} (SHA-256 {model.sha256}) into {file.parent} by hand, "
        f"or set $NUMPYCLIP_MIRROR to a URL that has it. {_TINY}"
    )


def _fill(model: KnownModel, file: Path, part: "Part", progress: "Progress") -> None:
    """Make `part` the published file, from the first URL that serves it."""
    from numpyclip.weights.transfer import Broken, Refused, Wrong

    reasons: list[str] = []
    kind: type[DownloadError] = DownloadError
    for url in () if part.sha256 == model.sha256 else sources(model):
        try:
            progress.say(f"downloading {url}")
            _fetch_verified(url, model, part, progress)
            break
        except (Broken, Refused) as failure:
            reasons.append(f"{url}: {str(failure).rstrip('.')}")
            if isinstance(failure, Wrong):
                kind = ChecksumError
    if part.sha256 != model.sha256:
        found = f"could not be downloaded ({'; '.join(reasons)})" if reasons else "could not be downloaded"
        kept = ""
        if part.size and part.path == resumable_part(file):
            kept = f"{part.size:,} bytes are kept in {part.path}, to be continued. "
        raise kind(f"{model.name}: {found}. {kept}{_advice(model, file)}")
    part.settle()


def _disk_error(file: Path, total: int | None, error: OSError) -> DownloadError:
    what = error.strerror or error
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        needed = "an unknown number of" if total is None else f"{total:,}"
        free = f"{shutil.disk_usage(file.parent).free:,}"
        return DownloadError(
            f"{file}: the disk is full ({what}); {needed} bytes are needed, {free} are free. "
            "Make room, or choose another folder with download_root or $CLIP_DIR."
        )
    return DownloadError(
        f"{file}: cannot be written ({what}). Choose a folder that can be, with download_root or $CLIP_DIR."
    )


def _download(model: KnownModel, file: Path, path: Path) -> None:
    """Fetch into the partial file at `path`, and rename it once it is verified."""
    from numpyclip.weights.transfer import Part, Progress

    stat_regular_file(path)
    total = None
    try:
        with Part(path) as part, Progress(model.file) as progress:
            try:
                _fill(model, file, part, progress)
            finally:
                total = part.total
    except DownloadError:
        raise
    except OSError as error:  # of the disk; those of the network are among the reasons
        with contextlib.suppress(OSError):
            path.unlink()
        raise _disk_error(file, total, error) from error
    try:
        path.replace(file)
    except OSError as error:
        raise _disk_error(file, total, error) from error
    if status := stat_regular_file(file):
        write_stamp(file, status, model.sha256)


def _offline_error(model: KnownModel, file: Path, found: str | None) -> DownloadError:
    cure = f"Put {model.file} there by hand, from {' or '.join(sources(model))}, or unset $NUMPYCLIP_OFFLINE."
    if found is None:
        what = f"is missing, and $NUMPYCLIP_OFFLINE forbids the download; expected SHA-256 {model.sha256}"
        return OfflineError(f"{file}: {what}. {cure} {_TINY}")
    return ChecksumError(f"{file}: has SHA-256 {found}; expected {model.sha256}. {cure}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"{folder}: cannot be made a folder ({error.strerror or error}). "
            "Choose another with download_root or $CLIP_DIR."
        ) from error


def _found(file: Path, model: KnownModel) -> str | None:
    status = stat_regular_file(file)
    return sha256_of(file, status, model.sha256) if status else None


def obtain(model: KnownModel, download_root: Folder | None = None) -> Path:
    """Return the file of a model with the published SHA-256, after downloading it if it is missing or damaged.

    Raises
    ------
    OfflineError
        If it is missing and ``$NUMPYCLIP_OFFLINE`` is set.
    ChecksumError
        If no URL has the published file, or the one here is damaged and ``$NUMPYCLIP_OFFLINE`` is set.
    DownloadError
        If it cannot be fetched or written.

    Warns
    -----
    UserWarning
        If a damaged file is replaced.
    """
    file = weights_folder(download_root) / model.file
    found = _found(file, model)
    if found == model.sha256:
        return file
    if is_offline():
        raise _offline_error(model, file, found)
    _make_folder(file.parent)
    with resumable_path(file, f"{file.name}: another process is downloading it; waiting for it") as part:
        found = _found(file, model)  # another process may have downloaded it meanwhile
        if found == model.sha256:
            return file
        if found:
            message = f"{file}: has SHA-256 {found}; expected {model.sha256}. It is downloaded again."
            warnings.warn(message, stacklevel=2)
        _download(model, file, part)
    return file
