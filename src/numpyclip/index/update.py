"""FILES → INDEX: what has changed in folders since the last time, embedded batch by batch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import PictureError
from numpyclip.index.exif import read_exif
from numpyclip.index.records import Changes, Exif, Filed, FileState, NewPicture
from numpyclip.index.store import Store
from numpyclip.index.walk import picture_files, reaches
from numpyclip.runtime.clip import CLIP
from numpyclip.runtime.prefetch import prefetch

_MOST_BYTES = 1 << 30  # of a file: one that is larger is no photograph


@dataclass
class Report:
    """What an update has done.

    Attributes
    ----------
    unchanged : int
        Files that were as they are.
    embedded : int
        Pictures that are new.
    recognised : int
        Files that were moved, renamed or copied: their pictures were known.
    forgotten : int
        Files that are gone.
    unreadable : int
        Files that are new or changed and cannot be read as pictures.
    problems : list of str
        What else was in the way, such as folders that cannot be listed.
    """

    unchanged: int = 0
    embedded: int = 0
    recognised: int = 0
    forgotten: int = 0
    unreadable: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Read:
    """A file that was read: its picture's details and crop, unless it is known or none."""

    filed: Filed
    details: Exif | None = None
    crop: NDArray[np.uint8] | None = None


class Updater:
    """Bring an index up to date.

    Parameters
    ----------
    store : Store
        While it is being written to.
    model : CLIP
    batch_size : int, default=32
        After each batch what was done is kept.
    draft : bool, default=True
        Decode large JPEG files at a reduced size (see `open_picture`).
    progress : callable, optional
        Given the paths of files to be read, a list, gives an iterator over them.
    report : callable, optional
        Called with each problem.
    """

    def __init__(
        self,
        store: Store,
        model: CLIP,
        *,
        batch_size: int = 32,
        draft: bool = True,
        progress: Callable[[list[tuple[str, FileState]]], Iterable[tuple[str, FileState]]] = iter,
        report: Callable[[str], object] = lambda problem: None,
    ) -> None:
        self.report = Report()
        self._store = store
        self._model = model
        self._batch_size = batch_size
        self._draft = draft
        self._progress = progress
        self._tell = report

    def update(self, folders: Sequence[str]) -> Report:
        """Look at all files in folders, read what is new or has changed, and forget what is gone.

        Parameters
        ----------
        folders : sequence of str
            Absolute, and known to the store.

        Raises
        ------
        StoreError
            If the disk is full, say. All batches before are kept.
        """
        changed: list[tuple[str, FileState]] = []
        gone: list[str] = []
        ignored = self._store.folders()
        for folder in folders:
            new, lost = self._compare(folder, ignored.get(folder, ()))
            changed += new
            gone += lost
        batch = Changes(forgotten=gone)
        crops: list[NDArray[np.uint8]] = []
        details: list[tuple[bytes, Exif]] = []
        for read in prefetch(self._read, self._progress(changed), self._batch_size):
            self._take(read, batch, crops, details)
            if len(crops) >= self._batch_size or len(batch.filed) >= 10 * self._batch_size:
                self._write(batch, crops, details)
                batch, crops, details = Changes(), [], []
        self._write(batch, crops, details)
        return self.report

    def _compare(self, folder: str, ignore: Sequence[str]) -> tuple[list[tuple[str, FileState]], list[str]]:
        """Find files that are new or have changed, and those that are gone."""
        changed, gone, visited, closed = [], [], set(), []
        if not Path(folder).is_dir():
            self._problem(
                f"{folder}: is not there; its pictures stay in the index. "
                f"`numpyclip index --forget {folder}` forgets them."
            )
            return [], []

        def unreadable(error: OSError) -> None:
            closed.append(os.fspath(error.filename or folder))
            self._problem(f"{error.filename}: cannot be looked at ({error.strerror or error}).")

        found = 0
        for directory, files in picture_files(folder, ignore, unreadable):
            visited.add(directory)
            known = self._store.files(directory)
            found += len(files)
            for name, state in files.items():
                if known.get(name) == state:
                    self.report.unchanged += 1
                else:
                    changed.append((os.path.join(directory, name), state))  # noqa: PTH118
            gone += [os.path.join(directory, name) for name in known if name not in files]  # noqa: PTH118
        inner = (other for other in self._store.folders() if _is_within(other, folder))
        apart = [other for other in inner if not reaches(folder, ignore, other)]
        for directory in self._store.directories(folder):
            if directory not in visited and not any(_is_within(directory, other) for other in apart):
                gone += [os.path.join(directory, name) for name in self._store.files(directory)]  # noqa: PTH118
        if gone and not found:
            self._problem(
                f"{folder}: holds no pictures now, and {len(gone)} of it are in the index, which stay there (is a disk "
                f"not mounted?). `numpyclip index --forget {folder}` forgets them."
            )
            return [], []
        return changed, [path for path in gone if not any(_is_within(path, place) for place in closed)]

    def _read(self, item: tuple[str, FileState]) -> _Read:
        path, state = item
        try:
            data = content(path, state)
            digest = hashlib.sha256(data).digest()
            if self._store.knows(digest):
                return _Read(Filed(path, state, digest))
            crop = self._model.preprocess.read(data, orient=True, draft=self._draft)
            return _Read(Filed(path, state, digest), read_exif(data), crop)
        except PictureError as error:
            problem = str(error).replace(f"a picture of {state.size} bytes", path)
            return _Read(Filed(path, state, None, problem.removeprefix(f"{path}: ")))

    def _take(
        self, read: _Read, batch: Changes, crops: list[NDArray[np.uint8]], details: list[tuple[bytes, Exif]]
    ) -> None:
        """Put a file into a batch; of copies in one batch the first is embedded."""
        batch.filed.append(read.filed)
        digest = read.filed.digest
        if digest is None:
            self.report.unreadable += 1
            self._tell(f"{read.filed.path}: {read.filed.problem}")
        elif read.crop is None or read.details is None or any(digest == other for other, _ in details):
            self.report.recognised += 1
        else:
            crops.append(read.crop)
            details.append((digest, read.details))

    def _write(self, batch: Changes, crops: list[NDArray[np.uint8]], details: list[tuple[bytes, Exif]]) -> None:
        # Copies that were read while an earlier batch was written are known by now.
        new = [i for i, (digest, _) in enumerate(details) if not self._store.knows(digest)]
        if new:
            embeddings = self._model.embed_pixels([crops[i] for i in new])
            for i, embedding in zip(new, embeddings, strict=True):
                digest, shown = details[i]
                batch.pictures[digest] = NewPicture(shown, embedding)
        self.report.recognised += len(crops) - len(new)
        if batch.filed or batch.forgotten:
            self._store.write(batch)
        self.report.embedded += len(batch.pictures)
        self.report.forgotten += len(batch.forgotten)

    def _problem(self, problem: str) -> None:
        self.report.problems.append(problem)
        self._tell(problem)


def content(path: str, state: FileState) -> bytes:
    """Read a file that may hold a picture."""
    if state.size > _MOST_BYTES:
        raise PictureError(f"{path}: has {state.size} bytes; expected at most {_MOST_BYTES} of a picture.")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(os.path.join(place, ""))  # noqa: PTH118
