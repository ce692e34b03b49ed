"""FILES → INDEX: what has changed in folders since the last time, embedded batch by batch."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.errors import InputError, NumPyCLIPError, PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.exif import Exif, read_exif
from numpyclip.images.find import IGNORED, FileState, digest_of, raw_beside, walk
from numpyclip.images.live_photo import live_photo_videos
from numpyclip.images.open import file_content
from numpyclip.images.views import CROP, read_views
from numpyclip.index.decoders import decoders
from numpyclip.index.picture_rows import storable
from numpyclip.index.picture_views import expected_parts, part_of
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.reread_exif import reread_exif
from numpyclip.index.scope import Scope, is_within, reaches
from numpyclip.index.store import Store
from numpyclip.index.video_files import animation_parts, is_indexed_name, new_video, video_decoders
from numpyclip.pipeline import Embedded, Reading, iter_embeddings
from numpyclip.runtime.finite_embeddings import NotFinite
from numpyclip.videos.container import can_read_videos, is_video_name
from numpyclip.videos.video_options import VideoOptions

_LIVE_PHOTO = "video of a Live Photo"

FoundFile: TypeAlias = tuple[str, FileState]  # an absolute path, and what is there


@dataclass
class Report:
    """What an update has done."""

    unchanged: int = 0  # files of unchanged size and modification time
    embedded: int = 0  # images that are new
    completed: int = 0  # images that were there, without all views
    recognised: int = 0  # files that were moved, renamed or copied: their images were known
    forgotten: int = 0  # files that are gone
    unreadable: int = 0  # files that were read, or read again, and are no images that can be decoded
    problems: list[str] = field(default_factory=list)  # others, such as folders that cannot be listed
    remaining: int = field(default=0, compare=False)  # files of the index that cannot be read, tried this time or not
    left_out: dict[str, int] = field(default_factory=dict, compare=False)  # files that are no images, by suffix
    waiting: list[str] = field(default_factory=list)  # new and changed files that are left to another update
    unvisited: int = 0  # folders that are, besides those in them


class Updater:
    """Brings an index up to date, within `Store.writing`; see `Index.update` for the parameters."""

    def __init__(  # noqa: PLR0913  those of `Index.update`
        self,
        store: Store,
        model: EmbeddingModel,
        batch_size: int,
        options: DecodeOptions,
        scope: Scope,
        progress: Callable[[list[FoundFile]], Iterable[FoundFile]],
        report: Callable[[str], object],
    ) -> None:
        self._store = store
        self._model = model
        self._batch_size = batch_size
        self._options = options
        self._scope = scope
        self._progress = progress
        self._tell = report
        self._report = Report()
        self._left_out: Counter[str] = Counter()
        self._tried_with = f"{decoders()} {options.max_pixels} {options.strict_files} {options.develop_raw}"
        self._views, self._animations = store.views, store.animations
        self._lacking: dict[bytes, set[str]] = {}  # parts without an embedding, by the digest of an image
        self._incomplete_files: set[str] = set()  # of these images
        self._video_options = VideoOptions.of(options)
        self._has_videos = can_read_videos()

    def update(self, folders: Sequence[str]) -> Report:
        """Look at files in folders of the store: embed new and changed ones, and forget those that are gone."""
        changed: list[FoundFile] = []
        forgotten: list[str] = []
        ignored = self._store.folders()
        for folder in folders:
            if not self._enters(folder):
                continue
            new, gone = self._compare(folder, (*IGNORED, *ignored[folder]), apart=ignored)
            for found in new:
                if self._scope.is_settled(*found):
                    changed.append(found)
                else:
                    self._report.waiting.append(found[0])
            forgotten += gone
        self._report.left_out = dict(self._left_out)
        self._embed(changed, forgotten)
        if self._views != CROP and any(map(self._scope.holds, folders)):
            self._embed(self._incomplete())
        if self._scope.only is None:
            reread_exif(self._store, self._scope)
        self._report.remaining = self._store.counts().unreadable
        return self._report

    def _embed(self, found: list[FoundFile], forgotten: Iterable[str] = ()) -> None:
        """Read and embed files while there is time, images first, and remove those that are gone."""
        batch = Changes(forgotten=[*forgotten])
        pictures = [file for file in found if not is_video_name(file[0])]
        videos = [file for file in found if is_video_name(file[0])]
        if not self._scope.videos:
            self._report.waiting += [path for path, _ in videos]
            videos.clear()
        files = self._in_time([*pictures, *videos])
        for file in iter_embeddings(
            self._model.embed_pixels,
            islice(files, len(pictures)),
            self._read,
            batch_size=self._batch_size,
            on_error="skip",
        ):
            self._take(file, batch)
            if len(batch.pictures) >= self._batch_size or len(batch.filed) >= 10 * self._batch_size:
                self._write(batch)
                batch = Changes()
        self._write(batch)
        for path, state in files:
            self._add_video(path, state)

    def _compare(self, folder: str, ignore: Sequence[str], apart: Iterable[str]) -> tuple[list[FoundFile], list[str]]:
        """Find files that are new or changed, and those that are gone, except in folders `apart` from the walk."""
        if not Path(folder).is_dir():
            self._problem(
                f"{folder}: is not there; its images stay in the index. "
                f"`numpyclip index --forget {folder}` removes them."
            )
            return [], []
        unlisted: list[str] = []

        def unreadable(error: OSError) -> None:
            unlisted.append(os.fspath(error.filename or folder))
            self._problem(f"{error.filename}: cannot be accessed ({error.strerror or error}).")

        changed, gone, visited, found = [], [], set(), 0
        for directory, files in walk(folder, ignore, unreadable, self._left_out, is_indexed_name, self._enters):
            visited.add(directory)
            found += len(files)
            known, failed = self._store.files(directory), self._store.unreadable(directory)
            pictures = list(files)
            files, known = self._scope.files(directory, files), self._scope.files(directory, known)
            for name in live_photo_videos(directory, files, pictures):
                del files[name]
                self._left_out[_LIVE_PHOTO] += 1
            new = [
                (os.path.join(directory, name), state)
                for name, state in files.items()
                if known.get(name) != storable(state) or failed.get(name, self._tried(name)) != self._tried(name)
            ]
            self._report.unchanged += len(files) - len(new)
            changed += self._readable(new)
            gone += [
                os.path.join(directory, name) for name, state in known.items() if name not in files and state.is_here
            ]
        kept = [other for other in apart if is_within(other, folder) and not reaches(folder, ignore, other)]
        for directory in self._directories(folder):
            if directory not in visited and not any(is_within(directory, other) for other in kept):
                known = self._store.files(directory)
                gone += [os.path.join(directory, name) for name, state in known.items() if state.is_here]
        if gone and not found and not self._has_more(folder, ignore):
            self._problem(
                f"{folder}: holds no images now, and {len(gone)} of it are in the index, which stay there (is a disk "
                f"not mounted?). `numpyclip index --forget {folder}` removes them."
            )
            return [], []
        return changed, [path for path in gone if not any(is_within(path, place) for place in unlisted)]

    def _incomplete(self) -> list[FoundFile]:
        """Find files of images that lack views, while there is time: of each one that has not changed."""
        found = []
        expected = expected_parts(self._model.preprocess, self._views)
        for digest, files, parts in self._store.lacking(expected, self._scope.is_over):
            for path, known in files:
                with suppress(PictureError):  # it is gone, or on a disk that is
                    state = FileState.of(path)
                    if self._scope.holds(path) and storable(state) == replace(known, digest=None):
                        found.append((path, state))
                        self._lacking[digest] = parts
                        self._incomplete_files.add(path)
                        break
        return found

    def _enters(self, folder: str) -> bool:
        """Tell whether a folder is looked at."""
        if not self._scope.reaches(folder):
            return False
        self._report.unvisited += (is_over := self._scope.is_over())
        return not is_over

    def _directories(self, folder: str) -> list[str]:
        """List folders of the index that are gone if the walk through a folder has not come to them."""
        if self._report.unvisited:
            return []
        places = [folder] if self._scope.holds(folder) else self._scope.within(folder)
        return [directory for place in places for directory in self._store.directories(place)]

    def _has_more(self, folder: str, ignore: Sequence[str]) -> bool:
        """Tell whether there are images in a folder of which a part was looked at, without any."""
        is_part = bool(self._report.unvisited) or not self._scope.holds(folder)
        return is_part and any(
            files for _, files in walk(folder, ignore, lambda error: None, Counter(), is_indexed_name)
        )

    def _in_time(self, files: list[FoundFile]) -> Iterator[FoundFile]:
        """Iterate over files until the time is over; the others are left to another update."""
        for done, file in enumerate(self._progress(files) if files else ()):
            if self._scope.is_over():
                self._report.waiting += [path for path, _ in files[done:]]
                return
            yield file

    def _read(self, file: FoundFile) -> Reading[tuple[bytes, Exif | None]]:
        """Read a file: its digest, and unless its image is known, EXIF data and pixels."""
        path, _ = file
        with file_content(path) as data:
            digest = hashlib.sha256(data).digest()
            parts = self._lacking.get(digest)
            if parts is None and self._store.knows(digest):
                return Reading(extra=(digest, None))
            preprocess = self._model.preprocess
            has_moments = self._animations and parts is None  # else it is there by its first frame, and stays so
            pixels = animation_parts(preprocess, data, self._options, path) if has_moments else {}
            pixels = pixels or read_views(preprocess, self._views, data, self._options, name=path)
            if parts is not None:
                pixels = {name: view for name, view in pixels.items() if part_of(name) in parts}
            exif = read_exif(data, path) if pixels else None
            return Reading(pixels, extra=(digest, exif), name=path)

    def _readable(self, files: list[FoundFile]) -> list[FoundFile]:
        """Leave out videos where the package is missing that reads them; those of the index stay in it."""
        if self._has_videos:
            return files
        self._left_out.update(os.path.splitext(path)[1].lower() for path, _ in files if is_video_name(path))
        return [(path, state) for path, state in files if not is_video_name(path)]

    def _tried(self, name: str) -> str:
        """Return what a file is tried with."""
        if not is_video_name(name):
            return self._tried_with
        return video_decoders(self._video_options) if self._has_videos else ""

    def _add_video(self, path: str, state: FileState) -> None:
        """Add a video, or why it has no moments, in a transaction of its own."""
        batch = Changes()
        try:
            digest = digest_of(path)
            if self._store.knows(digest):
                self._report.recognised += 1
            else:
                batch.pictures[digest] = new_video(self._model, path, self._video_options, self._batch_size)
            batch.filed.append(Filed(path, state, digest))
        except PictureError as error:
            self._refuse(path, state, error, batch)
        self._write(batch)

    def _refuse(self, path: str, state: FileState, error: PictureError | InputError | None, batch: Changes) -> None:
        """Record why a file cannot be read, and tell."""
        problem = _reason(path, error)
        with suppress(OSError):
            if state.size and (raw := raw_beside(path)) is not None:
                problem += f" {raw} beside it is left out; remove this file, and the next update adds that one."
        batch.filed.append(Filed(path, state, None, problem, None if _may_pass(error) else self._tried(path)))
        self._report.unreadable += 1
        self._tell(f"{path}: {problem}")

    def _take(self, file: Embedded[FoundFile, tuple[bytes, Exif | None]], batch: Changes) -> None:
        """Put a file into a batch; of images that are there twice the first embedding is kept."""
        path, state = file.picture
        error = file.error
        if error is not None and self._scope.quiet and not os.path.lexists(path):  # it has gone since it was found
            self._report.waiting.append(path)
            return
        if error is not None or file.extra is None:
            if path in self._incomplete_files:  # its image stays as it is
                self._problem(f"{path}: {_reason(path, error)}")
            else:
                self._refuse(path, state, error, batch)
            return
        digest, exif = file.extra
        batch.filed.append(Filed(path, state, digest))
        # A copy that was read while an earlier batch was written is known by now.
        is_there = digest not in self._lacking and self._store.knows(digest)
        if exif is None or digest in batch.pictures or is_there:
            self._report.recognised += 1
        else:
            batch.pictures[digest] = NewPicture(exif, {part_of(name): view for name, view in file.views.items()})

    def _write(self, batch: Changes) -> None:
        if batch.filed or batch.forgotten:
            self._store.write(batch)
        completed = len(batch.pictures.keys() & self._lacking.keys())
        self._report.embedded += len(batch.pictures) - completed
        self._report.completed += completed
        self._report.forgotten += len(batch.forgotten)

    def _problem(self, problem: str) -> None:
        self._report.problems.append(problem)
        self._tell(problem)


def _reason(path: str, error: BaseException | None) -> str:
    """Return what an error says, without the path before it."""
    return str(error).removeprefix(f"{NumPyCLIPError(path)}: ")


def _may_pass(error: BaseException | None) -> bool:
    """Tell whether a file may be readable another time, though nothing of it has changed."""
    cause = None if error is None else error.__cause__
    return (
        isinstance(error, NotFinite)
        or isinstance(cause, MemoryError)
        or (isinstance(cause, OSError) and cause.errno is not None)
    )
