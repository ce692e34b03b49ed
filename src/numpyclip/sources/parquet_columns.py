"""SCHEMA → COLUMNS: which column of a parquet file has the images or texts, and which are carried along.

Images are bytes, Hugging Face's {"bytes", "path"}, paths or URLs. Their column is found by the usual names, or as the
only one of its type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from numpyclip.errors import InputError
from numpyclip.sources.columns import CAPTION, free_names
from numpyclip.sources.part import ReadOptions

if TYPE_CHECKING:
    from pyarrow import DataType, Schema

    Test: TypeAlias = Callable[[DataType], bool]

PATH = "path"  # in the output: that of Hugging Face's images

IMAGES = ("image", "img", "picture", "jpg", "jpeg", "png", "webp")
_PATHS = ("image_path", "path", "file_path", "filepath", "file_name", "filename", "file", "image_url", "url")
_TEXTS = ("caption", "text", "txt", "sentence", "captions", "texts", "sentences", "prompt", "query")


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a file that are read.

    Attributes
    ----------
    content : str
        The column of images or texts.
    names : dict of str to str
        Columns that are carried along, with their names in the output.
    """

    content: str
    names: dict[str, str]


def columns_of(schema: Schema, source: str, options: ReadOptions) -> Columns:
    """Choose the columns that are read.

    Raises
    ------
    InputError
        If a named column is missing or of another type.
    """
    repeated = Counter(schema.names)
    types = {name: schema.field(name).type for name in schema.names if repeated[name] == 1}
    content = _content_column(types, schema, source, options)
    others = {name: kind for name, kind in types.items() if name != content}
    if options.columns is None:
        carried = [name for name, kind in others.items() if _is_writable(kind)]
    else:
        carried = [name for name in options.columns if name != content]
        for name in carried:
            if name not in others or not (_is_writable(others[name]) or is_bytes(others[name])):
                raise _no_column(schema, source, f"one column {name} of a type that can be written again")
    taken = [CAPTION] if options.kind == "texts" else [PATH] if is_image_struct(types[content]) else []
    return Columns(content, free_names(carried, taken))


def _content_column(types: dict[str, DataType], schema: Schema, source: str, options: ReadOptions) -> str:
    """Return the column of images or texts."""
    fitting = "bytes or strings" if options.kind == "images" else "strings"
    usual: list[tuple[Test, tuple[str, ...]]] = [(_is_text, _TEXTS)]
    if options.kind == "images":
        usual = [(_is_image_file, IMAGES), (_is_text, (*IMAGES, *_PATHS))]
    if options.column is not None:
        if not any(fits(types[options.column]) for fits, _ in usual if options.column in types):
            raise _no_column(schema, source, f"one column {options.column} of {fitting}")
        return options.column
    for fits, known in usual:
        if (column := first_of(known, [name for name, kind in types.items() if fits(kind)])) is not None:
            return column
    alone = [name for name, kind in types.items() if usual[0][0](kind)]
    if len(alone) != 1:
        names = ", ".join(dict.fromkeys(name for _, known in usual for name in known))
        raise _no_column(
            schema, source, f"one of {names}, once and of {fitting}, or another one that is named: column='...'"
        )
    return alone[0]


def first_of(known: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the column that has the first of the usual names that are there, in any case; None without one."""
    found = {name.lower(): name for name in reversed(names)}
    return next((found[name] for name in known if name in found), None)


def _no_column(schema: Schema, source: str, expected: str) -> InputError:
    columns = ", ".join(f"{field.name}: {field.type!s:.40}" for field in schema)
    found = f"the columns {columns:.200}" if columns else "no columns"
    return InputError(f"{source}: has {found}; expected {expected}.")


def is_bytes(kind: DataType) -> bool:
    """Tell whether a column holds bytes."""
    return str(_plain(kind)) in ("binary", "large_binary", "binary_view")


def is_image_struct(kind: DataType) -> bool:
    """Tell whether a column holds Hugging Face's images."""
    from pyarrow import types

    return bool(types.is_struct(kind)) and any(field.name == "bytes" and is_bytes(field.type) for field in kind)


def _is_image_file(kind: DataType) -> bool:
    return is_bytes(kind) or is_image_struct(kind)


def _is_text(kind: DataType) -> bool:
    return str(_plain(kind)) in ("string", "large_string", "string_view")


def _plain(kind: DataType) -> DataType:
    """Return the type of values, which may be encoded by a dictionary."""
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_writable(kind: DataType) -> bool:
    """Tell whether values are read and written again as they are; bytes may be other images, and are not carried."""
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_writable(kind.value_type)
    if types.is_struct(kind):
        return kind.num_fields > 0 and all(_is_writable(field.type) for field in kind)
    plain = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_date, _is_text)
    return any(is_one(kind) for is_one in plain) or bool(types.is_timestamp(kind))
