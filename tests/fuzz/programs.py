"""Strategies for pickles: programs of the opcodes that are read, on values that tensors need."""

from hypothesis import strategies as st

from tests.weights.forged import MAGIC, get, name, number, pickled, put, real, storage, tensor, text

_KEYS = ["w", "state_dict", "model", "text_projection", "training", "weight", "0", "\ud800", "é" * 40, ""]
_KEYS += ["_parameters", "_buffers", "_modules", "state_dict_ema", "optimizer", "module.visual.proj", "_orig_mod.w"]
_NUMBERS = st.sampled_from([0, 1, 2, 3, 6, 7, 255, 256, 2**31, 2**47, 2**48, 2**62, 2**64, -1]) | st.integers()
_CLASSES = [
    *(("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter"), ("torch", "FloatStorage")),
    *(("torch", "BFloat16Storage"), ("torch", "Size"), ("collections", "OrderedDict"), ("collections", "Counter")),
    *(("argparse", "Namespace"), ("numpy.core.multiarray", "scalar"), ("__torch__", "M"), ("__torch__.a", "QuickGELU")),
    *(("datetime", "datetime"), ("mine", "Model"), ("torch._tensor", "_rebuild_from_type_v2"), ("builtins", "getattr")),
    *(("torch.storage", "UntypedStorage"), ("torch", "ComplexFloatStorage"), ("torch._utils", "_rebuild_qtensor")),
    *(("os", "system"), ("builtins", "eval"), ("torch.jit._pickle", "restore_type_tag")),
]
_VALUES = st.one_of(
    st.sampled_from([b"N", b"\x88", b"\x89", b")", b"]", b"}", storage(), tensor(), storage(more=b"N"), MAGIC]),
    _NUMBERS.filter(lambda value: abs(value) < 2**2000).map(number),
    st.floats().map(real),
    st.sampled_from(_KEYS).map(text),
    st.sampled_from(_CLASSES).map(lambda pair: name(*pair)),
)
_ACTIONS = st.one_of(
    st.sampled_from(
        [b"(", b"t", b"\x85", b"\x86", b"\x87", b"a", b"e", b"s", b"u", b"R", b"\x81", b"b", b"Q", b"\x93"]
    ),
    st.sampled_from([b"\x8f", b"\x90", b"\x91", b"\x92", b"0", b"1", b"\x96" + bytes(8)]),
    st.sampled_from([b"\x94", put(0), put(1), get(0), get(1)]),
)


def programs() -> st.SearchStrategy[bytes]:
    """Draw pickles, most of which end in an error."""
    return st.lists(_VALUES | _VALUES | _ACTIONS, max_size=40).map(b"".join).map(pickled)


def states() -> st.SearchStrategy[bytes]:
    """Draw pickles of state dicts whose values are drawn, most of them sound in their outer parts."""
    members = st.lists(st.tuples(st.sampled_from(_KEYS).map(text), _tensors() | _VALUES), max_size=4)
    return members.map(lambda pairs: pickled(b"}(" + b"".join(key + value for key, value in pairs) + b"u"))


def _tensors() -> st.SearchStrategy[bytes]:
    sizes = st.lists(_NUMBERS.map(number), max_size=9).map(lambda values: b"(" + b"".join(values) + b"t")
    kinds = st.sampled_from(["FloatStorage", "HalfStorage", "BFloat16Storage", "DoubleStorage", "BoolStorage", "Size"])
    parts = st.sampled_from([b"", b"N", b"(" + text("v") + number(1) + number(2) + b"t"])
    storages = st.builds(
        lambda numel, kind, more: storage(numel=number(numel), kind=name("torch", kind), more=more),
        _NUMBERS,
        kinds,
        parts,
    )
    return st.builds(
        lambda base, offset, shape, strides: tensor(base, number(offset), shape, strides),
        storages | st.just(storage()),
        _NUMBERS,
        sizes,
        sizes,
    )
