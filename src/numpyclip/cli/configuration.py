"""ENVIRONMENT AND FILE → OPTIONS: each option of a command is also a variable, and a key of a TOML file.

The command line takes precedence over the environment, this over the file, and this over the default.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from numpyclip.errors import InputError
from numpyclip.extras import missing

_BOOLEANS = {"true": True, "false": False}
_FILE = "config"  # the option that names the file
_MAX_FILE = 1 << 20  # bytes


@dataclass(frozen=True)
class Setting:
    """An option as it is named in a file and in the environment.

    Attributes
    ----------
    action : argparse.Action
    key : str
        Its name without dashes in front.
    variable : str
        Its environment variable.
    """

    action: argparse.Action
    key: str
    variable: str

    @property
    def is_flag(self) -> bool:
        """Whether the option has no value."""
        return self.action.nargs == 0

    @property
    def is_list(self) -> bool:
        """Whether the option may be given several times."""
        return isinstance(self.action, argparse._AppendAction)


def add_config_option(command: argparse.ArgumentParser, prefix: str) -> None:
    """Add the option that names a file, and have `apply` read the variables with a prefix."""
    command.add_argument(
        f"--{_FILE}",
        metavar="FILE",
        help="TOML file of options, such as `max-inputs = 64` and `no-index = true`",
    )
    command.set_defaults(variable_prefix=prefix)


def settings(command: argparse.ArgumentParser) -> Iterator[Setting]:
    """List the options that may be in the environment and in a file, with the file's own."""
    prefix = command.get_default("variable_prefix")
    for action in command._actions:
        name = next((name for name in action.option_strings if name.startswith("--")), None)
        if name is not None and not isinstance(action, argparse._HelpAction):
            key = name.removeprefix("--")
            yield Setting(action, key, prefix + key.upper().replace("-", "_"))


def apply(command: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Make the environment and the file the defaults of a command; exit with a message if something in them is wrong.

    Parameters
    ----------
    command : argparse.ArgumentParser
        With the option of `add_config_option`.
    words : sequence of str
        The command line. Lists that are in it are not added to others.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    given = {name for word in words for name in (word.partition("=")[0], word[:2])}  # --name=value, -nvalue
    if given & {"-h", "--help"}:
        return
    known = {setting.key: setting for setting in settings(command)}
    try:
        values = _of_environment(command, known)
        path = _path(words) or values.get(_FILE)
        if path is not None:
            values = {**_of_file(command, known, path), **values}
    except argparse.ArgumentError as error:
        command.error(error.message)
    for key, value in values.items():
        action = known[key].action
        if not (known[key].is_list and given.intersection(action.option_strings)):
            command.set_defaults(**{action.dest: value})


def _path(words: Sequence[str]) -> str | None:
    """Find the file on the command line, before all of that is parsed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(f"--{_FILE}", nargs="?")
    path: str | None = parser.parse_known_args(list(words))[0].config
    return path


def _of_environment(command: argparse.ArgumentParser, known: Mapping[str, Setting]) -> dict[str, Any]:
    prefix = command.get_default("variable_prefix")
    variables = {setting.variable: setting for setting in known.values()}
    found = {}
    for name, text in sorted(os.environ.items()):
        if not (name.startswith(prefix) and text):  # empty: as compose files have it for what is not set
            continue
        setting = _named(name, variables, f"${name}")
        value: object = text
        if setting.is_flag:
            value = _BOOLEANS.get(text.lower(), text)
        elif setting.is_list:
            value = [each for each in re.split(r"[\s,]+", text) if each]
        found[setting.key] = _parsed(command, setting, value, f"${name}")
    return found


def _of_file(command: argparse.ArgumentParser, known: Mapping[str, Setting], path: str) -> dict[str, Any]:
    known = {key: setting for key, setting in known.items() if key != _FILE}
    found = {}
    for key, value in _toml(path).items():
        if isinstance(value, dict):
            raise argparse.ArgumentError(
                None, f"{path}: the table [{key}]; expected all options at the top, in no table"
            )
        place = f"{path}: {key}"
        found[key] = _parsed(command, _named(key, known, place), value, place)
    return found


def _named(name: str, known: Mapping[str, Setting], place: str) -> Setting:
    if name in known:
        return known[name]
    meant = [each for each in known if each.startswith(name)] or get_close_matches(name, known, 1)
    hint = f"; did you mean {meant[0]}?" if meant else "; `numpyclip serve --help` lists the options"
    raise argparse.ArgumentError(None, f"{place} is unknown{hint}")


def _parsed(command: argparse.ArgumentParser, setting: Setting, value: object, place: str) -> Any:
    """Return what an option becomes: that of a flag, of each of a list, or of its one value."""
    if setting.is_flag:
        if not isinstance(value, bool):
            raise argparse.ArgumentError(None, f"{place}: {value!r:.60} is neither true nor false")
        return setting.action.const if value else not setting.action.const
    if setting.is_list:
        return [_value(command, setting, each, place) for each in (value if isinstance(value, list) else [value])]
    return _value(command, setting, value, place)


def _value(command: argparse.ArgumentParser, setting: Setting, value: object, place: str) -> Any:
    """Parse a value as the command line does."""
    action = setting.action
    if isinstance(value, int) and not isinstance(value, bool) and action.type is not None:
        value = str(value)
    if not isinstance(value, str):
        what = "a string or an integer" if action.type is not None else "a string"
        raise argparse.ArgumentError(None, f"{place}: {value!r:.60} is of another type; expected {what}")
    if "\0" in value:
        raise argparse.ArgumentError(None, f"{place}: {value!r:.60} has a NUL; expected text without")
    try:
        parsed = command._get_value(action, value)
        command._check_value(action, parsed)
    except argparse.ArgumentError as error:
        raise argparse.ArgumentError(None, f"{place}: {error.message}") from error
    return parsed


def _toml(path: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise missing("a file of options needs tomli, on Python 3.10", "server") from error
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(data) > _MAX_FILE:
        raise InputError(f"{path}: is too large for a file of options; expected at most {_MAX_FILE >> 20} MiB.")
    try:
        values: dict[str, Any] = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no TOML ({error}); expected lines such as `max-inputs = 64`.") from error
    return values
