"""REQUESTS → VALIDATED VALUES, by descriptions of fields that are also JSON schemas."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar, overload

from numpyclip.errors import InputError

T = TypeVar("T")
Schema = dict[str, Any]  # a JSON schema, of the version 2020-12
Place = Literal["json", "form", "query", "tool"]  # where fields are: forms and query strings have strings and files

MAX_CHARACTERS = 122_880  # of a text, as in Infinity: far more than the context of any model


class FieldError(InputError):
    """A field of a request does not match its description.

    Parameters
    ----------
    message : str
    field : str
        Its name.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class Field(Generic[T]):
    """Description of a field of requests: an attribute of `RequestFields`, whose value is that of the request.

    A name that Python reserves is written with an underscore at its end: ``not_`` describes ``not``.

    Parameters
    ----------
    meaning : str
        A sentence for people.
    default : object
        The value where the field is missing or ``null``.
    required : bool, default=False
        Whether a request without it is refused.
    """

    name = ""
    expected = "a value"  # in messages
    is_list = False  # which may be empty

    def __init__(self, meaning: str, default: T, *, required: bool = False) -> None:
        self.meaning, self.default, self.required = meaning, default, required

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.rstrip("_")

    @overload
    def __get__(self, fields: None, owner: type) -> Field[T]: ...

    @overload
    def __get__(self, fields: RequestFields, owner: type) -> T: ...

    def __get__(self, fields: RequestFields | None, owner: type) -> Field[T] | T:
        if fields is None:
            return self
        value: T = fields.values[self.name]
        return value

    def value_of(self, sent: Any) -> T:
        """Return the value of a field as sent; InputError if it does not match the description."""
        if sent is not None:
            return self.read(sent)
        if self.required:
            raise FieldError(f"{self.name} is missing; expected {self.expected}.", self.name)
        return self.default

    def read(self, sent: Any) -> T:
        """Return the value of what is not missing."""
        raise NotImplementedError

    def schema(self, place: Place = "json") -> Schema:
        """Return the JSON schema of the field in a place."""
        raise NotImplementedError

    def described(self, place: Place = "json") -> Schema:
        """Return the JSON schema with the meaning, and a default that is not empty."""
        known = {} if self.required or self.default in (None, "", [], False) else {"default": self.default}
        return {**self.schema(place), **known, "description": self.meaning}

    def refusal(self, sent: object) -> FieldError:
        """Make the error for a value that is not the expected one."""
        return FieldError(f"{self.name} is {shown(sent)}; expected {self.expected}.", self.name)


class RequestFields:
    """The fields of a request, each checked and read by its description; a subclass has the descriptions.

    Parameters
    ----------
    sent : mapping
        Strings, bytes of files and lists of these from a form; any JSON values from JSON.
    strict : bool, default=False
        Refuse unknown fields, and empty ones, which programs send by mistake and which would match everything.

    Raises
    ------
    InputError
        If a field does not match its description.
    """

    DESCRIBED: ClassVar[dict[str, Field[Any]]] = {}
    TITLE: ClassVar[str] = ""  # of fields that many requests have, which are described once
    EXAMPLE: ClassVar[Mapping[str, Any]] = {}  # of a request, as JSON, a form or a query string has it

    def __init_subclass__(cls, *, example: Mapping[str, Any] | None = None) -> None:
        if example is not None:
            cls.EXAMPLE = example
        own = {field.name: field for field in vars(cls).values() if isinstance(field, Field)}
        bases = [base.DESCRIBED for base in cls.__bases__ if issubclass(base, RequestFields)]
        cls.DESCRIBED = {name: field for fields in (*bases, own) for name, field in fields.items()}

    def __init__(self, sent: Mapping[str, Any], *, strict: bool = False) -> None:
        if strict:
            self._refuse_mistakes(sent)
        self._sent = sent
        self.values = {name: field.value_of(sent.get(name)) for name, field in self.DESCRIBED.items()}

    def _refuse_mistakes(self, sent: Mapping[str, Any]) -> None:
        if unknown := sent.keys() - self.DESCRIBED:
            raise InputError(f"{shown(min(unknown))} is unknown; expected {', '.join(self.DESCRIBED) or 'no field'}.")
        for name, value in sent.items():
            is_empty = value == [] or (isinstance(value, str) and not value.strip())
            if is_empty and not self.DESCRIBED[name].is_list:
                raise InputError(f"{name} is empty; expected a value, or no {name}.")

    def sent(self, name: str) -> Any:
        """Return a field as sent; None if it is missing or ``null``."""
        return self._sent.get(self.DESCRIBED[name].name)

    @classmethod
    def schema(cls, place: Place = "json") -> Schema:
        """Return the JSON schema of an object with these fields."""
        properties = {name: field.described(place) for name, field in cls.DESCRIBED.items()}
        required = [name for name, field in cls.DESCRIBED.items() if field.required]
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def short(text: str, name: str) -> str:
    """Return a text; InputError if it is too long."""
    if len(text) > MAX_CHARACTERS:
        raise FieldError(f"{name} has {len(text)} characters; expected at most {MAX_CHARACTERS}.", name)
    return text


def is_row_id(text: str) -> bool:
    """Return whether a string is an integer that fits into 64 bits, as SQL's do."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def shown(value: object) -> str:
    """Return a value for a message, shortened if it is long."""
    return f"{reprlib.repr(value):.60}"
