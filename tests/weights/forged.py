"""Forged files, built by hand: pickles opcode by opcode, zip archives field by field, safetensors headers."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "checkpoints"

# --- pickles ---------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def real(value: float) -> bytes:
    return b"G" + struct.pack(">d", value)


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def items(*values: bytes) -> bytes:
    return b"(" + b"".join(values) + b"t"


def listed(*values: bytes) -> bytes:
    return b"](" + b"".join(values) + b"e"


def mapping(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + items(*arguments) + b"R"


def put(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


def storage(
    key: bytes = text("0"),
    numel: bytes = number(6),
    kind: bytes = name("torch", "FloatStorage"),
    more: bytes = b"",
) -> bytes:
    return items(text("storage"), kind, key, text("cpu"), numel, more) + b"Q"


def tensor(
    base: bytes | None = None,
    offset: bytes = number(0),
    shape: bytes | None = None,
    strides: bytes | None = None,
    more: bytes = b"",
) -> bytes:
    return call(
        name("torch._utils", "_rebuild_tensor_v2"),
        storage() if base is None else base,
        offset,
        items(number(2), number(3)) if shape is None else shape,
        items(number(3), number(1)) if strides is None else strides,
        b"\x89",
        call(name("collections", "OrderedDict")),
        more,
    )


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def state(value: bytes) -> bytes:
    """Pickle of a state dict with one tensor, 'w'."""
    return pickled(mapping([(text("w"), value)]))


NUMBERS = struct.pack("<6f", *range(6))  # the storage of `tensor()`


# --- zip archives ----------------------------------------------------------------------------------------


@dataclass
class Record:
    """One record of a zip archive; what is not given is as it should be."""

    name: str
    data: bytes
    method: int = 0
    flags: int = 0
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    local_name: str | None = None
    offset: int | None = None
    signature: bytes = b"PK\x03\x04"
    extra: bytes = b""
    local_extra: bytes = b""
    hidden: bool = False  # stands in the directory only


def zipped(records: Iterable[Record], *, before: bytes = b"", comment: bytes = b"") -> bytes:
    body, directory, count = bytearray(before), bytearray(), 0
    for record in records:
        offset = len(body) if record.offset is None else record.offset
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(record.data) + packer.flush() if record.method == 8 else record.data
        crc = zlib.crc32(record.data) if record.crc is None else record.crc
        size = len(record.data) if record.size is None else record.size
        packed_size = len(packed) if record.packed_size is None else record.packed_size
        fields = (20, record.flags, record.method, 0, 33, crc, packed_size, size)
        local = (record.local_name or record.name).encode()
        if not record.hidden:
            body += record.signature + struct.pack("<5H3I2H", *fields, len(local), len(record.local_extra))
            body += local + record.local_extra + packed
        full = record.name.encode()
        directory += b"PK\x01\x02" + struct.pack("<6H3I", 20, *fields)
        directory += struct.pack("<5H2I", len(full), len(record.extra), 0, 0, 0, 0, offset) + full + record.extra
        count += 1
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), len(comment))
    return bytes(body + directory + end + comment)


def archive(pickle: bytes, records: Mapping[str, bytes] | None = None, folder: str = "archive/") -> bytes:
    """Zip as `torch.save` does: the pickle, and the storages."""
    records = {"data/0": NUMBERS} if records is None else records
    return zipped([Record(f"{folder}{key}", value) for key, value in {"data.pkl": pickle, **records}.items()])


# --- the others ------------------------------------------------------------------------------------------

MAGIC = number(0x1950A86A20F9469CFC6C)


def legacy(
    root: bytes | None = None,
    keys: bytes | None = None,
    body: bytes | None = None,
    *,
    magic: bytes = MAGIC,
    protocol: bytes = number(1001),
    system: bytes | None = None,
) -> bytes:
    pickles = (
        magic,
        protocol,
        mapping([(text("little_endian"), b"\x88")]) if system is None else system,
        mapping([(text("w"), tensor(storage(more=b"N")))]) if root is None else root,
        listed(text("0")) if keys is None else keys,
    )
    body = struct.pack("<q", 6) + NUMBERS if body is None else body
    return b"".join(map(pickled, pickles)) + body


def safetensors(header: object, body: bytes = b"", *, length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body


def entry(dtype: object = "F32", shape: object = (1,), start: object = 0, stop: object = 4) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def npy(header: str | bytes, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    raw = header if isinstance(header, bytes) else header.encode()
    raw += b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", len(raw)) + raw + data


def npz(header: str | bytes, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    return zipped([Record("w.npy", npy(header, data, version))])


def rezipped(source: Path, target: Path, method: int = zipfile.ZIP_STORED, **replaced: str) -> None:
    """Copy an archive record by record; `replaced` is what the names begin with, and shall begin with."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for record in old.namelist():
            renamed = record
            for begin in replaced.values():
                before, after = begin.split(" -> ")
                renamed = after + record.removeprefix(before) if record.startswith(before) else renamed
            new.writestr(renamed, old.read(record))
