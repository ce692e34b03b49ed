"""Out of whatever a file wraps its tensors in."""

from typing import Any

import pytest

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.dtypes import Unread
from numpyclip.weights.groups import choose, grouped
from numpyclip.weights.read import read
from numpyclip.weights.state_dict import state_dicts
from numpyclip.weights.torch_file import Storage, TensorRef
from numpyclip.weights.unpickle import Opaque, ScriptObject, Symbol
from tests.weights.forged import GOLDEN

W = TensorRef(Storage("f4", "0", 1, 0, 1), 0, (1,), (1,))


def _names(root: object) -> list[str]:
    found = [group for found in state_dicts(root, "file.pt") for group in grouped(found.tensors, found.place)]
    return list(choose(found, "file.pt")[0].tensors)


@pytest.mark.parametrize(
    "root",
    [
        {"a.b": W},
        {"epoch": 3, "state_dict": {"a.b": W}, "optimizer": {}},
        {"model_state_dict": {"a.b": W}},
        {"model": {"a.b": W}},
        {"model": {"state_dict": {"a.b": W}}},
        {"step": W, "state_dict": {"a.b": W}},
        {"state_dict": None, "model": {"a.b": W}},
        {"a.b": W, "version": 3, 5: W},
        {"net": {"a.b": W}},
        {"module": {"a.b": W}, "optimizer": {"exp_avg": {"a.b": W, "c": W}}},
        {"anything": {"else": {"a.b": W}}},
        {"a.b": W, "hyper_parameters": {"net.a.b": W, "net.c": W}},
        {"trainer": Opaque(Symbol("x", "Trainer"), state={"ema": {"a.b": W}})},
        {"state_dict": Opaque(Symbol("x", "Dict"), items={"a.b": W})},
        [{"a.b": W}],
        ({"a.b": W}, {"state": {0: {"exp_avg": W, "step": W}}}),
        {"models": [1, {"a.b": W}]},
        {"optimized_model": {"a.b": W}},
        {"opt_model": {"a.b": W}, "epoch": 1},
        {
            "epoch": 1,
            "schedule_free_model": {"a.b": W},
            "optimizer": {"state": {0: {"exp_avg": W}}, "param_groups": []},
        },
        {100: {"a.b": W}, "optimizer": {}},
    ],
    ids=range(21),
)
def test_wrappers_are_taken_off(root: object) -> None:
    assert _names(root) == ["a.b"]


def test_models_under_numbers_are_several() -> None:
    with pytest.raises(UnsupportedCheckpointError, match="holds 2 models of one kind, in '100', in '200'"):
        _names({step: {"visual.a": W, "text_projection": W} for step in (100, 200)})


def test_the_order_of_the_file_is_kept() -> None:
    assert _names({"b": W, "a": W}) == ["b", "a"]


def _module(kind: str, **attributes: Any) -> ScriptObject:
    return ScriptObject(Symbol("__torch__", kind), attributes)


def test_modules_within_modules_give_dotted_names() -> None:
    root = _module("A", w=W, training=False, inner=_module("B", w=W, list=_module("C", **{"0": _module("D", b=W)})))
    assert sorted(_names(root)) == ["inner.list.0.b", "inner.w", "w"]


def test_a_shared_module_is_found_under_each_name() -> None:
    shared = _module("B", w=W)
    assert sorted(_names(_module("A", a=shared, b=shared))) == ["a.w", "b.w"]


def test_a_name_of_200_letters_is_the_longest() -> None:
    path = "a" * 99
    assert _names(_module("A", **{path: _module("B", **{"w" * 100: W})})) == [f"{path}.{'w' * 100}"]
    with pytest.raises(CorruptCheckpointError, match=r"^file\.pt: its tensors have endless names; 'aaa"):
        _names(_module("A", **{path: _module("B", **{"w" * 101: W})}))


@pytest.mark.parametrize(
    ("kinds", "activation"),
    [("QuickGELU", "quick_gelu"), ("GELU", "gelu"), ("GELU QuickGELU", None), ("ReLU", None)],
)
def test_classes_tell_the_activation(kinds: str, activation: str | None) -> None:
    parts = {kind: _module(kind) for kind in kinds.split()}
    assert state_dicts(_module("A", w=W, **parts), "file.pt")[0].activation == activation


def _pickled(kind: str, **parts: Any) -> Opaque:
    state = {"training": False, "_parameters": {}, "_buffers": {}, "_modules": {}, **parts}
    return Opaque(Symbol("torch.nn", kind), state=state)


def test_a_pickled_model_is_its_state_dict() -> None:
    """`torch.save(model)`: what its classes do is not in the file, but the weights are."""
    inner = _pickled("QuickGELU", _buffers={"b": W, "none": None})
    root = _pickled("CLIP", _parameters={"w": W}, _modules={"act": inner})
    assert _names(root) == ["w", "act.b"]
    assert state_dicts(root, "file.pt")[0].activation == "quick_gelu"
    assert _names({"model": root}) == ["model.w", "model.act.b"]


def test_names_without_end_matter_only_of_tensors() -> None:
    assert _names({"a" * 1000: 1, "state_dict": {"b": W, "c" * 1000: "text"}}) == ["b"]
    with pytest.raises(CorruptCheckpointError, match="endless names"):
        _names({"a" * 1000: W})


def test_modules_that_many_dicts_share_are_not_walked_without_end() -> None:
    module = _module("A", **{f"{index}": W for index in range(10_000)})
    with pytest.raises(CorruptCheckpointError, match="endless names"):
        _names({f"{index}": {"m": module} for index in range(1_000)})


def test_a_tensor_of_another_kind_is_named() -> None:
    quantized = Opaque(Symbol("torch._utils", "_rebuild_qtensor"))
    assert state_dicts({"a": W, "b": quantized}, "file.pt")[0].tensors["b"] == Unread(
        "made by 'torch._utils._rebuild_qtensor'"
    )


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ({}, "an empty dict"),
        ({"state": {0: {"exp_avg": W}}, "param_groups": []}, "the state of an optimizer"),
        ({"w": Opaque(Symbol("numpy.core.multiarray", "_reconstruct"))}, r"1 array of NumPy \(write such with numpy"),
        (Opaque(Symbol("mine", "Model")), "an object of class 'mine.Model'"),
        ({"a": 1, "b": 2}, "'a', 'b'"),
        (W, "a single tensor"),
        (5, "a number"),
    ],
    ids=["nothing", "optimizer", "arrays", "object", "others", "tensor", "number"],
)
def test_what_is_there_instead_is_said(root: object, found: str) -> None:
    with pytest.raises(CorruptCheckpointError, match=f"no tensors were found, but {found}"):
        state_dicts(root, "file.pt")


def test_the_order_of_names_does_not_tell_the_activation() -> None:
    """OpenCLIP 1.x defined attention before its norm, as openai/CLIP does, and had both activations."""
    block = "transformer.resblocks.0"
    assert state_dicts({f"{block}.attn.in_proj_weight": W, f"{block}.ln_1.weight": W}, "file.pt")[0].activation is None


@pytest.mark.parametrize(
    "root", [None, 1, [], [W], W, {}, {"a": 1}, {"a": [W]}, {"optimizer": {"a": [W]}}, {5: W}, _module("A")], ids=str
)
def test_what_holds_no_tensors_is_refused(root: object) -> None:
    with pytest.raises(CorruptCheckpointError, match="no tensors"):
        state_dicts(root, "file.pt")


def test_only_torchscript_archives_tell_their_activation() -> None:
    recorded = {file.name: read(file).activation for file in GOLDEN.glob("*.pt") if "tensors" not in file.name}
    assert recorded == {
        "vit-torchscript.pt": "quick_gelu",
        "resnet-torchscript.pt": "quick_gelu",
        "vit-state-dict.pt": None,
        "vit-legacy.pt": None,
        "resnet-training.pt": None,
    }
