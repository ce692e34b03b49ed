"""Damaged weights: every command ends with an error that names the tensor, and prints no result."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.weights.catalogue import EMBEDDED
from tests.cli.conftest import Run

IMAGE, TEXT = "visual.attnpool.c_proj.weight", "token_embedding.weight"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The embedded model, with one number that is none in one of its tensors."""
    files = {}
    with np.load(EMBEDDED["tiny"]) as arrays:
        for tensor in (IMAGE, TEXT):
            changed = {**arrays, tensor: arrays[tensor].copy()}
            changed[tensor].flat[-1] = np.nan
            files[tensor] = tmp_path_factory.mktemp("damaged") / "model.npz"
            np.savez(files[tensor], **changed)
    return files


@pytest.mark.parametrize("tensor", [IMAGE, TEXT])
@pytest.mark.parametrize(
    "command",
    [
        ("classify", "PICTURES", "bird", "house"),
        ("index", "PICTURES"),
        ("filter", "PICTURES", "--keep", "bird"),
        ("search", "bird", "--store", "STORE"),
        ("search", "--near", "BIRD", "--store", "STORE"),
        ("search", "bird", "--store", "STORE", "--all", "--json"),
        ("embed", "images", "PICTURES"),
        ("embed", "images", "PICTURES", "--low-memory"),
        ("embed", "texts", "bird"),
        ("convert", "MODEL", "OUT"),
    ],
    ids=" ".join,
)
def test_a_number_that_is_none_is_an_error_that_names_its_tensor(
    run: Run, album: Path, store: Path, damaged: dict[str, Path], tmp_path: Path, tensor: str, command: tuple[str, ...]
) -> None:
    words = {
        "PICTURES": album,
        "MODEL": damaged[tensor],
        "OUT": tmp_path / "out",
        "STORE": store,
        "BIRD": album / "bird.png",
    }
    model = ("-m", damaged[tensor]) if command[0] != "convert" else ()
    result = run(*(words.get(word, word) for word in command), *model, "--activation", "quick_gelu")
    if command[:2] == ("embed", "images" if tensor == TEXT else "texts"):  # which need the other tower only
        assert result.out and "NaN" not in result.out + result.err
        return
    assert (result.status, result.out) == (2, "")
    assert f"model.npz: tensor '{tensor}' holds NaN or infinity" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [1e38, 0])
@pytest.mark.parametrize(
    "command",
    [("classify", "PICTURES", "bird", "house"), ("index", "PICTURES"), ("embed", "images", "PICTURES")],
    ids=" ".join,
)
def test_weights_that_overflow_or_are_zero_are_blamed_and_not_the_images(
    run: Run, album: Path, tmp_path: Path, number: float, command: tuple[str, ...]
) -> None:
    with np.load(EMBEDDED["tiny"]) as arrays:
        parts = {
            name: np.full(arrays[name].shape, number, np.float32) for name in (IMAGE, IMAGE.replace("weight", "bias"))
        }
        np.savez(tmp_path / "model.npz", **{**arrays, **parts})
    model = ("-m", tmp_path / "model.npz", "--activation", "quick_gelu", "--low-memory")
    result = run(*(album if word == "PICTURES" else word for word in command), *model)
    assert (result.status, result.out) == (2, "")
    assert "the weights are damaged, or computing with them overflows" in result.err
    assert "encountered in" not in result.err


def test_weights_that_overflow_have_no_loss(run: Run, tmp_path: Path) -> None:
    with np.load(EMBEDDED["tiny"]) as arrays:
        np.savez(tmp_path / "model.npz", **{**arrays, IMAGE: np.full(arrays[IMAGE].shape, 1e38, np.float32)})
    result = run("convert", tmp_path / "model.npz", tmp_path / "out", "--activation", "quick_gelu")
    assert (result.status, result.out) == (2, "")
    assert "the weights are damaged" in result.err


def test_damage_in_a_record_is_an_error_that_names_it(run: Run, album: Path, tmp_path: Path) -> None:
    with np.load(EMBEDDED["tiny"]) as arrays:
        np.savez(tmp_path / "model.npz", **arrays)
        part = arrays[IMAGE].tobytes()
    content = bytearray((tmp_path / "model.npz").read_bytes())
    content[content.index(part) + len(part) // 2] ^= 1
    (tmp_path / "model.npz").write_bytes(content)
    result = run("embed", "images", album, "-m", tmp_path / "model.npz", "--activation", "quick_gelu")
    assert (result.status, result.out) == (2, "")
    assert f"record '{IMAGE}.npy' does not match its checksum. Download or copy the file again." in result.err
