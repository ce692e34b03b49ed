"""COMMAND LINE → ARGUMENTS: the list of commands, each imported only when named, and suggestions for unknown words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from numpyclip.cli.outputs import say, write
from numpyclip.escaping import printable

COMMANDS = {  # each is a module of this folder, with EXAMPLES, add_options and run
    "index": "Index images for search, or update the index.",
    "search": "Search images by text or by image.",
    "serve": "Serve embeddings, search and a web page over HTTP.",
    "mark": "Set favorites, ratings, tags and albums of images.",
    "mcp": "Let an assistant search the index (Model Context Protocol).",
    "stdio": "Answer requests of another program, as lines of JSON.",
    "classify": "Classify images by labels in words.",
    "tag": "Tag images with words.",
    "caption": "Caption images.",
    "ask": "Answer a question about an image.",
    "filter": "Keep or drop images by what they show.",
    "duplicates": "Find duplicate and near-duplicate images.",
    "embed": "Embed images or texts.",
    "explain": "Draw a heat map of where a text is found in an image.",
    "sheet": "Draw images with captions on contact sheets.",
    "map": "Draw a map on which similar images are close together.",
    "learn": "Train a classifier on a few example images per class.",
    "aesthetic": "Score images with LAION's aesthetic predictors.",
    "evaluate": "Measure accuracy and recall of a model on a dataset.",
    "convert": "Convert a model for another library, or to int8.",
    "export": "Write a model as ONNX graphs, for an engine or another program.",
    "models": "List models, download them, verify them.",
    "engines": "Compare the engines of this machine: speed and precision.",
    "completion": "Print a completion script for the shell.",
}
RENAMED = {  # options of commands until version 0.1, which are accepted for one version more
    "index": {"--exact": "--full-decode"},
    "search": {"--min": "--threshold"},
    "serve": {"--name": "--model-name", "--allow-name": "--allow-host"},
    "classify": {"--min": "--threshold"},
    "tag": {"--vocabulary": "--labels"},
    "caption": {"--captions": "--labels"},
    "ask": {"--answers": "--labels"},
    "filter": {"--min": "--threshold", "--min-cosine": "--cosine-threshold"},
    "embed": {"--exact": "--full-decode"},
    "learn": {"--labels": "--classes"},
    "map": {"--most": "--limit"},
}
CONFIGURED = ("serve",)  # have options in the environment and in a file, too

_EPILOG = """\
examples:
  numpyclip index photos/ && numpyclip search a dog on a beach
  numpyclip serve
  numpyclip classify photo.jpg "a photo of a dog" "a photo of a cat"
  numpyclip ask photo.jpg "is there a dog?"
  numpyclip embed images photos/ -o photos.npz
  numpyclip models

output:
  UTF-8, in columns with tabs between them. A name or text with control characters, or bytes that are not UTF-8, is in
  double quotes, with \\n, \\t, \\x.. (a byte) and \\u.... within. --json has such bytes as path_bytes, in Base64.
  Lists of paths (search --paths, filter) are raw in a pipe or file: -0 ends each with a null byte, for xargs -0.

exit status:
  0 done, or found   1 nothing found, or a check failed   2 an error   3 done, except for unreadable files
  130 interrupted   141 output pipe closed (SIGPIPE)

environment:
  NUMPYCLIP_MODEL    the model to use where --model is not given and no index has one
  NUMPYCLIP_ENGINE   the engine to use where --engine, --precision and --device are not given and no index has one
  NUMPYCLIP_INDEX    where the index is; else in ~/.local/share
  NUMPYCLIP_TOKEN    a token that requests to numpyclip serve must send
  NUMPYCLIP_SERVE_PORT, ...   options of numpyclip serve, each by its name in capitals
  CLIP_DIR           where downloaded models are; else ~/.cache/clip
  NUMPYCLIP_MIRROR   where to download from first
  NUMPYCLIP_OFFLINE  1: never open a connection
  HF_HOME, HF_TOKEN, HF_ENDPOINT, ...   cache, token and URL of the Hugging Face hub, as in huggingface_hub
  NUMPYCLIP_CACHE    where prepared weights are cached (see numpyclip models --help); 0: nowhere
  OPENBLAS_NUM_THREADS   how many threads to use; else one for each core
"""


class Parser(argparse.ArgumentParser):
    """A parser that suggests what was probably meant by an unknown word."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            hint = _suggestion(get_close_matches(str(value), names, 1)) or f"; expected one of {', '.join(names)}"
            raise argparse.ArgumentError(action, f"{value!r} is unknown{hint}")

    def format_usage(self) -> str:
        """Write what must follow the command, and [OPTION ...]: all options would hide an error below them."""
        self._shorten_usage()
        return super().format_usage()

    def format_help(self) -> str:
        """Write the help, which lists all options below the usage."""
        self._shorten_usage()
        return super().format_help()

    def _shorten_usage(self) -> None:
        if self.usage is None:
            options = (action for action in self._actions if action.option_strings and action.required)
            items = (action for action in self._actions if not action.option_strings)
            format_args = self._get_formatter()._format_args
            words = [f"{option.option_strings[0]} {option.metavar}" for option in options]
            words += [format_args(item, item.dest) for item in items]
            self.usage = " ".join([self.prog, "[OPTION ...]", *words])

    def error(self, message: str) -> NoReturn:
        """Exit with the usage and a message, in which names of files may be quoted."""
        super().error(printable(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:  # a help text, or the version
            write(message)
        else:
            super()._print_message(message, file)


def add_command(commands: Any, name: str, summary: str, examples: str) -> Parser:
    """Add a command whose help ends in examples to paste."""
    command: Parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an option that is added later must not change the meaning of a script
    )
    command.set_defaults(command=command)
    return command


def parser(command_name: str) -> Parser:
    """Build the parser of all commands, with the options of one of them only."""
    from numpyclip import __version__

    top = Parser(
        prog="numpyclip",
        description="Search, classify and describe images with words, by CLIP in pure NumPy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.set_defaults(command=top)
    top.add_argument("--version", action="version", version=f"numpyclip {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        if name == command_name:
            module = import_module(f"numpyclip.cli.{name}")
            command = add_command(commands, name, summary, module.EXAMPLES)
            command.set_defaults(run=module.run)
            module.add_options(command)
        else:
            commands.add_parser(name, help=summary)
    return top


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments of a command, with options anywhere between its items, and only items after ``--``.

    argparse takes the items up to the first option and leaves those after it over.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    name = next((word for word in words[:end] if not word.startswith("-")), "")
    top = parser(name)
    known = _options(top, words[:end])
    new_names = {old: new for old, new in RENAMED.get(name, {}).items() if new in known}
    given = list(_renamed(words[:end], new_names))
    if name in CONFIGURED:
        from numpyclip.cli.configuration import apply

        apply(_command(top, name), given)
    arguments, rest = top.parse_known_args(given)
    arguments.words = words
    for word in rest:
        if word.startswith("-") and word != "-":
            _refuse_option(arguments.command, word.partition("=")[0])
    if not name:
        arguments.command.error(f"a command is missing; expected one of {', '.join(COMMANDS)}")
    rest += words[end + 1 :]
    if "items" in arguments:
        arguments.items = [*arguments.items, *rest]
    elif rest:
        arguments.command.error(f"unexpected arguments: {' '.join(rest)}")
    if "nothing" in arguments and not arguments.items:
        arguments.command.error(arguments.nothing)
    return arguments


def _command(top: Parser, name: str) -> argparse.ArgumentParser:
    (commands,) = (action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))
    found: argparse.ArgumentParser = commands[name]
    return found


def _options(command: argparse.ArgumentParser, words: Iterable[str]) -> set[str]:
    """Return the options of a command, and of the command in it that is named."""
    within = (action.choices for action in command._actions if isinstance(action, argparse._SubParsersAction))
    named = [choices[word] for choices in within for word in words if word in choices]
    return set(command._option_string_actions).union(*(_options(each, words) for each in named[:1]))


def _renamed(words: Iterable[str], new_names: Mapping[str, str]) -> Iterator[str]:
    """Replace old names of options, with a warning."""
    for word in words:
        old, equals, value = word.partition("=")
        new = new_names.get(old, old)
        if new != old:
            say(f"warning: {old} is now {new}; the next version will not know it.")
        yield f"{new}{equals}{value}"


def _refuse_option(command: Parser, option: str) -> None:
    """Exit with the usage of a command, and the option that was probably meant."""
    known = _options(command, [])
    renamed = {new for names in RENAMED.values() for old, new in names.items() if old == option}
    meant = list(known & renamed) or get_close_matches(option, known, 1)
    command.error(f"unknown option {option}{_suggestion(meant) or ' (put -- before texts that begin with a dash)'}")


def _suggestion(names: Iterable[str]) -> str:
    return "".join(f"; did you mean {name}?" for name in names)
