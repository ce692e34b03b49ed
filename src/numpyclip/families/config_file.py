"""The config file of a model, read option by option, so that none is overlooked."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError, quoted
from numpyclip.images.preprocess import size_of
from numpyclip.weights.json_file import read_json_object

_T = TypeVar("_T")
MAX_LAYERS = 1000  # the deepest published model has 64; the names of many more would fill the memory
_MAX_BYTES = 2**20  # the largest published one has some kilobytes
_MAX_LETTERS = 200  # of an option's name in a message
MAX_SIZE = 2**24  # of any count; products of a few of them are still numbers
MAX_SIDE = 2048  # pixels, of images whose size no tensor shows: four times the largest published
MAX_PATCHES = 4096  # of images, where no tensor shows it: four times as many as published models were trained with
MAX_TOKENS = 2**14  # of texts, where no tensor shows it: twice as many as published models have
_MIN_DEVIATION = 1e-6  # pixels divided by less would leave float32


class Section:
    """A JSON object in a config file. An option that is never read is an error: it might change the result.

    An option that is null counts as missing.
    """

    def __init__(self, path: Path, name: str, options: object) -> None:
        if not isinstance(options, dict):
            raise CheckpointError(f"{path}: {name or 'the whole'} is {options!r:.60}; expected a JSON object.")
        self.path, self.name = path, name
        self.json: Mapping[str, Any] = options
        self._options = {option: value for option, value in options.items() if value is not None}
        self._read: set[str] = set()

    def __contains__(self, option: str) -> bool:
        return option in self._options

    def is_null(self, option: str) -> bool:
        """Tell whether an option is present, and null."""
        return option in self.json and option not in self

    def is_list(self, option: str) -> bool:
        """Tell whether an option is a list."""
        return isinstance(self._options.get(option), list)

    def is_section(self, option: str) -> bool:
        """Tell whether an option is a JSON object."""
        return isinstance(self._options.get(option), dict)

    def get(self, option: str, kind: type[_T], default: _T | None = None) -> _T:
        """Return the value of an option, of exactly this type, but for integers that are read as floats.

        NaN and infinity, which Python reads from JSON, are refused. Without a default the option is required.
        """
        self._read.add(option)
        if option not in self._options:
            if default is None:
                raise CheckpointError(f"{self.path}: {self.full_name(option)} is missing; expected {kind.__name__}.")
            return default
        value = self._options[option]
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not kind:  # isinstance would take true for 1
            raise self.unsupported(option, f"expected {kind.__name__}")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.unsupported(option, "expected a finite number")
        return value

    def size(self, option: str, default: int | None = None, most: int = MAX_SIZE) -> int:
        """Return a count of 1 or more."""
        value = self.get(option, int, default)
        if not 1 <= value <= most:
            raise self.unsupported(option, f"expected 1..{most}")
        return value

    def divisor(self, option: str, width: int, default: int | None = None) -> int:
        """Return a count that divides a width."""
        count = self.size(option, default)
        if width % count:
            raise self.unsupported(option, f"expected a divisor of the width, {width}")
        return count

    def token_id(self, option: str, vocab_size: int, default: int) -> int:
        """Return the id of a token in a vocabulary."""
        i = self.get(option, int, default)
        if not 0 <= i < vocab_size:
            raise self.unsupported(option, f"expected 0 to {vocab_size - 1}")
        return i

    def factor(self, option: str, default: float, least: float = 1e-6) -> float:
        """Return a positive number to multiply sizes by."""
        factor = self.get(option, float, default)
        if not least <= factor < 2**16:
            raise self.unsupported(option, f"expected {least:g} or more, below {2**16}")
        return factor

    def eps(self, option: str, default: float) -> float:
        """Return the epsilon of a norm."""
        eps = self.get(option, float, default)
        if not 0 <= eps < 1:
            raise self.unsupported(option, "expected a number of 0 or more, below 1")
        return eps

    def sizes(self, option: str, count: int, most: int = MAX_SIZE) -> tuple[int, ...]:
        """Return so many counts of 1 or more."""
        values = self.get(option, list)
        if len(values) != count or not all(type(value) is int and 1 <= value <= most for value in values):
            raise self.unsupported(option, f"expected {count} integers of 1..{most}")
        return tuple(values)

    def channels(self, option: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return a number for red, green and blue each, which may be given as one."""
        is_one = isinstance(self._options.get(option), int | float)
        values = [self.get(option, float)] * 3 if is_one else self.get(option, list, [*default])
        if len(values) != 3 or not all(type(value) in (int, float) and abs(value) < 1e9 for value in values):
            raise self.unsupported(option, "expected 3 numbers")
        red, green, blue = map(float, values)
        return red, green, blue

    def deviations(self, option: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the standard deviations of red, green and blue."""
        deviations = self.channels(option, default)
        if min(deviations) < _MIN_DEVIATION:
            raise self.unsupported(option, f"expected 3 numbers of {_MIN_DEVIATION} or more")
        return deviations

    def side(self, option: str, default: int | tuple[int, int]) -> int:
        """Return the side of a square, which may be given as [height, width]."""
        sides = self.sides(option, default)
        if isinstance(sides, tuple):
            raise self.unsupported(option, "expected a square")
        return sides

    def sides(self, option: str, default: int | tuple[int, int], most: int = MAX_SIZE) -> int | tuple[int, int]:
        """Return the side of a square, or height and width."""
        if option not in self:
            self.ignore(option)
            return default
        if not self.is_list(option):
            return self.size(option, most=most)
        return size_of(*self.sizes(option, 2, most))

    def one_of(self, option: str, meanings: Mapping[str, _T], default: str) -> _T:
        """Return what an option's value, one of a few, means."""
        value = self.get(option, str, default)
        if value not in meanings:
            raise self.unsupported(option, f"expected {' or '.join(map(repr, meanings))}")
        return meanings[value]

    def expect(self, **options: object) -> None:
        """Raise unless each of these options is missing, or has the only value that is supported."""
        for option, only in options.items():
            self._read.add(option)
            value = self._options.get(option, only)
            if type(value) is not type(only) or value != only:
                raise self.unsupported(option, f"expected {only!r:.60}; nothing else is supported")

    def ignore(self, *options: str) -> None:
        """Mark options as read that have no effect here."""
        self._read.update(options)

    def section(self, option: str) -> "Section":
        """Return the JSON object of an option, empty if it is missing."""
        self._read.add(option)
        return Section(self.path, self.full_name(option), self._options.get(option, {}))

    def unread(self) -> dict[str, Any]:
        """Return the options that were never read."""
        return {option: value for option, value in self._options.items() if option not in self._read}

    def finish(self) -> None:
        """Raise if an option was never read."""
        for option in self.unread():
            raise self.unsupported(option, "this option is not supported")

    def unsupported(self, option: str, expected: str) -> UnsupportedCheckpointError:
        """Make an error that names an option and its value."""
        found = self._options.get(option)
        return UnsupportedCheckpointError(f"{self.path}: {self.full_name(option)} is {found!r:.60}; {expected}.")

    def full_name(self, option: str) -> str:
        """Return the name of an option with that of its section, as in messages."""
        option = option if option.isidentifier() and len(option) <= _MAX_LETTERS else quoted(option, _MAX_LETTERS)
        return f"{self.name}.{option}" if self.name else option


def read_config_file(path: Path) -> Section:
    """Read a config file; CheckpointError if it cannot be read, or is no JSON object."""
    return Section(path, "", read_json_object(path, _MAX_BYTES, "the config file of a model"))
