import pickle
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, CorruptCheckpointError
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.int8 import ScaledInt8, join_scales, round_to_int8, row_scales, scaled
from numpyclip.weights.read import read
from tests.weights.forged import entry, safetensors

NUMBERS = np.array([[-127, 0, 5], [1, 2, 3]], np.int8)
SCALE = np.array([0.5, 2], np.float32)
WIDE: list[list[float]] = [[-63.5, 0, 2.5], [2, 4, 6]]


def test_every_row_has_a_scale_of_its_own_and_its_largest_number_is_exact() -> None:
    weights = np.array([[1e-3, -0.5e-3], [200, 254], [0, 0]], np.float32)
    numbers, scale = round_to_int8(weights), row_scales(weights)
    assert numbers.tolist() == [[127, -64], [100, 127], [0, 0]]  # -63.5 is rounded to even
    np.testing.assert_allclose(scale, [1e-3 / 127, 2, 0], rtol=1e-6)


@pytest.mark.parametrize("shape", [(7, 300), (6, 3, 4, 4)])
def test_rounding_moves_no_number_by_more_than_half_a_scale(shape: tuple[int, ...]) -> None:
    weights = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    weights *= np.float32(10) ** np.arange(-3, len(weights) - 3).reshape(-1, *(1,) * (len(shape) - 1))
    error = np.abs(scaled(round_to_int8(weights), row_scales(weights)).astype(np.float32) - weights)
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    assert (error.reshape(len(weights), -1).max(axis=1) <= 0.5001 * largest / 127).all()


def test_reading_multiplies_with_the_scales() -> None:
    array = scaled(NUMBERS, SCALE)
    assert array.astype(np.float32).tolist() == WIDE
    assert array.astype(np.float32).dtype == np.float32
    assert array[1].tolist() == WIDE[1]
    assert array[[1, 0, 1]].tolist() == [WIDE[1], WIDE[0], WIDE[1]]
    assert array[np.array([[1], [0]])].shape == (2, 1, 3)
    assert array[:, 2].tolist() == [2.5, 6]
    assert array[0, 2] == 2.5
    assert array[..., 1:].tolist() == [[0, 2.5], [4, 6]]


def test_a_view_keeps_the_scales_while_its_rows_are_the_same() -> None:
    array = scaled(NUMBERS, SCALE)
    assert array.reshape(2, 1, 3, 1).astype(np.float32).ravel().tolist() == [*WIDE[0], *WIDE[1]]
    assert array.reshape(2, 3, 1).transpose(0, 2, 1).astype(np.float32)[1, 0].tolist() == WIDE[1]


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a.reshape(4, 1), lambda a: a.reshape(-1)])
def test_another_view_gives_nothing_rather_than_wrong_numbers(view: object) -> None:
    square = scaled(np.array([[1, 2], [3, 4]], np.int8), SCALE)
    with pytest.raises(TypeError, match="lost its scales"):
        view(square).astype(np.float32)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match="holds int8; expected floating point, or int8 with scales"):
        Checkpoint(Path("f"), {"w": view(square)}).check({"w": view(square).shape})  # type: ignore[operator]


def test_arithmetic_on_the_whole_numbers_is_refused() -> None:
    with pytest.raises(TypeError):
        scaled(NUMBERS, SCALE) * 2
    with pytest.raises(TypeError):
        np.ones((2, 3), np.float32) + scaled(NUMBERS, SCALE)


def test_a_copy_of_another_process_has_the_scales() -> None:
    copy = pickle.loads(pickle.dumps(scaled(NUMBERS, SCALE)))
    assert isinstance(copy, ScaledInt8)
    assert copy.astype(np.float32).tolist() == WIDE


def test_a_checkpoint_gives_float32_and_leaves_tables_small() -> None:
    checkpoint = Checkpoint(Path("f"), join_scales({"w": NUMBERS, "w.scale": SCALE}, Path("f")))
    checkpoint.check({"w": (2, 3)})
    assert checkpoint.take("w").tolist() == WIDE
    assert not checkpoint.take("w").flags.writeable
    assert checkpoint.copy("w").flags.writeable
    assert checkpoint.table("w").nbytes == 6
    assert checkpoint.table("w")[np.array([1])].tolist() == [WIDE[1]]


@pytest.mark.parametrize(
    ("numbers", "scale"),
    [
        (NUMBERS, np.ones(3, np.float32)),
        (NUMBERS, np.ones((2, 1), np.float32)),
        (NUMBERS, np.ones((), np.float32)),
        (NUMBERS, np.ones(2, np.int32)),
        (NUMBERS[0], np.ones(3, np.float32)),
        (NUMBERS, np.array([1, np.nan], np.float32)),
        (NUMBERS, np.array([1, np.inf], np.float32)),
        (NUMBERS, np.array([1, -1], np.float32)),
        (NUMBERS, np.array([1, 1e37], np.float32)),
        (NUMBERS, np.array([1, 1e300])),
    ],
)
def test_scales_that_do_not_fit_are_refused(numbers: np.ndarray, scale: np.ndarray) -> None:
    with pytest.raises(CorruptCheckpointError, match=r"f: tensor 'w\.scale'"):
        join_scales({"w": numbers, "w.scale": scale}, Path("f"))


def test_numbers_without_scales_are_no_weights() -> None:
    checkpoint = Checkpoint(Path("f"), join_scales({"w": NUMBERS}, Path("f")))
    with pytest.raises(CheckpointError, match=r"'w' holds int8; .* in a tensor 'w\.scale'"):
        checkpoint.check({"w": (2, 3)})


def test_a_scale_of_floats_is_a_tensor_as_any_other() -> None:
    arrays = {"w": np.ones((2, 3), np.float32), "w.scale": SCALE}
    assert list(join_scales(arrays, Path("f"))) == ["w", "w.scale"]


def test_a_file_is_read_with_its_scales_in_half_precision_too(tmp_path: Path) -> None:
    header = {"w": entry("I8", [2, 3], 4, 10), "w.scale": entry("F16", [2], 0, 4)}
    body = SCALE.astype("<f2").tobytes() + NUMBERS.tobytes()
    (tmp_path / "w.safetensors").write_bytes(safetensors(header, body))
    arrays = read(tmp_path / "w.safetensors").arrays
    assert list(arrays) == ["w"]
    assert arrays["w"].astype(np.float32).tolist() == WIDE
    assert not arrays["w"].flags.owndata
