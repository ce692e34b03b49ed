"""ANSWERS → PEOPLE: the command line. Every command is a module: its options, its help, and a few calls.

Results go to stdout, messages to stderr.
"""

import errno
import io
import os
import sys
import warnings
from collections.abc import Sequence

from numpyclip.cli.commands import parse
from numpyclip.errors import InputError, NumPyCLIPError

__all__ = ["main", "parse"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status (see `numpyclip --help`)."""
    _set_up_streams()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # without Python's file and line
        try:
            arguments = parse(argv)
            status: int = arguments.run(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()
            return status
        except NumPyCLIPError as error:
            print(f"numpyclip: {error}", file=sys.stderr)
            return 2 if isinstance(error, InputError) else 1
        except KeyboardInterrupt:
            print("numpyclip: interrupted", file=sys.stderr)
            return 130
        except OSError as error:  # of stdout: all others are NumPyCLIPErrors by now
            # Python would flush what is buffered when it exits, and fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
                return 141
            print(f"numpyclip: the output cannot be written ({error.strerror or error}).", file=sys.stderr)
            return 1


def _set_up_streams() -> None:
    """Let all strings be printed: file names may hold bytes that are not UTF-8."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:  # the same bytes on every system
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    print(f"numpyclip: warning: {message}", file=sys.stderr)
