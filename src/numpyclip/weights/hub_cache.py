"""The cache of the Hugging Face hub on disk, in the layout of `huggingface_hub`, so that both find each other's files.

``models--organization--name/``
    ``blobs/ETAG``
        the contents of a file, under the ETag that the hub states: a hash; ``ETAG.incomplete`` while it is downloaded.
    ``snapshots/COMMIT/FILE``
        a symbolic link to it; the file itself where links cannot be made.
    ``refs/REVISION``
        the commit of a branch or tag.
    ``.numpyclip/COMMIT.json``
        our own: the names of all files of a commit, by which a snapshot is known to be complete without the hub.
``.locks/models--organization--name/ETAG.lock``
    held during the download.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from numpyclip.atomic import resumable_path, temporary_path
from numpyclip.errors import CheckpointError, DownloadError
from numpyclip.regular_file import open_regular
from numpyclip.weights.catalogue import Copy
from numpyclip.weights.json_file import parse_json, read_bytes
from numpyclip.weights.local import make_folder, read_sha256, readable
from numpyclip.weights.network_settings import links_are_forbidden
from numpyclip.weights.partial_file import sha1s

_WEIGHTS = (  # of the repositories of copies, in which other programs may have chosen another file
    *("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    *("model.safetensors", "pytorch_model.bin"),
)
LISTING = 8 << 20  # bytes of a list of files; that of ten thousand has one or two million
_MANY = 10_000  # files of a snapshot; more are not looked at


def is_commit(revision: str | None) -> bool:
    """Tell whether a revision is the whole hash of a commit."""
    return revision is not None and re.fullmatch("[0-9a-f]{40}", revision) is not None


def is_sha256(etag: str) -> bool:
    """Tell whether an ETag, or the name of a blob, is a SHA-256."""
    return re.fullmatch("[0-9a-f]{64}", etag) is not None


def may_be_commit(name: object) -> bool:
    """Tell whether a name may be what a hub calls a commit: a mirror may have other hashes."""
    return isinstance(name, str) and re.fullmatch(r"[\w-]{1,64}", name, re.ASCII) is not None


def stays_inside(file: str) -> bool:
    """Tell whether a name in a repository is that of a file in its folder, on any system."""
    path = PurePosixPath(file)
    as_windows = PureWindowsPath(file)
    return (
        0 < len(file) <= 1000
        and not path.is_absolute()
        and not (as_windows.drive or as_windows.root)
        and "\\" not in file
        and file.isprintable()
        and all(part not in ("", ".", "..") for part in file.split("/"))
    )


@dataclass(frozen=True)
class CachedRepository:
    """What is cached of one repository, in the cache at `root`."""

    root: Path
    repository: str

    @property
    def _name(self) -> str:
        return "models--" + self.repository.replace("/", "--")

    @property
    def _folder(self) -> Path:
        return self.root / self._name

    def blob(self, etag: str) -> Path:
        """Return where the contents of a file are."""
        return self._folder / "blobs" / etag

    def snapshot(self, commit: str) -> Path:
        """Return where the files of a commit are."""
        return self._folder / "snapshots" / commit

    def commit_of(self, revision: str) -> str | None:
        """Return the commit of a revision, as it was last known."""
        if is_commit(revision):
            return revision
        with contextlib.suppress(OSError, ValueError), open_regular(self._folder / "refs" / revision) as file:
            commit = file.read(65).decode("ascii").strip()
            return commit if may_be_commit(commit) else None
        return None

    def note(self, revision: str, commit: str) -> None:
        """Note the commit of a revision, unless the cache cannot be written."""
        if revision == commit or self.commit_of(revision) == commit:
            return
        self._write(self._folder / "refs" / revision, commit.encode("ascii"))

    def commits(self, revision: str | None) -> list[str]:
        """List the commits that may stand for a revision, its own first; without a revision, then the newest here."""
        found = [self.commit_of(revision or "main")]
        with contextlib.suppress(OSError):
            if revision is None:
                here = [path for path in self.snapshot("").iterdir() if may_be_commit(path.name)]
                found += [path.name for path in sorted(here, key=lambda path: path.stat().st_mtime, reverse=True)]
        return [commit for commit in dict.fromkeys(found) if commit]

    def _listing(self, commit: str) -> Path:
        return self._folder / ".numpyclip" / f"{commit}.json"

    def listing(self, commit: str) -> list[str] | None:
        """Return the names of all files of a commit, if they were noted."""
        with contextlib.suppress(CheckpointError, ValueError, RecursionError):
            names = parse_json(read_bytes(self._listing(commit), LISTING, "the names of files"))
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return names
        return None

    def note_listing(self, commit: str, names: list[str]) -> None:
        """Note the names of all files of a commit, unless the cache cannot be written."""
        if self.listing(commit) != names:
            self._write(self._listing(commit), json.dumps(names, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    @staticmethod
    def _write(file: Path, data: bytes) -> None:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with temporary_path(file) as part:
                part.write_bytes(data)
                part.replace(file)

    def files(self, commit: str) -> list[str]:
        """List the files of a commit that are here."""
        folder, found = self.snapshot(commit), list[str]()
        with contextlib.suppress(OSError):  # of a folder that may not be entered
            for path, _ in zip(folder.rglob("*"), range(_MANY), strict=False):
                found += [path.relative_to(folder).as_posix()] * path.is_file()
        return found

    def has_parts(self) -> bool:
        """Tell whether a file has arrived in part."""
        return any(self.blob("").glob("*.incomplete"))

    def being_written(self, etag: str, file: str) -> AbstractContextManager[Path]:
        """Lock a blob as `huggingface_hub` does, and give the name of its part; see `resumable_path`."""
        blob, locks = self.blob(etag), self.root / ".locks" / self._name
        make_folder(blob.parent)
        make_folder(locks)
        message = f"{self.repository}/{file}: another process is downloading it; waiting for it"
        return resumable_path(blob, message, lock=locks / f"{etag}.lock", suffix=".incomplete")

    def link(self, etag: str, commit: str, file: str, is_new: bool) -> Path:
        """Give a blob its name in a snapshot; where no link can be made, a new blob moves there."""
        blob, pointer = self.blob(etag), self.snapshot(commit) / file
        make_folder(pointer.parent)
        try:
            with temporary_path(pointer) as part:
                if not _linked(part, blob):
                    (shutil.move if is_new else shutil.copyfile)(blob, part)
                part.replace(pointer)
        except OSError as error:
            raise DownloadError(
                f"{pointer}: cannot be written ({error.strerror or error}). Choose another folder with $HF_HOME."
            ) from error
        return pointer

    def find(self, copy: Copy) -> Iterator[Path]:
        """Find the weights of a model in the snapshots that are here, the pinned revision first."""
        with contextlib.suppress(OSError):
            first = filter(None, map(self.commit_of, (copy.revision, "main")))
            for commit in dict.fromkeys([*first, *sorted(path.name for path in self.snapshot("").iterdir())]):
                for file in dict.fromkeys((copy.file, *_WEIGHTS)):
                    path = self.snapshot(commit) / file
                    if path.is_file() and (file != copy.file or _is_named_as(path, copy)):
                        yield path


def is_intact(path: Path) -> bool | None:
    """Compare a file in the cache with the hash that is the name of its blob, after reading all of it; None without."""
    blob = path.resolve().name
    if is_commit(blob):  # a SHA-1, which small files have
        with readable(path), open_regular(path) as file:
            return blob in sha1s(file, os.fstat(file.fileno()).st_size)
    return read_sha256(path) == blob if is_sha256(blob) else None


def _linked(path: Path, blob: Path) -> bool:
    """Make a relative symbolic link, if that is possible and allowed."""
    if links_are_forbidden():
        return False
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except (OSError, NotImplementedError):
        return False
    return True


def _is_named_as(path: Path, copy: Copy) -> bool:
    """Tell by the name of its blob, which is its SHA-256, whether a file may be the pinned one."""
    blob = path.resolve().name
    return copy.sha256 in (None, blob) or not is_sha256(blob)
