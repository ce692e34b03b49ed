"""OUTPUT → EMBEDDINGS: the one reader of what `numpyclip embed`, `index --export` and clip-retrieval write.

A place is a folder or URL of parquet parts, one in clip-retrieval's format, or a single parquet file. All may be
untrusted.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from numpyclip.destinations.clip_retrieval_parts import CHECKSUM, FOLDERS, KEYS, complete_parts
from numpyclip.destinations.key_columns import names_in, whole_paths
from numpyclip.destinations.manifest import Manifest, are_equal, read_manifest
from numpyclip.destinations.new_file import numbered_files
from numpyclip.destinations.npy_stream import NpyStream, at_least_float32
from numpyclip.destinations.parquet_parts import Recorded, part_name, recorded_in
from numpyclip.destinations.write import open_destination
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.file_systems import is_url
from numpyclip.remote import base_name, exists, join, listing, read_bytes
from numpyclip.sources.parquet import column_values, need_pyarrow, open_parquet
from numpyclip.sources.part import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow import Array, RecordBatch
    from pyarrow.parquet import ParquetFile

Embeddings: TypeAlias = "tuple[list[str], NDArray[np.float32], dict[str, list[Any]]]"

# With None for a row without a key, or, at the end, for one without an embedding.
_Read: TypeAlias = "tuple[list[str | None], NDArray[np.floating], dict[str, list[Any]]]"

FINGERPRINT_FILE = "numpyclip.json"  # in clip-retrieval's format, which has no place for it

_ROWS = 256  # read at once
_MOST = 1 << 20  # bytes of a fingerprint
_UNIT = 1e-6  # that lengths of float32 embeddings are off 1, at most


class EmbeddingFile(NamedTuple):
    """A file of embeddings, with their origin."""

    kind: Kind
    vectors: str | None  # the embeddings, if they are apart
    table: str
    number: int = 0  # of its part
    recorded: Recorded | None = None  # what the part has to say of itself, if there is no manifest


def read_embeddings(place: str, kind: Kind | None = None, embed_dim: int | None = None) -> Iterator[Embeddings]:
    """Iterate over embeddings, of unit length, some hundred at a time, with their keys and metadata.

    Rows with an error, and those without a key, are left out.

    Parameters
    ----------
    place : str
        A folder, a .parquet file, or a URL of either.
    kind : {"images", "texts"}, optional
        By default both. Where neither a manifest nor the format tells, embeddings are of images.
    embed_dim : int, optional
        The expected number of dimensions; by default that of each file.

    Yields
    ------
    keys : list of str
        Paths or URLs of images, also within archives and tables; or texts themselves.
    embeddings : ndarray of shape (n_keys, embed_dim), dtype=float32
    columns : dict of str to list
        Metadata, by column.

    Raises
    ------
    InputError
        If there are no embeddings, or a file is damaged, or they have another number of dimensions.
    MissingPackageError
        If a package for the place is not installed.
    """
    for file in embedding_files(place):
        if kind in (None, file.kind):
            yield from read_file(file, embed_dim)


def read_file(
    file: EmbeddingFile,
    embed_dim: int | None = None,
    columns: Container[str] | None = None,
    report: Callable[[str], object] = lambda problem: None,
) -> Iterator[Embeddings]:
    """Iterate over the embeddings of one file as `read_embeddings` does, with some columns only, or all.

    `report` is called if rows without an error are left out.
    """
    kind, vectors, table, *_ = file
    read = _read_parquet(file, columns) if vectors is None else _read_pair(file, columns)
    left_out = 0
    for keys, embeddings, carried in read:
        left_out += keys.count(None)
        if kept := [number for number, key in enumerate(keys) if key is not None]:
            _check_dimensions(embeddings.shape[1], embed_dim, vectors or table)
            yield (
                [str(keys[number]) for number in kept],
                _unit(embeddings[kept], vectors or table),
                {name: [values[number] for number in kept] for name, values in carried.items()},
            )
    if left_out and (vectors is None or kind == "images"):  # not all images of clip-retrieval's have a caption
        report(f"{table}: rows without a key or an embedding are left out: {left_out}; expected both in each.")


def _check_dimensions(found: int, expected: int | None, place: str) -> None:
    if expected not in (None, found):
        raise InputError(f"{place}: has embeddings of {found} dimensions; expected {expected}, as of this model.")


def fingerprint_at(place: str) -> str | None:
    """Return the fingerprint of the model that embeddings are of, as JSON; None if it is not recorded."""
    if _is_file(place):
        return _recorded(place)[1]
    if (manifest := _manifest_of(place)) is not None:
        return manifest.fingerprint
    file = join(place, FINGERPRINT_FILE)
    if not exists(file):
        parts = numbered_files(listing(place), part_name)
        return _recorded(parts[min(parts)])[1] if parts else None
    try:
        return read_bytes(file, _MOST).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: cannot be read ({error}).") from error


def missing_parts(place: str) -> int:
    """Return how many parts are not there that a manifest promises."""
    manifest = None if _is_file(place) else _manifest_of(place)
    if manifest is None:
        return 0
    done = open_destination(place, manifest.layout, manifest.dtype, manifest.embed_dim, manifest.kind).done()
    return manifest.parts - sum(number < manifest.parts for number in done)


def embedding_files(place: str) -> list[EmbeddingFile]:
    """List the files of a place, always in the same order; see `read_embeddings` for what is raised."""
    need_pyarrow(place)
    if _is_file(place):
        return [EmbeddingFile(_recorded(place)[0], None, place)]
    manifest = _manifest_of(place)
    is_parquet = manifest is None or manifest.layout == "parquet"
    if is_parquet and (parts := numbered_files(listing(place), part_name)):
        first = _recorded(parts[min(parts)]) if manifest is None else (manifest.kind, None)
        recorded = first if manifest is None else None
        return [EmbeddingFile(first[0], None, parts[number], number, recorded) for number in sorted(parts)]
    if manifest is None:
        folders = (place, join(place, "texts"))  # the latter is of an exported index
        found = [pair for folder in folders for kind in FOLDERS for pair in _pairs(folder, kind)]
    else:
        found = _complete_pairs(place, manifest.kind)
    if not found:
        raise _nothing_in(place)
    return found


def _manifest_of(place: str) -> Manifest | None:
    """Read the manifest of a folder or URL; InputError if it is neither."""
    if not is_url(place) and not Path(place).is_dir():
        raise _nothing_in(place)
    return read_manifest(place)


def _nothing_in(place: str) -> InputError:
    expected = "expected what `numpyclip embed` has written, or clip-retrieval's format."
    if not exists(place):
        return InputError(f"{place}: does not exist; {expected}")
    if not is_url(place) and not Path(place).is_dir():
        return InputError(f"{place}: is neither a folder nor a .parquet file; {expected}")
    return InputError(f"{place}: has neither part-*.parquet nor img_emb/*.npy and metadata/*.parquet; {expected}")


def _is_file(place: str) -> bool:
    return place.endswith(".parquet") and (is_url(place) or Path(place).is_file())


def _recorded(place: str) -> Recorded:
    """Return what a single file says of its embeddings."""
    with open_parquet(place) as file:
        return recorded_in(file.schema_arrow.metadata)


def _pairs(folder: str, kind: Kind) -> list[EmbeddingFile]:
    """Pair files of embeddings and of metadata, which are sorted alike."""
    name = FOLDERS[kind]
    vectors = _sorted(join(folder, name), ".npy")
    tables = _sorted(join(folder, "metadata"), ".parquet") if vectors else []
    if len(vectors) != len(tables):
        raise InputError(
            f"{folder}: has {len(vectors)} files in {name} and {len(tables)} in metadata; expected equal counts."
        )
    return [
        EmbeddingFile(kind, place, table, number) for (number, place), (_, table) in zip(vectors, tables, strict=True)
    ]


def _complete_pairs(folder: str, kind: Kind) -> list[EmbeddingFile]:
    """Pair the files of parts that are complete; others may be in flight."""
    tables, name = complete_parts(folder), FOLDERS[kind]
    vectors = numbered_files(listing(join(folder, name)), lambda number: f"{name}_{number:04d}.npy") if tables else {}
    numbers = sorted(vectors.keys() & tables.keys())
    return [EmbeddingFile(kind, vectors[number], tables[number], number) for number in numbers]


def _sorted(folder: str, suffix: str) -> list[tuple[int, str]]:
    """List files, each with the number at the end of its name."""

    def number(place: str) -> int:
        digits = base_name(place).removesuffix(suffix).rpartition("_")[2]
        return int(digits) if digits.isdecimal() else 0

    return sorted((number(place), place) for place in listing(folder) if place.endswith(suffix))


def _read_pair(pair: EmbeddingFile, columns: Container[str] | None) -> Iterator[_Read]:
    kind, vectors, table, *_ = pair
    key = KEYS[kind]
    with NpyStream(str(vectors)) as stream, open_parquet(table) as file:
        if file.metadata.num_rows != stream.rows:
            raise InputError(
                f"{table}: has {file.metadata.num_rows} rows, and {vectors} {stream.rows}; expected equal counts."
            )
        for batch in _batches(file, table, key, columns=columns):
            keys = _keys(batch, key, file, kind)
            yield keys, stream.read(batch.num_rows), _carried(batch, key, columns)
        recorded = (file.schema_arrow.metadata or {}).get(CHECKSUM.encode())
        if recorded not in (None, str(stream.checksum).encode()):
            raise InputError(
                f"{table}: does not match the embeddings in {vectors}, perhaps after two runs at once. Remove {table}, "
                "and run `numpyclip embed` again."
            )


def _check_recorded(found: Recorded, expected: Recorded | None, place: str) -> None:
    if expected is None:
        return
    if found[0] != expected[0]:
        raise InputError(f"{place}: has embeddings of {found[0]}; expected {expected[0]}, as in the first part.")
    if not are_equal(found[1], expected[1]):
        raise InputError(f"{place}: has embeddings of another model than the first part. Import it by itself.")


def _read_parquet(part: EmbeddingFile, columns: Container[str] | None) -> Iterator[_Read]:
    kind, _, place, _, recorded = part
    with open_parquet(place) as file:
        _check_recorded(recorded_in(file.schema_arrow.metadata), recorded, place)
        key = KEYS["texts"] if kind == "texts" and KEYS["texts"] in file.schema_arrow.names else "key"
        for batch in _batches(file, place, key, "embedding", columns=columns):
            if "error" in batch.schema.names:
                batch = batch.filter(batch.column("error").is_null())
            rows = batch.num_rows
            batch = batch.filter(batch.column("embedding").is_valid())
            keys = _keys(batch, key, file, kind) + [None] * (rows - batch.num_rows)
            yield keys, _lists(batch.column("embedding"), place), _carried(batch, key, columns)


def _batches(
    file: ParquetFile, place: str, key: str, *needed: str, columns: Container[str] | None
) -> Iterator[RecordBatch]:
    """Iterate over rows; InputError if a column is not there, or the file is damaged."""
    from pyarrow import types

    names = file.schema_arrow.names
    for name in (key, *needed):
        if name not in names:
            raise InputError(f"{place}: has no column {name}, only {', '.join(names)[:200]}.")
    if len(set(names)) < len(names):
        raise InputError(f"{place}: has two columns of the same name; expected unique names.")
    kind = file.schema_arrow.field(key).type
    if not any(test(kind) for test in (types.is_string, types.is_large_string, types.is_null)):
        raise InputError(f"{place}: the column {key} is of type {kind!s:.60}; expected text.")
    try:
        own = _own(key)
        wanted = None if columns is None else [name for name in names if name in own or name in columns]
        yield from file.iter_batches(_ROWS, columns=wanted, use_threads=False)
    except NumPyCLIPError:
        raise
    except Exception as error:  # pyarrow's, of every kind
        raise InputError(f"{place}: cannot be read ({error!s:.200}).") from error


def _keys(batch: RecordBatch, key: str, file: ParquetFile, kind: Kind) -> list[str | None]:
    names = names_in(batch, key)
    return whole_paths(names, file.schema_arrow.metadata) if kind == "images" else names


def _own(key: str) -> tuple[str, ...]:
    return (key, f"{key}_bytes", "embedding", "error")


def _carried(batch: RecordBatch, key: str, columns: Container[str] | None) -> dict[str, list[Any]]:
    own = _own(key)
    names = (name for name in batch.schema.names if name not in own and (columns is None or name in columns))
    return {name: column_values(batch.column(name)) for name in names}


def _lists(column: Array, place: str) -> NDArray[np.floating]:
    """Return lists of numbers, of whatever kind, as rows."""
    from pyarrow import compute, types

    is_list = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    if not (any(test(column.type) for test in is_list) and types.is_floating(column.type.value_type)):
        raise InputError(f"{place}: the column embedding is of type {column.type!s:.60}; expected lists of floats.")
    lengths = set(compute.list_value_length(column).to_pylist()) or {0}
    if len(lengths) > 1:
        raise InputError(f"{place}: has embeddings of {min(lengths)} and {max(lengths)} dimensions; expected one.")
    values = column.flatten().to_numpy(zero_copy_only=False)
    return at_least_float32(values).reshape(len(column), *lengths)


def _unit(embeddings: NDArray[np.floating], place: str) -> NDArray[np.float32]:
    """Make embeddings unit length, except those that are, whose bits stay as they are."""
    largest = np.abs(embeddings).max(axis=1, keepdims=True, initial=0)
    if not (np.isfinite(largest).all() and largest.all()):
        raise InputError(f"{place}: an embedding is zero or not finite; expected finite numbers, not all 0.")
    scaled = embeddings / largest  # so that no square overflows or vanishes
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    with np.errstate(over="ignore"):
        is_unit = np.abs(largest * lengths - 1) < _UNIT
    return np.where(is_unit, embeddings, scaled / lengths).astype(np.float32)
