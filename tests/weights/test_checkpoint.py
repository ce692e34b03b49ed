"""What a model takes from a checkpoint."""

import pickle
import re
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, CorruptCheckpointError
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.dtypes import BFloat16, narrow_to_bfloat16
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import unwritten, write_safetensors


def _checkpoint(**arrays: np.ndarray) -> Checkpoint:
    return Checkpoint(Path("file.pt"), arrays)


def test_a_float32_tensor_is_taken_as_it_is() -> None:
    array = np.ones((2, 3), np.float32)
    taken = _checkpoint(w=array).take("w")
    assert np.shares_memory(taken, array)
    assert not taken.flags.writeable


@pytest.mark.parametrize("dtype", ["<f2", ">f2", ">f4", "<f8", ">f8"])
def test_other_floats_become_native_float32(dtype: str) -> None:
    taken = _checkpoint(w=np.arange(3).astype(dtype)).take("w")
    assert taken.dtype == np.float32
    assert taken.dtype.isnative
    assert list(taken) == [0, 1, 2]


def test_a_strided_tensor_becomes_contiguous() -> None:
    taken = _checkpoint(w=np.arange(6, dtype=np.float32).reshape(2, 3).T).take("w")
    assert taken.flags.c_contiguous
    assert taken.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_numbers_beyond_float32_are_refused_at_once() -> None:
    with pytest.raises(CheckpointError, match="too large for float32"):
        _checkpoint(w=np.array([1e300])).check({"w": (1,)})


_NOT_FINITE = {
    "float64": np.array([1, np.nan]),
    "signalling": np.array([0x7FF0000000000001], np.uint64).view(np.float64),
    "float32": np.array([[1, 2], [np.inf, 3]], np.float32),
    "strided": np.array([[1, 2], [-np.inf, 3]], np.float32).T,
    "float16": np.array([1, np.inf], np.float16),
    "big endian": np.array([1, np.nan], ">f2"),
    "bfloat16": np.array([0x3F80, 0x7F80], np.uint16).view(BFloat16),
    "bfloat16, big endian": np.array([0x3F80, 0x7F80], ">u2").view(BFloat16),
    "last of many": np.append(np.ones(2**17, np.float32), np.float32(np.nan)),
}


@pytest.mark.parametrize("array", _NOT_FINITE.values(), ids=_NOT_FINITE)
@pytest.mark.parametrize("use", ["take", "copy", "table"])
def test_what_is_not_finite_is_refused_when_it_is_used(array: np.ndarray, use: str) -> None:
    checkpoint = _checkpoint(w=array)
    checkpoint.check({"w": array.shape})  # reads nothing, but for float64
    for _ in range(2):
        with pytest.raises(CorruptCheckpointError, match=r"^file\.pt: tensor 'w' holds NaN or infinity; expected"):
            getattr(checkpoint, use)("w")


@pytest.mark.parametrize("order", ["<", ">"])
def test_bfloat16_is_finite_in_either_order_of_bytes(order: str) -> None:
    small = np.array([0x807F], order + "u2").view(BFloat16)  # whose bytes in the other order are infinity
    assert _checkpoint(w=small).take("w") == np.array([0x807F0000], np.uint32).view(np.float32)


@pytest.mark.parametrize("largest", [np.float32(3e38), np.array(3e38, "<f4"), np.full((300, 300), -3e38, np.float32)])
def test_the_largest_numbers_are_finite(largest: np.ndarray) -> None:
    array = np.asarray(largest)
    assert np.array_equal(_checkpoint(w=array).take("w"), array)
    halves = narrow_to_bfloat16(array).view(BFloat16)
    assert np.array_equal(_checkpoint(w=halves).table("w").astype(np.float32), halves.astype(np.float32))


def test_a_tensor_that_is_not_finite_has_the_name_in_the_file() -> None:
    array = np.full((2, 2), np.nan, np.float32)
    renamed = Checkpoint(Path("file.pt"), {"visual.proj": array.T}, stored={"v": np.ones(3), "model.proj": array})
    with pytest.raises(CorruptCheckpointError, match=r"tensor 'model\.proj' holds"):
        renamed.take("visual.proj")


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (70_000,)])
def test_half_precision_is_widened_exactly_whatever_the_bits(shape: tuple[int, ...]) -> None:
    bits = np.resize(np.arange(2**16, dtype=np.uint16), shape)
    halves = np.where(bits & 0x7C00 == 0x7C00, 0, bits).astype(np.uint16).view(np.float16)  # but NaN and infinity
    taken = _checkpoint(w=halves).take("w")
    assert taken.shape == shape
    np.testing.assert_array_equal(taken.view(np.uint32), halves.astype(np.float32).view(np.uint32))


def test_bfloat16_is_widened_when_it_is_taken() -> None:
    halves = narrow_to_bfloat16(np.arange(6, dtype=np.float32)).reshape(2, 3).view(BFloat16)
    checkpoint = _checkpoint(w=halves.T)
    checkpoint.check({"w": (3, 2)})
    taken = checkpoint.take("w")
    assert taken.dtype == np.float32
    assert (taken.flags.c_contiguous, taken.flags.writeable) == (True, False)
    assert taken.tolist() == [[0, 3], [1, 4], [2, 5]]
    table = checkpoint.table("w")
    assert np.shares_memory(table, halves)
    assert table[[2, 0]].astype(np.float32).tolist() == [[2, 5], [0, 3]]


def test_a_file_of_bfloat16_takes_no_memory_before_it_is_used(tmp_path: Path) -> None:
    numbers = np.zeros((2**10, 2**12), np.uint16).view(BFloat16)  # 8 MiB
    write_safetensors(tmp_path / "w.safetensors", unwritten("w", numbers))
    tracemalloc.start()
    checkpoint = read(tmp_path / "w.safetensors")
    checkpoint.check({"w": numbers.shape})
    checkpoint.table("w")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    checkpoint.take("w")
    assert 16 * 2**20 <= tracemalloc.get_traced_memory()[1] < 17 * 2**20
    tracemalloc.stop()


def test_a_copy_is_new_and_may_be_changed() -> None:
    array = np.ones((2, 3), np.float32)
    copy = _checkpoint(w=array).copy("w")
    copy += 1
    assert array.max() == 1


MATRICES = (
    np.arange(6, dtype=np.float16),
    np.arange(3) / 2,
    narrow_to_bfloat16(np.array([8, -1, 0], np.float32)).view(BFloat16),
)


def test_tensors_of_any_dtypes_are_joined_one_below_the_other() -> None:
    arrays = dict(zip("abc", (array.reshape(-1, 3) for array in MATRICES), strict=True))
    joined = _checkpoint(**arrays).join(["a", "b", "c"])
    assert joined.tolist() == [[0, 1, 2], [3, 4, 5], [0, 0.5, 1], [8, -1, 0]]
    with pytest.raises(CorruptCheckpointError, match="'b' holds NaN or infinity"):
        _checkpoint(**{**arrays, "b": np.full((1, 3), np.nan)}).join(["a", "b"])


def test_large_tensors_are_converted_in_parts() -> None:
    wide = np.random.default_rng(0).standard_normal((1500, 800), np.float32).astype(np.float16)
    parts: list[Any] = []

    def backwards(function: Callable[[Any], None], items: Sequence[Any]) -> None:
        parts.extend(items)
        for item in reversed(items):
            function(item)

    copy = replace(_checkpoint(w=wide, small=wide[:9]), spread=backwards)
    np.testing.assert_array_equal(copy.copy("small"), wide[:9])
    assert not parts
    np.testing.assert_array_equal(copy.copy("w"), wide)
    assert len(parts) > 1


@pytest.mark.parametrize(("dtype", "expected"), [("<f2", "<f2"), ("<f4", "<f4"), ("<f8", "<f4"), (">f2", "<f4")])
def test_a_table_stays_as_it_is_where_rows_are_easily_widened(dtype: str, expected: str) -> None:
    assert _checkpoint(w=np.ones((2, 3), dtype)).table("w").dtype == expected


def test_what_deepspeed_leaves_in_place_of_tensors_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"'w' has shape \(0,\); .* Run DeepSpeed's zero_to_fp32\.py"):
        _checkpoint(w=np.zeros(0)).shape("w", 2)


def test_a_tensor_that_shares_memory_is_named_as_it_is() -> None:
    w = np.ones(2, np.float32)
    tensors = {"visual.a": w, "visual.b": w}
    with pytest.raises(CheckpointError, match=r"tensor 'visual\.b' has no place"):
        Checkpoint(Path("file"), tensors, stored=tensors).check({"visual.a": (2,)})


def test_another_shape_is_refused_with_both() -> None:
    with pytest.raises(CheckpointError, match=r"'w' has shape \(2,\); expected \(3,\)"):
        _checkpoint(w=np.ones(2, np.float32)).check({"w": (3,)})
    with pytest.raises(CheckpointError, match="expected 2 dimensions"):
        _checkpoint(w=np.ones(2, np.float32)).check({"w": (2, 1)})


def test_whole_numbers_are_refused() -> None:
    with pytest.raises(CheckpointError, match="holds int64; expected floating point"):
        _checkpoint(w=np.ones(2, np.int64)).check({"w": (2,)})


def test_a_missing_tensor_is_named_with_what_there_is() -> None:
    with pytest.raises(CheckpointError, match=r"'v' is missing.*The file has 'w'"):
        _checkpoint(w=np.ones(2)).check({"v": (2,)})
    with pytest.raises(CheckpointError, match="no tensors"):
        _checkpoint().shape("v", 1)


ONE = np.ones(1, np.float32)
CLIP = {"visual.proj": (1,), "token_embedding.weight": (1,), "transformer.a": (1,), "logit_scale": (1,)}


def _with(*names: str, left_out: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Checkpoint:
    known = [name for name in CLIP if name not in without]
    return Checkpoint(Path("file.pt"), dict.fromkeys([*known, *names], ONE), left_out=left_out)


@pytest.mark.parametrize(
    "name",
    [
        *("visual.b\x1b[31m", "transformer.b", "text.b", "text_model.b", "vision_model.b", "text_projection.bias"),
        *("logit_bias", "cls_emb", "visual_projection.bias", "text_decoder.b", "positional_embedding_res"),
    ],
)
def test_a_tensor_of_a_tower_that_has_no_place_in_it_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=" has no place in this model; expected") as caught:
        _with("loss.t", name).check(CLIP)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["loss.t", "classifier.weight", "head", "auroc.sum", "module_list.0", "b\x1b[31m"])
def test_a_tensor_beside_the_towers_is_left_out_with_one_warning(name: str) -> None:
    only = _with(name, "other", "attn_mask", "visual.position_ids", left_out=("n_averaged", "lost.w")).only(CLIP)
    assert only.arrays.keys() == CLIP.keys()
    assert only.left_out == ("lost.w", name, "other")
    (warning,) = only.warnings
    assert warning == f"file.pt: tensors that are no part of the model are left out: 'lost.w', {name!r}, 'other'."


def test_many_tensors_beside_are_counted() -> None:
    (warning,) = _with(*(f"x{index}" for index in range(100))).only(CLIP).warnings
    assert warning.endswith("'x6', 'x7' and 92 more.")


def test_buffers_are_no_tensors_of_a_model() -> None:
    names = ("input_resolution", "visual.bn.num_batches_tracked", "attn_mask", "text_model.embeddings.position_ids")
    assert not _with(*names).only(CLIP).warnings
    assert not _with().only({"visual.proj": (1,), "token_embedding.weight": (1,), "transformer.a": (1,)}).warnings


def test_the_other_tower_of_a_model_is_left_out() -> None:
    only = _with().only({"visual.proj": (1,)})
    assert only.left_out == ("token_embedding.weight", "transformer.a")
    assert "logit_scale" not in only


def test_a_missing_tensor_is_not_missing_under_a_prefix() -> None:
    for checkpoint in (
        _with("foo.token_embedding.weight", without=("token_embedding.weight",)),
        _with(left_out=("foo.token_embedding.weight",), without=("token_embedding.weight",)),
    ):
        with pytest.raises(CheckpointError, match=r"'token_embedding.weight' is missing; found 'foo.token_embed"):
            checkpoint.check(CLIP)
    checkpoint = _with(left_out=("token_embedding.weight",), without=("token_embedding.weight",))
    with pytest.raises(CheckpointError, match=r"is missing; the file has it outside 'model'\. Give all names"):
        replace(checkpoint, label="model").check(CLIP)
    with pytest.raises(CheckpointError, match=r"is missing; that is openai/CLIP's name of it. The file has 'theirs'\."):
        replace(_with(without=("token_embedding.weight",)), stored={"theirs": np.ones(1)}).check(CLIP)
    with pytest.raises(CheckpointError, match=r"'proj' is missing; expected the names"):
        _with().check({"proj": (1,)})  # that of the image tower is another one


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_pages_of_a_mapped_file_are_given_back_and_can_be_read_again(tmp_path: Path) -> None:
    def resident() -> int:
        return int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]

    np.savez(tmp_path / "w.npz", w=np.ones(2**23, np.float32))  # 32 MiB
    checkpoint = read(tmp_path / "w.npz")
    before = resident()
    assert checkpoint.take("w").sum() == 2**23
    assert resident() > before + 30_000
    checkpoint.release()
    assert resident() < before + 2_000
    assert checkpoint.take("w")[-1] == 1


def test_the_mapped_files_of_a_checkpoint_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "w.npz", a=np.ones(1, np.float32), b=np.ones(1, np.float32))
    checkpoint = read(tmp_path / "w.npz")
    looked_at: list[object] = []
    monkeypatch.setattr("numpyclip.weights.checkpoint.mapped_file", looked_at.append)
    for _ in range(3):
        checkpoint.release()
    assert len(looked_at) == 2


def test_a_checkpoint_whose_pages_were_given_back_can_be_pickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.ones(1, np.float32))
    checkpoint = read(tmp_path / "w.npz")
    checkpoint.release()
    assert pickle.loads(pickle.dumps(checkpoint)).take("a") == 1


def test_the_name_of_a_tensor_in_the_file_is_looked_for_only_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = read(Path(__file__).parents[1] / "golden" / "checkpoints" / "vit-torchscript.pt")
    monkeypatch.setattr(np, "may_share_memory", lambda *_: pytest.fail("all tensors were compared"))
    for name in checkpoint.arrays:
        checkpoint.table(name)
