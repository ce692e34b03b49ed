"""What commands read: pictures from files, folders and standard input, and lines of text."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, TypeVar

from numpyclip.cli.options import decode_options
from numpyclip.cli.outputs import say
from numpyclip.cli.stores import known_embeddings
from numpyclip.errors import InputError, PictureError
from numpyclip.escaping import column_text
from numpyclip.images.find import find_pictures, summary

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.model.ops import Array

_T = TypeVar("_T")
_MOST_BYTES = 2**26  # of a line
NamedEmbedding: TypeAlias = "tuple[str, Array]"  # a path or text, and its embedding (e,)


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
        raise InputError(f"images and {what} cannot both come from standard input.")
    if not (texts := list(texts_in(file))):
        raise InputError(f"{file}: holds no {what}; expected one a line.")
    return texts


def paths_in(file: str) -> Iterator[str]:
    """Paths in a file, or on standard input for ``-``: one a line, in the bytes of the file system."""
    return map(printed_path, lines_in(file))


def lines_in(file: str) -> Iterator[str]:
    """Lines of a file, or on standard input for ``-``, in the bytes of the file system."""
    return map(os.fsdecode, _lines(file))


def printed_path(text: str) -> str:
    """Return the path that other programs, or commands in their tables, have printed as this text."""
    return column_text(text) if text.startswith('"') and not os.path.lexists(text) else text


def _lines(file: str) -> Iterator[bytes]:
    """Lines as they come, without their ends; empty ones are left out."""
    try:
        with _opened(file) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_MOST_BYTES), b"")):
                if len(line) == _MOST_BYTES:
                    raise InputError(f"{file}: line {number + 1} has {_MOST_BYTES >> 20} MiB or more; expected a text.")
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


class Reporter:
    """Reports problems on stderr, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, problem: Exception | str) -> None:
        """Report a problem."""
        self.count += 1
        say(problem)


class PicturePaths:
    """Paths of pictures, in files and folders; folders that cannot be searched are reported and left out.

    `without` is a folder, which need not exist yet, that is not searched.
    """

    def __init__(self, sources: Iterable[str], without: Path | None = None) -> None:
        self.report = Reporter()
        self.left_out: Counter[str] = Counter()  # files in folders that are no pictures, by suffix, so far
        self._sources = sources
        self._without = without

    def __iter__(self) -> Iterator[str]:
        """Iterate over paths."""
        for source in self._sources:
            yield from self.of(source)

    def of(self, source: str) -> Iterator[str]:
        """Iterate over the paths in one folder, or of one file."""
        is_empty = True

        def unreadable(error: PictureError) -> None:
            nonlocal is_empty
            is_empty = False  # as far as one can tell
            self.report(error)

        found = find_pictures(source, self._ignored_in(source), on_error=unreadable)
        for path in found:
            is_empty = False
            yield path
        if is_empty:
            self.report(f"{source}: found no images in this folder; expected files such as .jpg or .png.")
        self.left_out += found.left_out

    def _ignored_in(self, source: str) -> tuple[str, ...]:
        with contextlib.suppress(ValueError):  # the folder to be left out is elsewhere
            if self._without is not None:
                place = self._without.resolve().relative_to(Path(source).resolve())
                return (f"/{glob.escape(place.as_posix())}",)
        return ()

    @property
    def failed(self) -> int:
        """How many problems were reported so far."""
        return self.report.count


def say_left_out(left_out: Mapping[str, int], problems: int = 0) -> None:
    """Report on stderr how many files were left out because they are no pictures, and how many problems there were."""
    if left_out:
        say(summary(left_out))
    if problems > 1:
        say(f"{problems} problems, named above.")


class EmbeddedPictures:
    """Embeddings of pictures in files and folders; those that cannot be read are reported on stderr and left out.

    `arguments` are those of `add_embedding_options`.
    """

    def __init__(self, model: CLIP, arguments: argparse.Namespace, sources: Iterable[str] | PicturePaths) -> None:
        self.embedded = 0  # pictures so far
        self._model = model
        self._arguments = arguments
        self._paths = sources if isinstance(sources, PicturePaths) else PicturePaths(sources)
        self.report = self._paths.report  # for what else keeps an image from being used

    def __iter__(self) -> Iterator[NamedEmbedding]:
        """Iterate over pairs of a path and its embedding (e,)."""
        from numpyclip.pipeline import PictureReader, iter_embeddings

        with known_embeddings(self._arguments, self._model) as known:
            records = iter_embeddings(
                self._model.embed_pixels,
                self._paths,
                PictureReader(self._model.preprocess, decode_options(self._arguments), known),
                batch_size=self._arguments.batch_size,
                on_error=self._paths.report,
            )
            for record in records:
                if record.error is None:
                    self.embedded += 1
                    yield record.picture, record.embedding
        say_left_out(self._paths.left_out, self.failed)

    @property
    def failed(self) -> int:
        """How many files and folders were left out so far."""
        return self._paths.failed

    @property
    def status(self) -> int:
        """Exit status of a command that embedded them: 3 if some were left out, 1 if all were."""
        return 0 if not self.failed else 3 if self.embedded else 1


def progress(items: Iterable[_T], unit: str, *, printing: bool) -> Iterable[_T]:
    """Count items on stderr while they come; quiet where results are printed to the same terminal."""
    if not is_terminal(sys.stderr) or (printing and is_terminal(sys.stdout)):
        return items
    from tqdm import tqdm

    bar: Iterable[_T] = tqdm(items, unit=f" {unit}", dynamic_ncols=True)
    return bar


def is_terminal(stream: IO[str] | None) -> bool:
    """Tell whether somebody watches a stream."""
    return stream is not None and stream.isatty()  # a stream that was closed from outside is None
