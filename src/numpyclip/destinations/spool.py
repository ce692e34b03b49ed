"""ROWS → PARQUET: columns of untrusted values, whose types are known when all rows are.

Rows wait in a temporary file, some thousand at a time, so that memory does not grow with a part.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from numpyclip.atomic import written
from numpyclip.destinations.row import OutputRow
from numpyclip.errors import quoted
from numpyclip.file_systems import is_url
from numpyclip.sources.columns import free_names, valid_text

if TYPE_CHECKING:
    from types import TracebackType

    from pyarrow import Array, DataType, Table

_T = TypeVar("_T")

ROWS = 1024  # of a batch
_GROUP = 8  # batches of a row group
_MOST_BYTES = 1 << 26  # of a batch or row group
_MOST_COLUMNS = 1000  # .json files of samples can name any number of them


class Spool:
    """Rows on their way to a parquet file.

    Scalars and flat lists keep their types, integers and floats in one column are floats. All else becomes text: JSON
    for objects and lists within lists, and every value of a column whose types do not agree.

    Parameters
    ----------
    place : str
        The path or URL of what is written. Rows wait beside it, or, if it is a URL, with temporary files.
    own : mapping of str to DataType
        Columns that are there even without rows.
    reserved : iterable of str
        Names that carried columns cannot have, either: such a column gets the prefix ``source_``.
    metadata : dict of str to str or bytes, optional
        Of the file, to which more may be added until it is written.
    """

    def __init__(
        self,
        place: str,
        own: Mapping[str, DataType],
        reserved: Iterable[str] = (),
        metadata: Mapping[str, str | bytes] | None = None,
    ) -> None:
        self._place = Path(tempfile.gettempdir() if is_url(place) else place)
        with written(self._place):
            self._file = tempfile.TemporaryFile(dir=None if is_url(place) else self._place.parent)  # noqa: SIM115
        self._types: dict[str, DataType] = dict(own)
        self._reserved = (*own, *reserved)
        self._is_full = False  # of columns
        self._batches = 0
        self.metadata = dict(metadata or {})
        self.rows = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, own: Mapping[str, Array], carried: Sequence[Mapping[str, Any]]) -> None:
        """Add rows: columns of the program, and what is carried along of each; at least one."""
        import pyarrow

        names = free_names(dict.fromkeys(name for row in carried for name in row), self._reserved)
        columns = dict(own)
        self._learn(own)
        for name, new in ((name, valid_text(new)) for name, new in names.items()):
            if self._has_room(new):
                columns[new] = _array([row.get(name) for row in carried])
                self._learn({new: columns[new]})
        batch = pyarrow.record_batch(list(columns.values()), list(columns))
        with written(self._place), pyarrow.ipc.new_stream(self._file, batch.schema) as stream:
            stream.write_batch(batch)
        self._batches += 1
        self.rows += batch.num_rows

    def _learn(self, columns: Mapping[str, Array]) -> None:
        import pyarrow

        for name, column in columns.items():
            self._types[name] = _common(self._types.get(name, pyarrow.null()), column.type)

    def _has_room(self, name: str) -> bool:
        """Tell whether a column can be carried along; warn about the first that cannot, which costs no row."""
        if name in self._types or len(self._types) < _MOST_COLUMNS:
            return True
        if not self._is_full:
            warnings.warn(
                f"rows of a part have more than {_MOST_COLUMNS} columns: {quoted(name, 60)} and others are left out. "
                "Choose which are carried along.",
                stacklevel=4,
            )
        self._is_full = True
        return False

    def write(self, file: IO[bytes]) -> None:
        """Write all rows as a parquet file."""
        import pyarrow
        import pyarrow.parquet

        # What is null in all rows of a part is most often text in the others.
        types = {
            name: pyarrow.string() if pyarrow.types.is_null(found) else found for name, found in self._types.items()
        }
        schema = pyarrow.schema(list(types.items()), self.metadata)
        # Embeddings have no value twice, so that dictionaries would only cost time.
        with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer:
            for group in limited(self._tables(), _GROUP, lambda table: int(table.nbytes)):
                columns = ([_cast(table, name, wanted) for name, wanted in types.items()] for table in group)
                tables = [pyarrow.table(each, schema=schema) for each in columns]
                writer.write_table(pyarrow.concat_tables(tables))

    def _tables(self) -> Iterator[Table]:
        import pyarrow

        self._file.seek(0)
        for _ in range(self._batches):
            with pyarrow.ipc.open_stream(self._file) as stream:
                yield stream.read_all()


def batches(rows: Iterable[OutputRow]) -> Iterator[list[OutputRow]]:
    """Split rows into lists, shorter ones where images are carried along."""
    return limited(rows, ROWS, lambda row: sum(len(each) for each in row.columns.values() if isinstance(each, bytes)))


def limited(items: Iterable[_T], most: int, size: Callable[[_T], int]) -> Iterator[list[_T]]:
    """Split an iterable into lists of some items, or of fewer that are large together."""
    some, total = [], 0
    for item in items:
        some.append(item)
        total += size(item)
        if len(some) == most or total > _MOST_BYTES:
            yield some
            some, total = [], 0
    if some:
        yield some


def _array(values: list[Any]) -> Array:
    import pyarrow

    plain = [_text(value) if _is_nested(value) else value for value in values]
    with suppress(pyarrow.ArrowException, ValueError, OverflowError, TypeError):  # as for integers of more than 64 bits
        return pyarrow.array(plain)
    return pyarrow.array(map(_text, values), pyarrow.string())


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and any(isinstance(each, Mapping | list | tuple) for each in value)
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return valid_text(value)
    try:
        return json.dumps(value, default=str)
    except RecursionError:
        return "(nested too deeply)"


def _common(one: DataType, other: DataType) -> DataType:
    """Return the type that values of two types have in a column: text, if they do not agree."""
    import pyarrow

    try:
        schemas = [pyarrow.schema([("", each)]) for each in (one, other)]
        return pyarrow.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pyarrow.ArrowException:
        return pyarrow.string()


def _cast(table: Table, name: str, wanted: DataType) -> Array:
    import pyarrow

    if name not in table.column_names:
        return pyarrow.nulls(table.num_rows, wanted)
    column = table.column(name).combine_chunks()
    if column.type == wanted:
        return column
    if wanted in (pyarrow.string(), pyarrow.binary()):
        return pyarrow.array(map(_text, column.to_pylist()), pyarrow.string()).cast(wanted)
    return column.cast(wanted, safe=False)  # integers as floats may be rounded
