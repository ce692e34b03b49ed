"""A model that begins with exported weights, and has more blocks, computes what they computed."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.weights.catalogue import EMBEDDED

torch = pytest.importorskip("torch")


def test_more_blocks_change_no_embedding(tiny: CLIP) -> None:
    from model import CLIP as Trained  # type: ignore[import-not-found]
    from warm_start import begin_with  # type: ignore[import-not-found]

    model = Trained((1, 2, 4, 2), 24).eval()
    begin_with(model, EMBEDDED["tiny"])
    pixels = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    ids = tiny.tokenize(["a dog", "two red apples", "a cat to the left of a house"]).astype(np.int64)
    with torch.no_grad():
        images, texts = model.image(torch.from_numpy(pixels)), model.text(torch.from_numpy(ids))
    np.testing.assert_allclose(images, tiny.encode_image(pixels, normalize=True), atol=1e-5)
    np.testing.assert_allclose(texts, tiny.encode_text(ids, normalize=True), atol=1e-5)


def test_positions_are_interpolated() -> None:
    from warm_start import resized

    positions = torch.tensor([[9.0], [0], [0], [2], [2]])  # the mean's, and 2 x 2: rows of 0 and of 2
    assert resized(positions, 4) is positions
    assert resized(positions, 9)[:, 0].tolist() == [9, 0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual.conv1.weight": np.zeros((16, 3, 3, 3))}, r"'visual.conv1.weight' has shape \(16, .*expected \(12, "),
        ({"visual.conv1.weight": None}, "'visual.conv1.weight' is missing"),
        ({"visual.layer1.1.bn1.bias": np.zeros(24)}, "'visual.layer1.1.bn1.bias' is of no block"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: dict[str, np.ndarray | None], message: str) -> None:
    from model import CLIP as Trained
    from warm_start import begin_with

    with np.load(EMBEDDED["tiny"]) as file:
        arrays = dict(file) | change
    np.savez(tmp_path / "other.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(SystemExit, match=message):
        begin_with(Trained((1, 1, 1, 1), 24), tmp_path / "other.npz")


def test_texts_are_embedded_alike_with_less_padding() -> None:
    from model import CLIP as Trained
    from numpyclip import tokenize
    from train import by_length  # type: ignore[import-not-found]

    model = Trained((1, 1, 1, 1), 24).eval()
    texts = ["a dog", "a small domesticated carnivorous mammal with soft fur, kept as a pet", "two apples", "pear"]
    ids = torch.from_numpy(tokenize(texts).astype(np.int64))
    with torch.no_grad():
        for chosen in (ids, ids[:1], ids[1:2]):
            torch.testing.assert_close(by_length(model.text, chosen), model.text(chosen))


def test_a_longer_schedule_differs_only_once_the_rate_falls() -> None:
    from train import Schedule

    short, long = Schedule(1000, 0, 0.6), Schedule(2000, 0, 0.6)
    assert short.rate(0) == long.rate(0) == pytest.approx(0.6 / 200)
    assert all(short.rate(step) == long.rate(step) == 0.6 for step in (199, 400, 649))
    assert short.rate(825) == pytest.approx(0.3)
    assert short.rate(1000) == long.rate(2000) == pytest.approx(0.0006)
