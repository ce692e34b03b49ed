"""A table of files that must be refused; run as a program, it reads all of them in little memory."""

import random
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from numpyclip.errors import (
    CheckpointError,
    CorruptCheckpointError,
    NumPyCLIPError,
    UnsafeCheckpointError,
    UnsupportedCheckpointError,
)
from tests.weights.forged import (
    GOLDEN,
    MAGIC,
    NUMBERS,
    Record,
    archive,
    call,
    entry,
    get,
    items,
    legacy,
    listed,
    mapping,
    name,
    npy,
    npz,
    number,
    pickled,
    put,
    real,
    safetensors,
    state,
    storage,
    tensor,
    text,
    zipped,
)

Case = tuple[str, bytes, type[CheckpointError]]
CORRUPT, UNSAFE, UNSUPPORTED = CorruptCheckpointError, UnsafeCheckpointError, UnsupportedCheckpointError

MEMORY = 64 * 2**20  # bytes that reading any of them may take, beside four times its size
_BAG = name("__torch__", "M") + b")\x81"


def cases() -> Iterator[Case]:
    """Yield the label, the content and the expected error of every hostile file."""
    yield from _evil_pickles()
    yield from _broken_pickles()
    yield from _endless_pickles()
    yield from _bombs()
    yield from _lying_tensors()
    yield from _scripted()
    yield from _zips()
    yield from _legacy()
    yield from _safetensors()
    yield from _npz()
    yield from _mistaken()


def _evil_pickles() -> Iterator[Case]:
    for module, attribute in (
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("__builtin__", "getattr.__self__"),
        ("builtins", ""),
        ("subprocess", "Popen"),
        ("commands", "getoutput"),
        ("functools", "cmp_to_key"),
        ("os", "FloatStorage"),
        ("os.path", "join"),
        ("collections", "OrderedDict.fromkeys"),
        ("collections", "namedtuple"),
        ("pathlib", "Path.unlink"),
        ("pathlib._local", "os"),
        ("importlib", "import_module"),
        ("runpy", "run_path"),
        ("copyreg", "pickle"),
        ("exceptions", "eval"),
        ("typing", "sys.modules"),
        ("operator", "methodcaller"),
        ("_io", "open"),
    ):
        called = call(name(module, attribute), text("echo hacked"))
        yield f"calls {module}.{attribute}", archive(state(called)), UNSAFE
        yield f"calls {module}.{attribute} in the old format", legacy(called), UNSAFE
    yield "names os.system by stack", archive(state(text("os") + text("system") + b"\x93")), UNSAFE
    yield "names an integer", archive(state(number(1) + text("system") + b"\x93")), CORRUPT
    yield "names through an extension", archive(state(b"\x82\x01")), UNSAFE
    yield "uses INST", archive(state(b"(ios\nsystem\n")), UNSAFE
    yield "uses OBJ", archive(state(b"(" + name("torch", "Size") + b"o")), UNSAFE
    yield "uses PERSID", archive(state(b"Pstorage\n")), UNSAFE
    for module, attribute in (("torch.hub", "load"), ("numpy", "fromfile"), ("__torch__.M", "f"), ("pip", "main")):
        called = call(name(module, attribute), text("echo hacked"))
        yield f"has nothing but an opaque {module}.{attribute}", archive(state(called)), CORRUPT
    yield "uses STRING with a false escape", archive(state(b"S'\\q'\n")), UNSUPPORTED
    yield "uses NEXT_BUFFER", archive(state(b"\x97")), UNSAFE
    yield "first of five old pickles is evil", legacy(magic=MAGIC + name("os", "system")), UNSAFE
    yield "evil list of storages", legacy(keys=call(name("os", "system"), text("x"))), UNSAFE


def _broken_pickles() -> Iterator[Case]:
    ordered = name("collections", "OrderedDict")
    for label, value in {
        "calls a dict": b"})R",
        "calls a tensor": tensor() + b")R",
        "calls a text": text("os.system") + b")R",
        "calls with a list": ordered + b"]R",
        "calls a storage class": call(name("torch", "FloatStorage"), number(6)),
        "makes an OrderedDict of texts": call(ordered, listed(text("ab"))),
        "makes an OrderedDict of a number": call(ordered, number(1)),
        "makes an OrderedDict with lists as keys": call(ordered, listed(listed(b"]", b"N"))),
        "makes a Parameter of nothing": call(name("torch._utils", "_rebuild_parameter")),
        "sets state on a tensor": tensor() + b"}b",
        "sets state on a list": b"]}b",
        "sets state on a class": ordered + b"}b",
        "sets items on a list": b"](NNu",
        "sets items on a tensor": tensor() + b"NNs",
        "appends to a dict": b"}Na",
        "appends to a tuple": b")(Ne",
        "sets half a pair": b"}(Nu",
        "pops below the bottom": b"s" * 9,
        "makes a tuple of too few": b"\x87" * 3,
        "reduces below the bottom": b"RRRRRR",
        "has no mark": b"tttt",
        "builds on a mark": b"((b",
        "reduces a mark": name("torch", "Size") + b"(R",
        "gets what was never put": get(7),
        "gets a memo of 4 billion": get(2**32 - 1),
        "has a negative length": b"\x8b\xff\xff\xff\xff",
        "has a text of 2**63 bytes": b"\x8d" + struct.pack("<Q", 2**63) + b"abc",
        "has a text of 4 GB": b"X" + struct.pack("<I", 2**32 - 1) + b"abc",
        "has text that is no text": b"X\x02\0\0\0\xff\xff",
        "adds to a list": b"](Ne(N\x90",
        "makes a class with names in a list": name("torch", "Size") + b")]\x92",
        "calls what was made with a list": name("a", "B") + b")R]R",
        "has bytes of 2**63": b"\x96" + struct.pack("<Q", 2**63) + b"abc",
        "pops too much": b"0" * 9,
        "pops to no mark": b"1",
        "has an unknown opcode": b"\xfe",
        "names without a line's end": b"ctorch",
    }.items():
        yield label, archive(state(value)), CORRUPT
    yield "puts a memo of 4 billion", archive(pickled(b"}" + put(2**32 - 1))), CORRUPT
    yield "has a number of 2 GB", archive(state(b"\x8b" + struct.pack("<i", 2**31 - 1) + b"a")), CORRUPT
    yield "has a number of 20,000 digits", archive(state(b"L" + b"9" * 20000 + b"L\n")), UNSUPPORTED
    yield "has no end", archive(state(tensor())[:-1]), CORRUPT
    yield "is empty", archive(b""), CORRUPT
    yield "ends at once", archive(b"."), CORRUPT
    yield "ends on a mark", archive(b"(."), CORRUPT
    for label, value in {"None": b"N", "a list": b"]", "a tensor": tensor(), "a storage": storage()}.items():
        yield f"is {label}", archive(pickled(value)), CORRUPT
    yield "has no tensors", archive(pickled(mapping([(text("epoch"), number(1))]))), CORRUPT


def _endless_pickles() -> Iterator[Case]:
    deep = 100_000
    yield "nests lists", archive(pickled(b"]" * deep + b"a" * (deep - 1))), CORRUPT
    yield "nests tuples", archive(pickled(b")" + b"\x85" * deep)), CORRUPT
    yield "nests dicts", archive(pickled((b"}" + text("state_dict")) * 9999 + b"}" + b"s" * 9999)), CORRUPT
    yield "nests a deep key", archive(pickled(b"})" + b"\x85" * deep + b"Ns")), CORRUPT
    yield "uses a list as a key", archive(pickled(b"}]Ns")), CORRUPT
    yield "uses a tuple as a key", archive(pickled(b"})Ns")), CORRUPT
    yield "uses a huge number as a key", archive(pickled(b"}" + number(2**61 - 1) + b"Ns")), CORRUPT
    yield "has a pickle of 9 MB", archive(pickled(b"N" * 9_000_000)), CORRUPT
    yield "nests the size of a tensor", archive(state(tensor(shape=b")" + b"\x85" * deep))), CORRUPT
    yield "dict that wraps itself", archive(pickled(b"}" + put(0) + text("state_dict") + get(0) + b"s")), CORRUPT
    yield "list that holds itself", archive(pickled(b"]" + put(0) + get(0) + b"a")), CORRUPT
    doubled = b")" + b"".join(put(1) + get(1) + b"\x86" for _ in range(64))
    yield "protocol that doubles 64 times", legacy(protocol=doubled), UNSUPPORTED
    yield "key that doubles 64 times", archive(pickled(b"}" + doubled + b"Ns")), CORRUPT
    yield "list of storages that doubles", legacy(keys=doubled + b"]" + get(1) + b"a"), CORRUPT
    prefixes = mapping([(text("module." * 100_000), tensor())])
    yield "name of endless prefixes", archive(pickled(prefixes)), CORRUPT
    # one long list of pairs, made into a thousand dicts
    pairs = listed(*(listed(text(f"{index}"), b"N") for index in range(5_000))) + put(1)
    made = b"".join(call(name("collections", "OrderedDict"), get(1)) for _ in range(5_000))
    yield "list that becomes many dicts", archive(pickled(b"(" + pairs + made + b"t")), CORRUPT
    sizes = items(*[number(1)] * 100_000) + put(1)
    shared = mapping((text(f"{index}"), b"N") for index in range(8_000)) + put(1) + b"0"
    objects = mapping((text(f"{index}"), name("mine", "M") + b")\x81" + get(1) + b"b") for index in range(8_000))
    yield "state that many objects share", archive(pickled(shared + objects)), CORRUPT
    yield "long size", archive(pickled(b"(" + sizes + tensor(shape=get(1)) + b"t")), CORRUPT
    yield "long persistent id", archive(pickled(items(*[number(1)] * 100_000) + b"Q")), CORRUPT


def _bombs() -> Iterator[Case]:
    """Yield files whose objects would take far more memory than they have bytes."""

    def packed(pickle: bytes, records: dict[str, bytes] | None = None) -> bytes:
        others = [Record(f"a/{key}", value) for key, value in (records or {"data/0": NUMBERS}).items()]
        return zipped([Record("a/data.pkl", pickle, 8), *others])

    most = 2**21  # bytes of a pickle that is packed
    for label, part in {
        "kept values": b"\x94",
        "dicts": b"}",
        "nested tuples": b"\x85",
    }.items():
        yield f"pickle of many {label}", packed(pickled(b")" + part * (most // len(part) - 4))), CORRUPT
    opaque = pickled(name("mine", "M") + b"\x94" + b"h\0)R" * (most // 4 - 8))
    yield "pickle of many opaque values", packed(opaque), CORRUPT
    yield "pickle of many sets", packed(pickled(b")" + b"\x8f" * (most - 4))), CORRUPT
    modules = pickled(name("__torch__", "M") + b"\x94" + b"h\0)R" * (most // 4 - 8))
    yield "pickle of many modules", packed(modules, {"constants.pkl": b""}), CORRUPT
    yield "pickle of 8 MB in 8 kB", packed(pickled(b"}" * (2**23 - 3))), CORRUPT
    yield "old format of many dicts", legacy(b"}" * 20_000_000), CORRUPT
    wide = "a" * 4_000_000 + "\U0001f600"  # takes four bytes for each letter
    yield "long key", legacy(mapping([(text(wide), tensor(storage(more=b"N")))])), CORRUPT
    yield "long class", legacy(b"c" + wide.encode() + b"\nx\n"), CORRUPT
    yield "long class by stack", legacy(text(wide) + text("x") + b"\x93"), CORRUPT
    many = mapping((text(f"{index}"), tensor() + put(1) if index == 0 else get(1)) for index in range(40_000))
    yield "many names of one tensor", archive(pickled(many)), CORRUPT
    row = storage(numel=number(2**20))
    expanded = tensor(row, shape=items(number(16), number(2**20)), strides=items(number(0), number(1)))
    yield "rows that are one", archive(state(expanded), {"data/0": bytes(2**22)}), CORRUPT
    yield "zip of many records", zipped(Record(f"{index:0200}", b"") for index in range(10_000)), CORRUPT
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
    yield "npz of many arrays", zipped(Record(f"{i}.npy", npy(header, bytes(4))) for i in range(17_000)), CORRUPT
    yield "npz that grows sixfold", _growing_npz(), CORRUPT
    for label, values in {"lists": b"[],", "objects": b'{"a":0},'}.items():
        header_of = b'{"w":[' + values * (4_000_000 // len(values)) + b"0]}"
        yield f"header of many {label}", safetensors(header_of), CORRUPT
    yield "header of many entries", safetensors({str(i): entry() for i in range(60_000)}), CORRUPT
    yield "header of 20 MB", safetensors(b'{"w":[' + b"[]," * 6_600_000 + b"0]}"), CORRUPT
    yield "header with a long name", safetensors({wide: []}), CORRUPT


def _growing_npz() -> bytes:
    data = bytes(range(256)) * 2**17
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(data)},), }}"
    noise = random.Random(0).randbytes(2**22)
    return zipped([Record("w.npy", npy(header, data), 8), Record("x.npy", noise)])


def _scripted() -> Iterator[Case]:
    def scripted(value: bytes) -> bytes:
        return archive(pickled(value), {"data/0": NUMBERS, "constants.pkl": b""})

    yield "TorchScript without tensors", scripted(_BAG + b"}b"), CORRUPT
    yield "TorchScript class with arguments", scripted(name("__torch__", "M") + b"(Nt\x81"), CORRUPT
    yield "TorchScript state that is no dict", scripted(_BAG + b"]b"), CORRUPT
    yield "TorchScript that calls os.system", scripted(call(name("os", "system"), text("x"))), UNSAFE
    itself = _BAG + put(0) + b"}" + text("m") + get(0) + b"sb"
    yield "module in itself", scripted(itself), CORRUPT
    long_name = _BAG + put(0) + b"}" + text("m" * 100_000) + get(0) + b"sb"
    yield "module in itself under a long name", scripted(long_name), CORRUPT
    branch = _BAG + b"}b" + put(0)
    for _ in range(40):
        branch += _BAG + mapping([(text("a"), get(0)), (text("b"), get(0))]) + b"b" + put(0)
    yield "modules that multiply", scripted(branch), CORRUPT
    state_of_many = mapping((text(f"{index}"), b"N") for index in range(5_000)) + put(1)
    many = b"".join(_BAG + get(1) + b"b" for _ in range(20_000))
    yield "state of many modules", scripted(b"(" + state_of_many + many + b"t"), CORRUPT
    numbers = mapping((number(index), b"N") for index in range(8_000)) + put(1)
    module = b"0" + _BAG + mapping((text(f"{index}"), _BAG + get(1) + b"b") for index in range(8_000)) + b"b"
    yield "state of many modules by numbers", scripted(numbers + module), CORRUPT
    long_class = name("__torch__." + "a" * 100_000, "M") + put(2)
    yield "long class of many modules", scripted(b"(" + long_class + (get(2) + b")\x81") * 20_000 + b"t"), CORRUPT


def _lying_tensors() -> Iterator[Case]:
    pair, ones = items(number(2), number(3)), items(number(1), number(1))
    huge = items(number(2**31), number(2**31))
    for label, value in {
        "storage longer than its record": tensor(storage(numel=number(7))),
        "storage of 2**62 numbers": tensor(storage(numel=number(2**62))),
        "storage of -1 numbers": tensor(storage(numel=number(-1))),
        "storage of True numbers": tensor(storage(numel=b"\x88")),
        "storage of 6.0 numbers": tensor(storage(numel=real(6))),
        "storage named by a number": tensor(storage(key=number(0))),
        "storage of a text kind": tensor(storage(kind=text("FloatStorage"))),
        "storage of a kind without numbers": tensor(storage(kind=name("torch", "Size"))),
        "storage with eight items": tensor(storage(more=b"NNN")),
        "storage that is a dict": tensor(b"}Q"),
        "storage that is missing": tensor(storage(key=text("1"))),
        "storage outside the folder": tensor(storage(key=text("../../etc/passwd"))),
        "storage part beyond the end": tensor(storage(more=items(text("v"), number(4), number(3)))),
        "storage part of -1": tensor(storage(more=items(text("v"), number(-1), number(6)))),
        "storage part too short": tensor(storage(more=items(text("v"), number(0), number(5)))),
        "storage used with two kinds": items(storage(), storage(kind=name("torch", "HalfStorage"))),
        "tensor without storage": tensor(b"N"),
        "tensor of a tensor": tensor(tensor()),
        "offset of 1": tensor(offset=number(1)),
        "offset of -1": tensor(offset=number(-1)),
        "offset of True": tensor(offset=b"\x88"),
        "offset of 0.0": tensor(offset=real(0)),
        "offset of 2**62": tensor(offset=number(2**62)),
        "offset of 2**1000": tensor(offset=number(2**1000)),
        "size too long": tensor(shape=items(number(2), number(4))),
        "size of -1": tensor(shape=items(number(-1), number(3))),
        "size of True": tensor(shape=items(b"\x88", number(3))),
        "size of 2.0": tensor(shape=items(real(2), number(3))),
        "size that is a list": tensor(shape=listed(number(2), number(3))),
        "size that is a number": tensor(shape=number(6)),
        "size of fewer dimensions than strides": tensor(shape=items(number(2))),
        "stride too long": tensor(strides=items(number(4), number(1))),
        "stride of -1": tensor(strides=items(number(3), number(-1))),
        "stride of 2**62": tensor(strides=items(number(2**62), number(1))),
        "stride of 2**47": tensor(strides=items(number(2**47), number(1))),
        "expanded to 2**62 numbers": tensor(shape=huge, strides=items(number(0), number(0))),
        "empty, yet 2**94 long": tensor(
            shape=items(number(0), number(2**47), number(2**47)), strides=items(*[number(1)] * 3)
        ),
        "too few arguments": call(name("torch._utils", "_rebuild_tensor_v2"), storage(), number(0), pair, ones),
    }.items():
        yield label, archive(state(value)), CORRUPT
    negated = mapping([(text("neg"), b"\x88")])
    nine = items(*[number(1)] * 9)
    yield "size of 9 dimensions", archive(state(tensor(shape=nine, strides=nine))), UNSUPPORTED
    yield "tensor that is stored negated", archive(state(tensor(more=negated))), UNSUPPORTED
    expanded = tensor(shape=items(number(4000)), strides=items(number(0)))
    many = mapping((text(f"{index}"), expanded) for index in range(9))
    yield "many expanded tensors", archive(pickled(many)), CORRUPT


def _zips() -> Iterator[Case]:
    pickle = Record("a/data.pkl", state(tensor()))
    data = Record("a/data/0", NUMBERS)
    yield "zip without records", zipped([]), CORRUPT
    yield "zip without data.pkl", zipped([data]), UNSUPPORTED
    yield "zip with two data.pkl", zipped([pickle, Record("b/data.pkl", pickle.data), data]), CORRUPT
    yield "zip with data.pkl too deep", zipped([Record("a/b/data.pkl", pickle.data), data]), UNSUPPORTED
    yield "zip with a name twice", zipped([pickle, data, data]), CORRUPT
    yield "zip without the storage", zipped([pickle]), CORRUPT
    yield "zip that is cut short", zipped([pickle, data])[:-30], CORRUPT
    yield "zip begin alone", b"PK\x03\x04", CORRUPT
    yield "zip end alone, lying", b"PK\x05\x06" + b"\xff" * 18, CORRUPT
    yield "zip of 64 bits, lying", zipped([pickle, data])[:-22] + _zip64_end() + b"PK\x05\x06" + b"\xff" * 18, CORRUPT
    for label, lie in {
        "flag of encryption": Record("a/data/0", NUMBERS, flags=1),
        "method bzip2": Record("a/data/0", NUMBERS, method=12),
        "method unknown": Record("a/data/0", NUMBERS, method=77),
    }.items():
        yield f"zip record with {label}", zipped([pickle, lie]), UNSUPPORTED
    zeros = b"\0" * (2**25)
    for label, lie in {
        "another local name": Record("a/data/0", NUMBERS, local_name="a/data/1"),
        "no local signature": Record("a/data/0", NUMBERS, signature=b"PK\x07\x08"),
        "offset 0": Record("a/data/0", NUMBERS, offset=0),
        "offset inside another": Record("a/data/0", NUMBERS, offset=8),
        "offset beyond the end": Record("a/data/0", NUMBERS, offset=2**31),
        "offset of 64 bits": Record("a/data/0", NUMBERS, offset=2**32 - 1, extra=_zip64(2**63)),
        "size of 64 bits": Record(
            "a/data/0", NUMBERS, size=2**32 - 1, packed_size=2**32 - 1, extra=_zip64(2**63, 2**63)
        ),
        "size too large": Record("a/data/0", NUMBERS, size=25, packed_size=25),
        "size far too large": Record("a/data/0", NUMBERS, size=2**31, packed_size=2**31),
        "size unlike the packed one": Record("a/data/0", NUMBERS, size=2**31),
        "deflated size too large": Record("a/data/0", NUMBERS, 8, size=25),
        "deflated size too small": Record("a/data/0", NUMBERS, 8, size=23),
        "deflated size 2 GB": Record("a/data/0", NUMBERS, 8, size=2**31),
        "deflated noise": Record("a/data/0", NUMBERS, 8, packed_size=3),
        "deflated wrong checksum": Record("a/data/0", NUMBERS, 8, crc=1),
        "deflate bomb": Record("a/data/0", zeros, 8),
        "deflate bomb that claims little": Record("a/data/0", zeros, 8, size=24, crc=zlib.crc32(NUMBERS)),
    }.items():
        yield f"zip record with {label}", zipped([pickle, lie]), CORRUPT
    bombs = [Record(f"a/data/{index}", b"\0" * 2**21, 8) for index in range(16)]
    yield "zip of many small bombs", zipped([pickle, *bombs]), CORRUPT
    inner = zipped([Record("a/data/1", NUMBERS)])  # begins with a sound local header
    outer = [pickle, Record("a/data/0", inner)]
    begin = zipped(outer).index(inner)
    nested = Record("a/data/1", b"", size=24, packed_size=24, crc=zlib.crc32(NUMBERS), offset=begin, hidden=True)
    yield "zip record inside another", zipped([*outer, nested]), CORRUPT
    copies = [Record("a/data/0", NUMBERS), Record("a/data/0", NUMBERS, offset=0, hidden=True)]
    yield "zip name twice at one place", zipped([*copies]), CORRUPT


def _zip64(*values: int) -> bytes:
    return struct.pack("<HH", 1, 8 * len(values)) + struct.pack(f"<{len(values)}Q", *values)


def _zip64_end() -> bytes:
    end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**62, 2**62, 2**62, 2**62)
    return end + struct.pack("<4sIQI", b"PK\x06\x07", 0, 2**62, 1)


def _legacy() -> Iterator[Case]:
    yield "old format, other protocol", legacy(protocol=number(1000)), UNSUPPORTED
    yield "old format, protocol is text", legacy(protocol=text("1001")), UNSUPPORTED
    yield "old format, system is a list", legacy(system=b"]"), UNSUPPORTED
    for label, content in {
        "no keys": legacy(keys=b"]"),
        "keys are a dict": legacy(keys=b"}"),
        "a key too many": legacy(keys=listed(text("0"), text("1"))),
        "a key twice": legacy(keys=listed(text("0"), text("0")), body=(struct.pack("<q", 6) + NUMBERS) * 2),
        "another key": legacy(keys=listed(text("1"))),
        "a key that is a number": legacy(keys=listed(number(0))),
        "a key that is a list": legacy(keys=listed(b"]")),
        "storage cut short": legacy(body=struct.pack("<q", 6) + NUMBERS[:-1]),
        "storage of another length": legacy(body=struct.pack("<q", 5) + NUMBERS),
        "storage of negative length": legacy(body=struct.pack("<q", -1) + NUMBERS),
        "no storage": legacy(body=b""),
        "four pickles": legacy(body=b"")[:-20],
        "magic alone": pickled(MAGIC),
    }.items():
        yield f"old format, {label}", content, CORRUPT
    yield "old format, wrong magic", legacy(magic=number(0x1950A86A20F9469CFC6D)), UNSUPPORTED


def _safetensors() -> Iterator[Case]:
    four, eight = b"\0" * 4, b"\0" * 8
    sound = {"w": entry()}
    for label, content in {
        "longer than the file": safetensors(sound, four, length=2**20),
        "of 2**63 bytes": safetensors(sound, four, length=2**63),
        "one byte short": safetensors(sound, four, length=len(b'{"w": ') + 3),
        "of no bytes": safetensors(b"{", length=0),
        "cut short": safetensors(b'{"w":'),
        "not JSON": safetensors(b"{w}"),
        "with a comma too many": safetensors(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}', four),
        "with NaN": safetensors(b'{"w":NaN}'),
        "not UTF-8": safetensors(b'{"\xff":1}'),
        "with two objects": safetensors(b"{}{}"),
        "with a name twice": safetensors(b'{"__metadata__":{},"__metadata__":{}}'),
        "nested 100,000 deep": safetensors(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "nested 100,000 deep in objects": safetensors(b'{"w":' * 100_000),
        "with numbers as metadata": safetensors({"__metadata__": {"a": 1}}),
        "with a list as metadata": safetensors({"__metadata__": []}),
        "with a number of 5,000 digits": safetensors(b'{"w":' + b"9" * 5000 + b"}"),
    }.items():
        yield f"header {label}", content, CORRUPT
    entries: dict[str, object] = {
        "list": [],
        "null": None,
        "empty object": {},
        "shape as text": entry(shape="1"),
        "shape as number": entry(shape=1),
        "shape of floats": entry(shape=[1.0]),
        "shape of true": entry(shape=[True]),
        "shape negative": entry(shape=[-1, -1]),
        "shape of nested lists": entry(shape=[[1]]),
        "shape of 2**64": entry(shape=[2**64]),
        "shape of a huge product": entry(shape=[2**47] * 8),
        "shape of 9 dimensions": entry(shape=[1] * 9),
        "shape of 100,000 dimensions": entry(shape=[1] * 100_000),
        "shape of an empty giant": entry(shape=[0, 2**47, 2**47], stop=0),
        "product too large": entry(shape=[2]),
        "product too small": entry(shape=[0]),
        "offsets as text": {"dtype": "F32", "shape": [1], "data_offsets": "04"},
        "three offsets": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]},
        "offsets reversed": entry(start=4, stop=0),
        "offsets negative": entry(start=-4, stop=0),
        "offsets of floats": entry(start=0.0, stop=4.0),
        "offset true": entry(shape=[], dtype="U8", start=False, stop=True),
        "offsets infinite": entry(start=0, stop=1e400),
        "offsets beyond the end": entry(start=4, stop=8),
        "offsets of 2**63": entry(start=2**63, stop=2**63 + 4),
        "dtype as number": entry(dtype=1),
    }
    for label, value in entries.items():
        yield f"entry that is malformed: {label}", safetensors({"w": value}, four), CORRUPT
    yield "entry of an unknown dtype", safetensors({"w": entry("F8_E4M3")}, four), UNSUPPORTED
    yield "bytes after the last tensor", safetensors(sound, four + b"\0"), CORRUPT
    yield "no bytes", safetensors(sound), CORRUPT
    yield "bytes without a tensor", safetensors({}, four), CORRUPT
    yield "gap before the first", safetensors({"w": entry(start=4, stop=8)}, eight), CORRUPT
    yield "gap between", safetensors({"a": entry(), "b": entry(start=8, stop=12)}, eight + four), CORRUPT
    yield "overlap", safetensors({"a": entry(), "b": entry(start=2, stop=6)}, four + b"\0\0"), CORRUPT
    yield "the same bytes twice", safetensors({"a": entry(), "b": entry()}, four), CORRUPT


def _npz() -> Iterator[Case]:
    def header(descr: str = "'<f4'", shape: str = "(6,)", order: str = "False") -> str:
        return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"

    for descr in ("'|O'", "'<c8'", "'|V4'", "'<M8[s]'", "[('a', '<f4')]", "('<f4', (2,))"):
        yield f"npz of {descr}", npz(header(descr), NUMBERS), UNSUPPORTED
    for label, content in {
        "shape too large": npz(header(shape="(7,)"), NUMBERS),
        "shape too small": npz(header(shape="(5,)"), NUMBERS),
        "shape negative": npz(header(shape="(-2, -3)"), NUMBERS),
        "shape of 2**70": npz(header(shape=f"({2**70},)"), NUMBERS),
        "shape of an empty giant": npz(header(shape=f"(0, {2**70})")),
        "shape of a hexadecimal giant": npz(header(shape="(0x" + "f" * 9000 + ",)"), NUMBERS),
        "shape of floats": npz(header(shape="(6.0,)"), NUMBERS),
        "shape as text": npz(header(shape="'6'"), NUMBERS),
        "shape of 40 dimensions": npz(header(shape="(" + "1," * 39 + "6)"), NUMBERS),
        "order as text": npz(header(order="'no'"), NUMBERS),
        "dtype unknown": npz(header("'<q9'"), NUMBERS),
        "dtype of a number": npz(header("4"), NUMBERS),
        "header that calls": npz("__import__('os').system('x')", NUMBERS),
        "header with a key too many": npz(header()[:-1] + ", 'more': 1}", NUMBERS),
        "header that is a list": npz("[]", NUMBERS),
        "header that is nested": npz("(" * 5000, NUMBERS),
        "header of signs": npz("-" * 9000 + "1", NUMBERS),
        "header that is too long": npz(header() + " " * 70_000, NUMBERS, (2, 0)),
        "header that is not text": npz(b"\xff\xfe", NUMBERS),
        "header longer than the record": zipped([Record("w.npy", b"\x93NUMPY\x02\0\xff\xff\xff\xff{}")]),
        "version 9": npz(header(), NUMBERS, (9, 9)),
        "version 3": npz(header(), NUMBERS, (3, 0)),
        "empty record": zipped([Record("w.npy", b"")]),
        "pickle": zipped([Record("w.npy", pickled(name("os", "system")))]),
        "record that is no array": zipped([Record("w.npy", npy(header(), NUMBERS)), Record("readme", b"")]),
    }.items():
        yield f"npz, {label}", content, CORRUPT


def _mistaken() -> Iterator[Case]:
    yield "empty file", b"", CORRUPT
    for label, content in {
        "web page": b"<!DOCTYPE html><html>404</html>",
        "web page after an empty line": b"\n<html></html>",
        "pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "GGUF": b"GGUF\x03\0\0\0" + b"\0" * 40,
        "gzip": b"\x1f\x8b\x08\0" + b"\0" * 40,
        "single array": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", NUMBERS),
        "plain pickle": pickled(mapping([])),
        "plain text": b"hello",
        "one byte": b"P",
    }.items():
        yield label, content, UNSUPPORTED
    yield "picture", (GOLDEN / "tensors.npz").read_bytes()[1:], UNSUPPORTED


def main() -> None:
    """Read every case with so little address space to spare that a large allocation fails."""
    from numpyclip.weights.read import read

    files = []
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
    for index, (label, content, _) in enumerate(cases()):
        file = folder / str(index)
        file.write_bytes(content)
        files.append((label, file))
    del content
    for label, file in files:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = taken + MEMORY + 4 * file.stat().st_size
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        try:
            read(file)
        except NumPyCLIPError:
            continue
        except MemoryError:
            sys.exit(f"{label}: takes too much memory")
        sys.exit(f"{label}: was read")
    print(len(files))


if __name__ == "__main__":
    main()
