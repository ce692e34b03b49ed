"""ANSWERS → PEOPLE: the command line. Every command is a module: its options, its help, and a few calls.

Results go to stdout, messages to stderr.
"""

import argparse
import contextlib
import warnings
from collections.abc import Callable, Sequence

from numpyclip.cli.commands import parse
from numpyclip.cli.outputs import say, say_error, set_up_streams
from numpyclip.errors import NumPyCLIPError

__all__ = ["main", "parse"]


def main(argv: Sequence[str] | None = None, run: Callable[[argparse.Namespace], int] | None = None) -> int:
    """Run one command, or a function in its place; return the exit status (see `numpyclip --help`)."""
    set_up_streams()
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.showwarning = _show_warning  # without Python's file and line
        warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning)  # NumPy's; results are checked
        try:
            arguments = parse(argv)
            if "logged" in arguments:  # of a command that has a log, also of errors
                stack.enter_context(arguments.logged(arguments))
            status: int = (run or arguments.run)(arguments)
            return status
        except (NumPyCLIPError, OSError) as error:
            say_error(error)
            return 2
        except KeyboardInterrupt:
            say("interrupted")
            return 130


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    say(message, "warning")
