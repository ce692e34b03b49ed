"""Output of commands: all that they print on stdout and stderr, and the files that they write."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.escaping import column, json_text, printable

_CLOSED_PIPE = 141  # as the shell says of a program that SIGPIPE has ended
_listener: Callable[[str, str], object] | None = None  # to what is said, in place of stderr


def set_up_streams() -> None:
    """Let all characters be printed: in UTF-8 to files and pipes on every system, and as far as a terminal has them.

    Descriptors of closed streams are occupied: a file that got one would also get what libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")


@contextlib.contextmanager
def said_through(listener: Callable[[str, str], object]) -> Iterator[None]:
    """Have messages inside the ``with`` block, each after its level (info, warning, error), go to a log."""
    global _listener
    _listener = listener
    try:
        yield
    finally:
        _listener = None


def say(message: object, level: str = "info") -> None:
    """Print a message on stderr, on one line, if anybody can read it."""
    if _listener is not None:
        _listener(level, str(message))
    elif sys.stderr is not None:
        prefix = "warning: " if level == "warning" else ""
        with contextlib.suppress(OSError):
            print(f"numpyclip: {prefix}{printable(str(message))}", file=sys.stderr, flush=True)


def say_error(error: NumPyCLIPError | OSError) -> None:
    """Print the message of an error, which may have several lines, or of a file that a command was given."""
    if isinstance(error, NumPyCLIPError):
        for line in str(error).split("\n"):  # of which only those that we made are there
            say(line, "error")
    else:
        say(f"{error.filename}: {error.strerror}." if error.filename and error.strerror else error, "error")


def counted(count: int, what: str) -> str:
    """Return a count and its noun: ``1 part``, ``2,000 parts``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def print_columns(*columns: object, end: str = "\n") -> None:
    """Print a line of a table: columns with tabs between them, quoted where their text is unsafe or ambiguous."""
    write("\t".join(column(str(each)) for each in columns) + end)


def print_json(record: Any, end: str = "\n") -> None:
    """Print a JSON object, on one line."""
    write(json_text(record) + end)


def print_path(path: str, end: str = "\n") -> None:
    """Print a path alone: to files and pipes the bytes of its name, which other programs can open.

    On a terminal, and if it holds the character that ends it, it is quoted as in a table.
    """
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:  # no name of a file here
        name = b"\n\0"
    if end.encode() in name or (sys.stdout is not None and sys.stdout.isatty()):
        write(column(path) + end)
    else:
        write(name + end.encode())


def write(output: str | bytes) -> None:
    """Write to stdout, at once.

    Raises
    ------
    NumPyCLIPError
        If that is impossible: the disk is full, say.
    SystemExit
        If whoever was to read it has gone, which is nothing to talk about.
    """
    if sys.stdout is None:  # it was closed from outside
        raise NumPyCLIPError(f"the output cannot be written ({os.strerror(errno.EBADF)}).")
    try:
        if isinstance(output, bytes):
            sys.stdout.buffer.write(output)
        else:
            sys.stdout.write(output)
        sys.stdout.flush()
    except OSError as error:
        # Python would flush what is buffered when it exits, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
            raise SystemExit(_CLOSED_PIPE) from error
        raise NumPyCLIPError(f"the output cannot be written ({error.strerror or error}).") from error


def are_several(sources: Sequence[str]) -> bool:
    """Tell whether sources may be more than one image, so that a line has to begin with the path of its own."""
    return len(sources) != 1 or sources[0] == "-" or Path(sources[0]).is_dir()


def output_path(*suffixes: str) -> Callable[[str], Path]:
    """Make what reads the name of a file to be written, which must end in one of these."""

    def read(text: str) -> Path:
        if not text.endswith(suffixes):
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(suffixes)}")
        if Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        return Path(text).resolve()  # where a link points, lest it be replaced

    return read


def check_output(output: Path | None, sources: Iterable[str | None] = ()) -> None:
    """Find out before all work is done what would keep a file from being written.

    Raises
    ------
    InputError
        If it is one of those that are read, or an image in a folder of them.
    NumPyCLIPError
        If there is no folder for it.
    """
    if output is None:
        return
    if not output.parent.is_dir():
        raise NumPyCLIPError(f"{output}: cannot be written ({os.strerror(errno.ENOENT)}).")
    for source in sources:
        if source is not None and output.exists() and _holds(source, output):
            raise InputError(f"{output}: would be overwritten, but is read; choose another name for the output.")


def _holds(source: str, output: Path) -> bool:
    from numpyclip.images.find import is_picture_name

    place = Path(source)
    try:
        if place.is_dir():
            return is_picture_name(output.name) and output.is_relative_to(place.resolve())
        return place.samefile(output)
    except (OSError, ValueError):  # no file, or no name of one
        return False
