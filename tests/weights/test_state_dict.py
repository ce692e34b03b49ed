"""Out of whatever a file wraps its tensors in."""

from typing import Any

import pytest

from numpyclip.errors import CorruptCheckpointError
from numpyclip.weights.read import read
from numpyclip.weights.state_dict import state_dict, without_prefix
from numpyclip.weights.torch_file import Storage, TensorRef
from numpyclip.weights.unpickle import ScriptObject, Symbol
from tests.weights.forged import GOLDEN

W = TensorRef(Storage("f4", "0", 1, 0, 1), 0, (1,), (1,))


def _names(root: object) -> list[str]:
    return list(without_prefix(state_dict(root, "file.pt")[0]))


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
    ],
    ids=range(8),
)
def test_wrappers_are_taken_off(root: object) -> None:
    assert _names(root) == ["a.b"]


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "clip_model.", "_forward_module.clip."]
)
def test_a_prefix_of_all_names_is_taken_off(prefix: str) -> None:
    names = ["visual.proj", "text_projection", "logit_scale"]
    assert list(without_prefix({prefix + name: W for name in names})) == names


def test_a_prefix_that_not_all_have_is_part_of_the_name() -> None:
    names = ["text.text_projection", "visual.proj"]
    assert list(without_prefix(dict.fromkeys(names, W))) == names


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
    assert state_dict(_module("A", w=W, **parts), "file.pt")[1] == activation


def test_the_order_of_names_does_not_tell_the_activation() -> None:
    """OpenCLIP 1.x defined attention before its norm, as openai/CLIP does, and had both activations."""
    block = "transformer.resblocks.0"
    assert state_dict({f"{block}.attn.in_proj_weight": W, f"{block}.ln_1.weight": W}, "file.pt")[1] is None


@pytest.mark.parametrize(
    "root", [None, 1, [], [W], W, {}, {"a": 1}, {"a": [W]}, {"x": {"a": W}}, {5: W}, _module("A")], ids=str
)
def test_what_holds_no_tensors_is_refused(root: object) -> None:
    with pytest.raises(CorruptCheckpointError, match="no tensors"):
        state_dict(root, "file.pt")


def test_only_torchscript_archives_tell_their_activation() -> None:
    recorded = {file.name: read(file).activation for file in GOLDEN.glob("*.pt") if "tensors" not in file.name}
    assert recorded == {
        "vit-torchscript.pt": "quick_gelu",
        "resnet-torchscript.pt": "quick_gelu",
        "vit-state-dict.pt": None,
        "vit-legacy.pt": None,
        "resnet-training.pt": None,
    }
