"""ANSWERS → PEOPLE: the command line. Every verb is a module with its options, its help and its few lines of work.

stdout is data, stderr is talk.
"""

import argparse
import errno
import io
import os
import sys
import warnings
from collections.abc import Sequence

from numpyclip.cli import (
    aesthetic,
    ask,
    caption,
    classify,
    convert,
    duplicates,
    embed,
    evaluate,
    explain,
    filter,
    index,
    learn,
    map,
    models,
    search,
    serve,
    sheet,
    tag,
)
from numpyclip.errors import InputError, NumPyCLIPError

_EPILOG = """\
examples:
  numpyclip index photos/ && numpyclip search a dog on a beach
  numpyclip serve
  numpyclip classify photo.jpg "a photo of a dog" "a photo of a cat"
  numpyclip ask photo.jpg "is there a dog?"
  numpyclip embed images photos/ -o photos.npz
  numpyclip models

exit status:
  0 done   1 failed, or nothing found   2 wrong arguments   3 done, but for pictures that could not be read
  130 interrupted   141 the reader of the output went away

environment:
  NUMPYCLIP_MODEL    the model to use where --model is not given
  NUMPYCLIP_INDEX    where the index lies that is searched
  NUMPYCLIP_TOKEN    what requests to numpyclip serve must show
  CLIP_DIR           where downloaded models lie; else ~/.cache/clip
  NUMPYCLIP_MIRROR   where to download from first
  NUMPYCLIP_OFFLINE  1: never open a connection
  HF_HOME, HF_TOKEN, HF_ENDPOINT, ...   settings of huggingface_hub, which fetches models of the hub
  NUMPYCLIP_CACHE    where prepared weights are kept (see numpyclip models --help); 0: nowhere
  OPENBLAS_NUM_THREADS   how many threads to use; else one for each core
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser of all verbs."""
    from numpyclip import __version__

    top = argparse.ArgumentParser(
        prog="numpyclip",
        description="Search, classify and describe pictures with words, by CLIP in pure NumPy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"numpyclip {__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    answers = (classify, tag, caption, ask, filter, duplicates)
    looks = (explain, sheet, map)
    for verb in (index, search, serve, *answers, embed, *looks, learn, aesthetic, evaluate, convert, models):
        verb.add_to(verbs)
    return top


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments of a command, with options anywhere between its items, and items only behind ``--``.

    argparse takes the items up to the first option and leaves those behind it over.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    top = parser()
    arguments, rest = top.parse_known_args(words[:end])
    dashed = [word for word in rest if word.startswith("-") and word != "-"]
    if dashed or (rest and not hasattr(arguments, "items")):
        hint = " (put -- before texts that begin with a dash)" if dashed else ""
        top.error(f"unrecognized arguments: {' '.join(dashed or rest)}{hint}")
    if hasattr(arguments, "items"):
        arguments.items = [*arguments.items, *rest, *words[end + 1 :]]
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status (see `numpyclip --help`)."""
    _set_up_streams()
    arguments = parse(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # the place in the code, which Python adds, says nothing to a person
        try:
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
        except OSError as error:  # of stdout; all others have become errors of ours
            # What is still buffered has no reader; without this Python complains when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
                return 141
            print(f"numpyclip: the output cannot be written ({error.strerror or error}).", file=sys.stderr)
            return 1


def _set_up_streams() -> None:
    """Let any name and text be printed: names of files may hold bytes that are no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:  # data, the same everywhere
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    print(f"numpyclip: warning: {message}", file=sys.stderr)
