"""WORDS → ARGUMENTS: the commands, of which only the named one is imported, and what is said of unknown words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module

COMMANDS = {  # each is a module of this folder, which adds its options and does the work
    "index": "Make pictures searchable, and keep them so.",
    "search": "Find pictures by words and by pictures.",
    "serve": "Serve embeddings, search and a web page over HTTP.",
    "classify": "Say which label fits a picture best.",
    "tag": "Find words that are true of pictures.",
    "caption": "Say in a sentence what pictures show.",
    "ask": "Answer a question about a picture.",
    "filter": "Keep the pictures that words describe.",
    "duplicates": "Find pictures that are there more than once.",
    "embed": "Turn pictures or texts into vectors of unit length.",
    "explain": "Show which parts of a picture matter for a text.",
    "sheet": "Draw pictures with captions on contact sheets.",
    "map": "Draw a map of pictures: those that are alike lie close together.",
    "learn": "Learn to tell classes apart from a few examples of each.",
    "aesthetic": "Score how pleasing pictures are to people on average.",
    "evaluate": "Measure how often a model is right about a dataset.",
    "convert": "Save a model for another library, or smaller.",
    "models": "List models, download them, verify them.",
}
RENAMED = {  # options, until the next version: see `numpyclip.cli.options.add_renamed_option`
    "--min": "--threshold",
    "--min-cosine": "--cosine-threshold",
    "--vocabulary": "--labels",
    "--captions": "--labels",
    "--answers": "--labels",
    "--most": "--limit",
    "--exact": "--full-decode",
    "--name": "--model-name",
    "--allow-name": "--allow-host",
}

_EPILOG = """\
examples:
  numpyclip index photos/ && numpyclip search a dog on a beach
  numpyclip serve
  numpyclip classify photo.jpg "a photo of a dog" "a photo of a cat"
  numpyclip ask photo.jpg "is there a dog?"
  numpyclip embed images photos/ -o photos.npz
  numpyclip models

exit status:
  0 done   1 failed, or nothing found   2 wrong arguments   3 done, except for unreadable images
  130 interrupted   141 output pipe closed (SIGPIPE)

environment:
  NUMPYCLIP_MODEL    the model to use where --model is not given
  NUMPYCLIP_INDEX    where the index is that is searched
  NUMPYCLIP_TOKEN    what requests to numpyclip serve must show
  CLIP_DIR           where downloaded models are; else ~/.cache/clip
  NUMPYCLIP_MIRROR   where to download from first
  NUMPYCLIP_OFFLINE  1: never open a connection
  HF_HOME, HF_TOKEN, HF_ENDPOINT, ...   settings of huggingface_hub, which fetches models of the hub
  NUMPYCLIP_CACHE    where prepared weights are cached (see numpyclip models --help); 0: nowhere
  OPENBLAS_NUM_THREADS   how many threads to use; else one for each core
"""


def parser(command: str | None) -> argparse.ArgumentParser:
    """Build the parser of all commands, with the options of one of them only."""
    from numpyclip import __version__

    top = argparse.ArgumentParser(
        prog="numpyclip",
        description="Search, classify and describe pictures with words, by CLIP in pure NumPy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"numpyclip {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if name == command:
            import_module(f"numpyclip.cli.{name}").add_to(commands)
        else:
            commands.add_parser(name, help=summary)
    return top


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments of a command, with options anywhere between its items, and items only behind ``--``.

    argparse takes the items up to the first option and leaves those behind it over.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    command = next((word for word in words[:end] if not word.startswith("-")), None)
    top = parser(command)
    if command is not None and command not in COMMANDS:
        top.error(f"unknown command {command!r}{_suggestion(get_close_matches(command, COMMANDS, 1))}")
    arguments, rest = top.parse_known_args(words[:end])
    dashed = [word for word in rest if word.startswith("-") and word != "-"]
    if dashed:
        _refuse_option(arguments.verb, dashed[0].partition("=")[0])
    if hasattr(arguments, "items"):
        arguments.items = [*arguments.items, *rest, *words[end + 1 :]]
    elif rest := [*rest, *words[end + 1 :]]:
        arguments.verb.error(f"unexpected arguments: {' '.join(rest)}")
    hidden = _options(arguments.verb, hidden=True)
    for old in hidden & {word.partition("=")[0] for word in words[:end]}:
        print(f"numpyclip: warning: {old} is now {RENAMED[old]}; the next version will not know it.", file=sys.stderr)
    return arguments


def _refuse_option(verb: argparse.ArgumentParser, option: str) -> None:
    """Exit with the usage of a command, and the option that was probably meant."""
    known = _options(verb)
    meant = [RENAMED[option]] if RENAMED.get(option) in known else get_close_matches(option, known, 1)
    hint = _suggestion(meant) if meant else " (put -- before texts that begin with a dash)"
    verb.error(f"unknown option {option}{hint}")


def _options(verb: argparse.ArgumentParser, *, hidden: bool = False) -> set[str]:
    """List the options that the help of a command shows, or does not show."""
    actions = (action for action in verb._actions if (action.help == argparse.SUPPRESS) is hidden)
    return {name for action in actions for name in action.option_strings}


def _suggestion(names: Iterable[str]) -> str:
    return "".join(f"; did you mean {name}?" for name in names)
