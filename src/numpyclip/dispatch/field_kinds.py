"""Kinds of fields: strings, numbers, flags, lists and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpyclip.dispatch.fields import MAX_CHARACTERS, Field, Place, Schema, T, is_row_id, short

_FLAGS = {**dict.fromkeys(("1", "true", "on", "yes"), True), **dict.fromkeys(("", "0", "false", "off", "no"), False)}
_ROW_ID: Schema = {"type": "integer", "minimum": 0}
_FILE: Schema = {"type": "string", "format": "binary"}


class Text(Field[str]):
    """A string of at most 122,880 characters; empty if missing."""

    expected = "a string"

    def __init__(self, meaning: str, default: str = "", *, required: bool = False) -> None:
        super().__init__(meaning, default, required=required)

    def read(self, sent: Any) -> str:
        """Return it as it is."""
        if not isinstance(sent, str):
            raise self.refusal(sent)
        return short(sent, self.name)

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of a string."""
        return _text(place)


class Choice(Field[T]):
    """One of a few strings, or numbers; the first if missing.

    Parameters
    ----------
    meaning : str
    choices : sequence
    required : bool, default=False
    """

    def __init__(self, meaning: str, choices: Sequence[T], *, required: bool = False) -> None:
        super().__init__(meaning, choices[0], required=required)
        self.choices = tuple(choices)
        self.expected = " or ".join(map(str, choices))

    def read(self, sent: Any) -> T:
        """Return the choice; a number may be written as a string."""
        for choice in self.choices:
            if type(sent) in (str, type(choice)) and str(sent) == str(choice):
                return choice
        raise self.refusal(sent)

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of an enumeration."""
        return {"enum": list(self.choices)}


class Integer(Field[int]):
    """An integer above 0, clipped to a maximum.

    Parameters
    ----------
    meaning : str
    default : int
    maximum : int
    """

    expected = "an integer above 0"

    def __init__(self, meaning: str, default: int, maximum: int) -> None:
        super().__init__(meaning, default)
        self.maximum = maximum

    def read(self, sent: Any) -> int:
        """Return it; forms and query strings have its digits."""
        value = int(sent) if isinstance(sent, str) and is_row_id(sent) else sent
        if type(value) is not int or value < 1:
            raise self.refusal(sent)
        return min(value, self.maximum)

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of an integer."""
        return {"type": "integer", "minimum": 1}

    def described(self, place: Place = "json") -> Schema:
        """Return the schema, with the maximum in the description only, since larger values are accepted."""
        return {**super().described(place), "description": f"{self.meaning} Larger values mean {self.maximum}."}


class Flag(Field[bool]):
    """A boolean, in forms and query strings one of its words: ``1``, ``true``, ``on``, ``yes`` and their opposites."""

    expected = "true or false"

    def __init__(self, meaning: str, default: bool = False) -> None:
        super().__init__(meaning, default)

    def read(self, sent: Any) -> bool:
        """Return it; an empty string is false."""
        found = _FLAGS.get(sent.lower()) if isinstance(sent, str) else sent
        if not isinstance(found, bool):
            raise self.refusal(sent)
        return found

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of a boolean."""
        return {"type": "boolean"}

    def described(self, place: Place = "json") -> Schema:
        """Return the schema, with a default that is known either way."""
        return {**super().described(place), "default": self.default}


class ListField(Field[list[T]]):
    """A list of values, or a single one; empty if missing.

    Parameters
    ----------
    meaning : str
    required : bool, default=False
    """

    is_list = True
    kinds: tuple[type, ...] = (str,)

    def __init__(self, meaning: str, *, required: bool = False) -> None:
        super().__init__(meaning, [], required=required)

    def value_of(self, sent: Any) -> list[T]:
        """Return a list that the handler may change."""
        return [*super().value_of(sent)]

    def read(self, sent: Any) -> list[T]:
        """Return the values as a list."""
        values = sent if isinstance(sent, list) else [sent]
        if not all(isinstance(value, self.kinds) for value in values):
            raise self.refusal(values)
        return values

    def item(self, place: Place) -> Schema:
        """Return the schema of a value."""
        raise NotImplementedError

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of a list, which is a repeated name in forms and query strings."""
        item = self.item(place)
        several = {"type": "array", "items": item}
        return {"anyOf": [item, several]} if place == "json" else several


class Texts(ListField[str]):
    """A string or a list of strings, each of at most 122,880 characters."""

    expected = "a string or a list of strings"

    def read(self, sent: Any) -> list[str]:
        """Return the strings as a list."""
        return [short(text, self.name) for text in super().read(sent)]

    def item(self, place: Place) -> Schema:
        """Return the schema of a string."""
        return _text(place)


class Images(ListField["bytes | str"]):
    """Images: files of a form, data URIs, base64 or URLs."""

    kinds = (bytes, str)
    expected = "one or more files or data URIs"

    def item(self, place: Place) -> Schema:
        """Return the schema of a file in forms, else of a string."""
        return _FILE if place == "form" else {"type": "string"}


class File(Field["bytes | None"]):
    """One file of a form."""

    expected = "one file"

    def __init__(self, meaning: str, *, required: bool = False) -> None:
        super().__init__(meaning, None, required=required)

    def read(self, sent: Any) -> bytes:
        """Return its content."""
        if not isinstance(sent, bytes):
            raise self.refusal(sent)
        return sent

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of a file."""
        return _FILE


class RowId(Field["int | None"]):
    """Number of an image in the index."""

    expected = "the ID of an image"

    def __init__(self, meaning: str) -> None:
        super().__init__(meaning, None)

    def read(self, sent: Any) -> int:
        """Return the number."""
        if not _is_row_id(sent):
            raise self.refusal(sent)
        return int(sent)

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of a number."""
        return _ROW_ID


class RowIds(ListField[int]):
    """Numbers of images in the index, or of one."""

    expected = "IDs of images"

    def read(self, sent: Any) -> list[int]:
        """Return the numbers as a list."""
        values = [] if sent == "" else sent if isinstance(sent, list) else [sent]
        if not all(map(_is_row_id, values)):
            raise self.refusal(values)
        return [int(value) for value in values]

    def item(self, place: Place) -> Schema:
        """Return the schema of a number."""
        return _ROW_ID


class Numbers(Field["tuple[float, ...] | None"]):
    """As many numbers as they have names, in a list or joined by commas; none if missing, or an empty string.

    Parameters
    ----------
    meaning : str
    names : str
        Joined by commas, as messages have them.
    """

    def __init__(self, meaning: str, names: str) -> None:
        super().__init__(meaning, None)
        self.expected, self.count = names, names.count(",") + 1

    def read(self, sent: Any) -> tuple[float, ...] | None:
        """Return the numbers."""
        if not sent:
            return None
        parts = sent if isinstance(sent, list) else str(sent).split(",", self.count)
        try:
            if len(parts) == self.count:
                return tuple(map(float, parts))
        except (TypeError, ValueError, OverflowError):
            pass
        raise self.refusal(sent)

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of a list in JSON, else of a string."""
        if place in ("form", "query"):
            return {"type": "string", "pattern": f"^[^,]+(,[^,]+){{{self.count - 1}}}$"}
        return {"type": "array", "items": {"type": "number"}, "minItems": self.count, "maxItems": self.count}


class Values(Field[Any]):
    """JSON values of a schema that only the handler can check: it depends on the model, or on other fields.

    Parameters
    ----------
    meaning : str
    schema : dict
    required : bool, default=False
    """

    def __init__(self, meaning: str, schema: Schema, *, required: bool = False) -> None:
        super().__init__(meaning, None, required=required)
        self._schema, self.expected = schema, meaning[:1].lower() + meaning[1:].rstrip(".")

    def read(self, sent: Any) -> Any:
        """Return what was sent."""
        return sent

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema."""
        return self._schema


def _is_row_id(sent: object) -> bool:
    return isinstance(sent, (int, str)) and is_row_id(str(sent))


def _text(place: Place) -> Schema:
    return {"type": "string"} if place == "query" else {"type": "string", "maxLength": MAX_CHARACTERS}
