"""What commands read: pictures from files, folders and standard input, and lines of text."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError
from numpyclip.pictures import PICTURE_SUFFIXES
from numpyclip.runtime.chunks import batched
from numpyclip.runtime.prefetch import prefetch

if TYPE_CHECKING:
    from numpyclip.model.ops import Array
    from numpyclip.runtime.clip import CLIP

_T = TypeVar("_T")
Embedded: TypeAlias = "tuple[str, Array]"  # a path or text, and its embedding (e,)


def texts_in(file: str) -> Iterator[str]:
    """Texts in a file, or on standard input for ``-``: one a line, in UTF-8."""
    for number, line in enumerate(_lines(file), start=1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: text {number} is not UTF-8 ({error.reason}). Save the file as UTF-8.") from error


def texts_beside(items: Sequence[str], file: str | None, what: str) -> list[str] | None:
    """Read a file of texts that pictures are compared with, of which there must be some; None for no file."""
    if file is None:
        return None
    if file == "-" and "-" in items:
        raise InputError(f"pictures and {what} cannot both come from standard input.")
    if not (texts := list(texts_in(file))):
        raise InputError(f"{file}: holds no {what}; expected one a line.")
    return texts


def paths_in(file: str) -> Iterator[str]:
    """Paths in a file, or on standard input for ``-``: one a line, in the bytes of the file system."""
    return map(os.fsdecode, _lines(file))


def _lines(file: str) -> Iterator[bytes]:
    """Lines as they come, without their ends; empty ones are left out."""
    try:
        with _opened(file) as stream:
            for number, line in enumerate(stream):
                content = (line.removeprefix(codecs.BOM_UTF8) if number == 0 else line).rstrip(b"\r\n")
                if content.strip():
                    yield content
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error}).") from error


def _opened(file: str) -> AbstractContextManager[IO[bytes]]:
    if file != "-":
        return Path(file).open("rb")
    if sys.stdin is None:
        raise InputError("-: standard input is closed.")
    return nullcontext(sys.stdin.buffer)


def with_stdin(items: Iterable[str], read: Callable[[str], Iterator[str]]) -> Iterator[str]:
    """Items of the command line, with what is read from standard input in the place of ``-``."""
    for item in items:
        yield from read("-") if item == "-" else [item]


class PicturePaths:
    """Paths of pictures, in files and folders; folders that cannot be searched are reported on stderr and left out.

    Parameters
    ----------
    sources : iterable of str
        Files as they are, and folders to be searched.
    without : Path, optional
        A folder, which need not exist yet: folders are searched without it.

    Attributes
    ----------
    failed : int
        How many problems were reported so far.
    """

    def __init__(self, sources: Iterable[str], without: Path | None = None) -> None:
        self.failed = 0
        self._sources = sources
        self._without = None if without is None else without.resolve()

    def __iter__(self) -> Iterator[str]:
        """Iterate over paths."""
        for source in self._sources:
            if Path(source).is_dir():
                yield from self._pictures_below(source)
            else:
                yield source

    def _pictures_below(self, folder: str) -> Iterator[str]:
        """Pictures in a folder and those within it, by suffix, in a stable order; hidden ones are left out."""
        found = False
        for parent, folders, files in os.walk(folder, onerror=self.report):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if self._without is not None:
                folders[:] = [name for name in folders if Path(parent, name).resolve() != self._without]
            for name in sorted(files):
                if Path(name).suffix.lower() in PICTURE_SUFFIXES and not name.startswith("."):
                    found = True
                    yield os.path.join(parent, name)  # noqa: PTH118  as the user began it: `./a` stays `./a`
        if not found:
            self.report(f"{folder}: found no pictures in this folder; expected files such as .jpg or .png.")

    def report(self, problem: Exception | str) -> None:
        """Say on stderr what went wrong, and count it."""
        self.failed += 1
        if isinstance(problem, OSError):
            problem = f"{problem.filename}: cannot be read ({problem.strerror or problem})."
        print(f"numpyclip: {problem}", file=sys.stderr)


class EmbeddedPictures:
    """Embeddings of pictures, batch by batch; those that cannot be read are reported on stderr and left out.

    Parameters
    ----------
    model : CLIP
    sources : iterable of str, or PicturePaths
        Files as they are, and folders to be searched.
    batch_size : int
    orient : bool
        Whether EXIF data turns pictures.
    draft : bool, default=False
        Whether large JPEG files are decoded at a reduced size.

    Attributes
    ----------
    embedded : int
        How many were embedded so far.
    """

    def __init__(
        self,
        model: CLIP,
        sources: Iterable[str] | PicturePaths,
        batch_size: int,
        orient: bool,
        draft: bool = False,
    ) -> None:
        self.embedded = 0
        self._model = model
        self._paths = sources if isinstance(sources, PicturePaths) else PicturePaths(sources)
        self._batch_size = batch_size
        self._orient = orient
        self._draft = draft

    def __iter__(self) -> Iterator[Embedded]:
        """Iterate over pairs of a path and its embedding (e,)."""
        for batch in batched(self._readable(), self._batch_size):
            paths, pixels = zip(*batch, strict=True)
            self.embedded += len(paths)
            yield from zip(paths, self._model.embed_pixels(pixels), strict=True)

    @property
    def failed(self) -> int:
        """How many files and folders were left out so far."""
        return self._paths.failed

    @property
    def status(self) -> int:
        """Exit status of a command that embedded them: 3 if some were left out, 1 if all were."""
        return 0 if not self.failed else 3 if self.embedded else 1

    def _readable(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        for path, pixels in prefetch(self._cropped, self._paths, self._batch_size - 1):
            if isinstance(pixels, PictureError):
                self._paths.report(pixels)
            else:
                yield path, pixels

    def _cropped(self, path: str) -> tuple[str, NDArray[np.uint8] | PictureError]:
        try:
            return path, self._model.preprocess.read(path, orient=self._orient, draft=self._draft)
        except PictureError as error:
            return path, error


def progress(items: Iterable[_T], unit: str, *, printing: bool) -> Iterable[_T]:
    """Count items on stderr while they come; quiet where results are printed to the same terminal."""
    if not _is_terminal(sys.stderr) or (printing and _is_terminal(sys.stdout)):
        return items
    from tqdm import tqdm

    bar: Iterable[_T] = tqdm(items, unit=f" {unit}", dynamic_ncols=True)
    return bar


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()  # a stream that was closed from outside is None
