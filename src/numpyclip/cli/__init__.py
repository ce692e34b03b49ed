"""ANSWERS → PEOPLE: the command line. Every verb is a module with its options, its help and its few lines of work.

stdout is data, stderr is talk.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from numpyclip.cli import classify, embed, models
from numpyclip.errors import InputError, NumPyCLIPError

_EPILOG = """\
examples:
  numpyclip classify photo.jpg "a photo of a dog" "a photo of a cat"
  numpyclip embed images photos/ -o photos.npz
  numpyclip models

exit status:
  0 done   1 failed   2 wrong arguments   3 done, but some pictures could not be read
  130 interrupted   141 the reader of the output went away

environment:
  NUMPYCLIP_MODEL    the model to use where --model is not given
  CLIP_DIR           where downloaded models lie; else ~/.cache/clip
  NUMPYCLIP_MIRROR   where to download from first
  NUMPYCLIP_OFFLINE  1: never open a connection
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of all verbs."""
    from numpyclip import __version__

    top = argparse.ArgumentParser(
        prog="numpyclip",
        description="Embed, classify and search pictures with words, by CLIP in pure NumPy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"numpyclip {__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in (classify, embed, models):
        verb.add_to(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status (see `numpyclip --help`)."""
    for stream in (sys.stdout, sys.stderr):  # names of files may hold bytes that are no text
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")
    arguments = parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # the place in the code, which Python adds, says nothing to a person
        try:
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        except NumPyCLIPError as error:
            print(f"numpyclip: {error}", file=sys.stderr)
            status = 2 if isinstance(error, InputError) else 1
        except KeyboardInterrupt:
            print("numpyclip: interrupted", file=sys.stderr)
            status = 130
        except BrokenPipeError:
            # What is still buffered has no reader; without this Python complains when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 141
    return status


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    print(f"numpyclip: warning: {message}", file=sys.stderr)
