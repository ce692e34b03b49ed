"""FILES → INDEX: what has changed in folders since the last time, embedded batch by batch."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.find import IGNORED, FileState, reaches, walk
from numpyclip.images.open import file_content
from numpyclip.index.exif import read_exif
from numpyclip.index.records import Changes, Exif, Filed, NewPicture
from numpyclip.index.store import Store
from numpyclip.pipeline import Embedded, Reading, iter_embeddings


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
    left_out : dict of str to int
        Files that are no pictures, by suffix.
    """

    unchanged: int = 0
    embedded: int = 0
    recognised: int = 0
    forgotten: int = 0
    unreadable: int = 0
    problems: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict, compare=False)


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
        self._left_out: Counter[str] = Counter()
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
        self.report.left_out = dict(self._left_out)
        batch = Changes(forgotten=gone)
        files = iter_embeddings(
            self._model.embed_pixels,
            self._progress(changed),
            partial(_read, self._store, self._model, self._draft),
            batch_size=self._batch_size,
            on_error="skip",
        )
        for file in files:
            self._take(file, batch)
            if len(batch.pictures) >= self._batch_size or len(batch.filed) >= 10 * self._batch_size:
                self._write(batch)
                batch = Changes()
        self._write(batch)
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
        for directory, files in walk(folder, (*IGNORED, *ignore), unreadable, self._left_out):
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
        apart = [other for other in inner if not reaches(folder, (*IGNORED, *ignore), other)]
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

    def _take(self, file: Embedded[tuple[str, FileState], tuple[bytes, Exif | None]], batch: Changes) -> None:
        """Put a file into a batch; of pictures that are there twice the first embedding is kept."""
        path, state = file.picture
        if file.error is not None or file.extra is None:
            problem = str(file.error).removeprefix(f"{path}: ")
            batch.filed.append(Filed(path, state, None, problem))
            self.report.unreadable += 1
            self._tell(f"{path}: {problem}")
            return
        digest, exif = file.extra
        batch.filed.append(Filed(path, state, digest))
        # A copy that was read while an earlier batch was written is known by now.
        if exif is None or digest in batch.pictures or self._store.knows(digest):
            self.report.recognised += 1
        else:
            batch.pictures[digest] = NewPicture(exif, file.embedding)

    def _write(self, batch: Changes) -> None:
        if batch.filed or batch.forgotten:
            self._store.write(batch)
        self.report.embedded += len(batch.pictures)
        self.report.forgotten += len(batch.forgotten)

    def _problem(self, problem: str) -> None:
        self.report.problems.append(problem)
        self._tell(problem)


def _read(store: Store, model: CLIP, draft: bool, item: tuple[str, FileState]) -> Reading[tuple[bytes, Exif | None]]:
    """Read a file: its digest, and unless its picture is known, exif and pixels."""
    path, _ = item
    data = file_content(path)
    digest = hashlib.sha256(data).digest()
    if store.knows(digest):
        return Reading(extra=(digest, None))
    pixels = model.preprocess.read(data, orient=True, draft=draft, name=path)
    return Reading(pixels, extra=(digest, read_exif(data)))


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(os.path.join(place, ""))  # noqa: PTH118
