"""What commands read: images from files, folders and standard input, and lines of text."""

from __future__ import annotations

import argparse
import contextlib
import glob
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, TypeVar

from numpyclip.cli.options import decode_options
from numpyclip.cli.outputs import say
from numpyclip.cli.stores import known_embeddings
from numpyclip.errors import InputError, PictureError
from numpyclip.file_systems import is_url
from numpyclip.images.find import find_pictures, summary
from numpyclip.images.views import CROP
from numpyclip.remote import open_stream
from numpyclip.sources.lines import decoded, lines, null_ended, printed_path
from numpyclip.sources.part import Row

if TYPE_CHECKING:
    from numpyclip.batch.work import EmbeddedImage
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.model.ops import Array
    from numpyclip.sources.part import Kind

_T = TypeVar("_T")
NamedEmbedding: TypeAlias = "tuple[str, Array]"  # a path or text, and its embedding (e,)


def texts_in(file: str) -> Iterator[str]:
    """Texts in a file, or on standard input for ``-``: one per line, in UTF-8."""
    return _decoded(file, "texts")


def texts_beside(items: Sequence[str], file: str | None, what: str) -> list[str] | None:
    """Read a file of texts that images are compared with, of which there must be some; None for no file."""
    if file is None:
        return None
    if file == "-" and "-" in items:
        raise InputError(f"images and {what} cannot both come from standard input.")
    if not (texts := list(texts_in(file))):
        raise InputError(f"{file}: holds no {what}; expected one per line.")
    return texts


def paths_in(file: str) -> Iterator[str]:
    """Paths in a file, or on standard input for ``-``: one per line, or each with a null byte at its end."""
    return map(printed_path, lines_in(file))


def lines_in(file: str) -> Iterator[str]:
    """Lines of a file, or on standard input for ``-``, in the bytes of the file system."""
    return _decoded(file, "images")


def _decoded(file: str, kind: Kind) -> Iterator[str]:
    """Lines as they come, without their ends; empty ones are left out."""
    with opened(file) as stream:
        if kind == "images" and isinstance(stream, io.BufferedReader) and b"\0" in stream.peek(1):
            yield from map(os.fsdecode, null_ended(stream, file))
            return
        for offset, line, _ in lines(stream, file):
            yield decoded(file, offset, line, kind)


@contextlib.contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Open a list, which may be a pipe, a URL, or ``-`` for standard input; InputError if it cannot be read."""
    if file == "-" and sys.stdin is None:
        raise InputError("-: standard input is closed.")
    try:
        if file == "-":
            yield sys.stdin.buffer
            return
        with open_stream(file) if is_url(file) else Path(file).open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error}).") from error


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


def exit_status(problems: int, done: int) -> int:
    """Return the exit status of a command: 3 if there were problems and something was done, 2 if nothing was."""
    return 0 if not problems else 3 if done else 2


class PicturePaths:
    """Paths of images, in files and folders; folders that cannot be searched are reported and left out.

    `without` is a folder, which need not exist yet, that is not searched.
    """

    def __init__(self, sources: Iterable[str], without: Path | None = None) -> None:
        self.report = Reporter()
        self.left_out: Counter[str] = Counter()  # files in folders that are no images, by suffix, so far
        self.count = 0  # so far
        self._sources = sources
        self._without = without

    def __iter__(self) -> Iterator[str]:
        """Iterate over paths."""
        is_empty = True  # the folder that is searched

        def unreadable(error: PictureError) -> None:
            nonlocal is_empty
            is_empty = False  # as far as one can tell
            self.report(error)

        for source in self._sources:
            is_empty = True
            found = find_pictures(source, self._ignored_in(source), on_error=unreadable)
            for path in found:
                is_empty = False
                self.count += 1
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
    """Report on stderr how many files were skipped because they are not images, and how many problems there were."""
    if left_out:
        say(summary(left_out))
    if problems > 1:
        say(f"{problems} problems, named above.")


class Embedder:
    """Embeds images for a command, and counts them; those that cannot be read are reported on stderr.

    `arguments` are those of `add_embedding_options`.
    """

    def __init__(self, model: CLIP, arguments: argparse.Namespace, report: Reporter) -> None:
        self.report = report  # also for what else keeps an image from being used
        self.embedded = 0  # how many so far
        self._model = model
        self._arguments = arguments

    def embed_images(self, rows: Iterable[Row], *, with_metadata: bool = False) -> Iterator[EmbeddedImage]:
        """Embed rows of images, or take embeddings from an index; a row and a record for each, in order."""
        from numpyclip.batch.work import embed_images
        from numpyclip.pipeline import PictureReader

        with known_embeddings(self._arguments, self._model) as known:
            preprocess, options = self._model.preprocess, decode_options(self._arguments)
            views = getattr(self._arguments, "views", None) or CROP
            read = PictureReader(preprocess, options, known, with_metadata, views)
            yield from embed_images(self._model, rows, read, self._arguments.batch_size, self.report)

    @property
    def status(self) -> int:
        """Exit status of the command: 3 if something was not embedded, 2 if nothing was."""
        return exit_status(self.report.count, self.embedded)


class EmbeddedPictures(Embedder):
    """Embeddings of images in files and folders, without those that cannot be read."""

    def __init__(self, model: CLIP, arguments: argparse.Namespace, sources: Iterable[str] | PicturePaths) -> None:
        self._paths = sources if isinstance(sources, PicturePaths) else PicturePaths(sources)
        super().__init__(model, arguments, self._paths.report)

    def __iter__(self) -> Iterator[NamedEmbedding]:
        """Iterate over pairs of a path and its embedding (e,)."""
        for path, views in self.with_views():
            yield path, next(iter(views.values()))

    def with_views(self) -> Iterator[tuple[str, Mapping[str, Array]]]:
        """Iterate over pairs of a path and the embeddings of its views, by name; "crop" if none were asked for."""
        for row, record in self.embed_images(Row(path, path, {}) for path in self._paths):
            if record.views:
                self.embedded += 1
                yield row.key, record.views
        say_left_out(self._paths.left_out, self._paths.failed)


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
