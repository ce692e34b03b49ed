"""PARQUET → ROWS: row group by row group, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.extras import missing
from numpyclip.file_systems import without_passwords, without_secrets
from numpyclip.remote import open_stream
from numpyclip.sources.columns import CAPTION
from numpyclip.sources.fetch import fetched, located
from numpyclip.sources.parquet_columns import PATH, Columns, columns_of, is_bytes, is_image_struct
from numpyclip.sources.part import Part, ReadOptions, Row

if TYPE_CHECKING:
    from pyarrow import DataType
    from pyarrow.parquet import ParquetFile

_BUFFER = 1 << 22  # bytes of a column that are read at once, however large its row groups are
_IMAGE_ROWS = 32  # read at once, with their images
_OTHER_ROWS = 1024


def need_pyarrow(place: str) -> None:
    """Raise MissingPackageError, which names the extra, if pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise missing(f"{place}: parquet files need pyarrow", "parquet") from error


@contextmanager
def open_parquet(source: str) -> Iterator[ParquetFile]:
    """Open a file, a path or URL, until the context is left.

    Raises
    ------
    InputError
        If it cannot be read, or is no parquet file.
    MissingPackageError
        If pyarrow is not installed.
    """
    need_pyarrow(source)
    from pyarrow import parquet

    with open_stream(source, ahead=False) as stream:
        try:
            file = parquet.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
        except NumPyCLIPError:  # of the stream
            raise
        except Exception as error:  # pyarrow's, of every kind
            raise InputError(f"{without_secrets(source)}: is not a parquet file ({error!s:.200}).") from error
        yield file


def row_groups(source: str, options: ReadOptions, rows_of_part: int) -> Iterator[tuple[int, int, int]]:
    """Iterate over runs of row groups of about so many rows: the first, the one after the last, and the rows.

    Raises
    ------
    InputError
        If it cannot be read, or columns are missing.
    """
    with open_parquet(source) as file:
        columns_of(file.schema_arrow, without_secrets(source), options)
        start, rows = 0, 0
        for group in range(file.num_row_groups):
            rows += file.metadata.row_group(group).num_rows
            if rows >= rows_of_part or (rows and group == file.num_row_groups - 1):
                yield start, group + 1, rows
                start, rows = group + 1, 0


def read_parquet(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the rows of some row groups; one that is damaged ends with a row of the error."""
    rows = _rows(part, options)
    return fetched(rows, part.source) if options.kind == "images" else rows


def _rows(part: Part, options: ReadOptions) -> Iterator[Row]:
    with open_parquet(part.source) as file:
        shard = without_secrets(part.source)
        chosen = columns_of(file.schema_arrow, shard, options)
        groups = range(part.start, file.num_row_groups if part.stop is None else part.stop)
        number = sum(file.metadata.row_group(group).num_rows for group in range(part.start))
        for group in groups:
            after = number + file.metadata.row_group(group).num_rows
            try:
                for values in iter_rows(file, [chosen.content, *chosen.names], [group]):
                    yield _row(part.source, number, values, chosen, options)
                    number += 1
            except NumPyCLIPError:  # of the stream
                raise
            except Exception as error:  # pyarrow's, of every kind
                where = f"{shard}: rows {number} to {after - 1} are damaged"
                yield Row(f"{shard}/{number}", None, {}, f"{where} ({error!s:.200}).")
            number = after


def iter_rows(
    file: ParquetFile, columns: Sequence[str], groups: Sequence[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Iterate over rows, by column; what pyarrow raises for a damaged file is not caught."""
    types = [file.schema_arrow.field(name).type for name in columns]
    size = _IMAGE_ROWS if any(is_bytes(kind) or is_image_struct(kind) for kind in types) else _OTHER_ROWS
    for batch in file.iter_batches(size, row_groups=groups, columns=list(columns), use_threads=False):
        found = [column_values(batch.column(name)) for name in columns]
        for values in zip(*found, strict=True):
            yield dict(zip(columns, values, strict=True))


def column_values(column: Any) -> list[Any]:
    """Return a column's values: times as Python has them, texts as valid UTF-8, None for what it has no value for.

    Times with a time zone are in UTC, since not every machine knows every zone.
    """
    import pyarrow

    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        unit = "us" if _is_nanoseconds(kind) else kind.unit
        column = column.cast(pyarrow.timestamp(unit, kind.tz and "+00:00"), safe=False)
    elif "[ns" in str(kind):  # times in lists or structs, which would be pandas' where that is installed
        return [_value(scalar) for scalar in column]
    try:
        values: list[Any] = column.to_pylist()
    except Exception:  # of one odd value, which is no reason to lose the others
        values = [_value(scalar) for scalar in column]
    return values


def _value(scalar: Any) -> Any:
    """Return a value, with None for the parts of it that Python has no value for, such as a date in the year 10000."""
    import pyarrow
    from pyarrow import types

    kind = scalar.type
    if not scalar.is_valid:
        return None
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return column_values(scalar.values)
    if types.is_struct(kind):
        return {name: _value(each) for name, each in scalar.items()}
    if str(kind) in ("string", "large_string", "string_view"):
        return scalar.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    if _is_nanoseconds(kind):
        return column_values(pyarrow.array([scalar.value], kind))[0]
    with suppress(Exception):
        return scalar.as_py()
    return None


def _is_nanoseconds(kind: DataType) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(kind)) and kind.unit == "ns"


def _row(source: str, number: int, values: dict[str, Any], chosen: Columns, options: ReadOptions) -> Row:
    columns = {new: values[name] for name, new in chosen.names.items()}
    content, key = values[chosen.content], f"{without_secrets(source)}/{number}"
    if isinstance(content, dict):
        path = content.get("path")
        columns[PATH] = path if isinstance(path, str) else None
        content = path if content.get("bytes") is None else content["bytes"]
    is_blank = isinstance(content, str) and not content.strip()
    if not content or is_blank or not isinstance(content, str | bytes):
        what = "image" if options.kind == "images" else "text"
        return Row(key, None, columns, f"{key}: has no {what}.")
    if options.kind == "texts":
        return Row(key, content, {CAPTION: content, **columns})
    if isinstance(content, str):
        place = located(content, source)
        return Row(without_passwords(place), place, columns)
    return Row(key, content, columns)
