import shutil
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, NumPyCLIPError, PictureError
from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset
from numpyclip.tasks.evaluation.evaluate import dataset_labels, evaluate
from numpyclip.tasks.zero_shot import ZeroShotClassifier

ALBUM = Path(__file__).parents[3] / "docs" / "pictures" / "album"


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    """Four classes, in one of which a picture is wrong."""
    for label, name in (
        ("umbrella", "umbrella"),
        ("guitar", "guitar"),
        ("sun", "sun"),
        ("sun", "bicycle"),
        ("bicycle", "bicycle"),
    ):
        (tmp_path / label).mkdir(exist_ok=True)
        shutil.copy(ALBUM / f"{name}.png", tmp_path / label)
    return tmp_path


def classifier(model: CLIP, folder: Path) -> ZeroShotClassifier:
    return ZeroShotClassifier(model, dataset_labels(open_dataset(folder)))


def test_pictures_are_compared_with_their_folders(tiny: CLIP, kinds: Path) -> None:
    found = evaluate(tiny, open_dataset(kinds), classifier(tiny, kinds), batch_size=2)
    assert found.pictures == 5
    assert found.metrics["acc1"] == pytest.approx(4 / 5)
    assert found.metrics["mean_per_class_recall"] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert np.isnan(found.metrics["acc5"])  # of four labels
    (wrong,) = [answer for answer in found.answers if answer.label != answer.predicted]
    assert (Path(wrong.path).name, wrong.label, wrong.predicted) == ("bicycle.png", "sun", "bicycle")
    assert found.confusion is not None
    assert found.confusion.counts.sum() == 5


def test_captions_and_pictures_find_each_other(tiny: CLIP, tmp_path: Path) -> None:
    for name in ("umbrella", "guitar", "bicycle"):
        shutil.copy(ALBUM / f"{name}.png", tmp_path)
        (tmp_path / f"{name}.txt").write_text(f"a {name}\n{name}\n")
    found = evaluate(tiny, open_dataset(tmp_path))
    assert (found.pictures, found.captions) == (3, 6)
    assert found.metrics["image_retrieval_recall@1"] == found.metrics["text_retrieval_recall@1"] == 1
    assert "acc1" not in found.metrics


def test_labels_in_the_same_order_may_have_other_names(tiny: CLIP, kinds: Path) -> None:
    other = ZeroShotClassifier(tiny, ["a bike", "a guitar", "the sun", "a brolly"])
    assert {a.label for a in evaluate(tiny, open_dataset(kinds), other).answers} == {
        label.name for label in other.labels
    }
    with pytest.raises(InputError, match="expected the same names, or equal counts"):
        evaluate(tiny, open_dataset(kinds), ZeroShotClassifier(tiny, ["a", "b"]))


def test_what_cannot_be_read_is_told_or_raised(tiny: CLIP, kinds: Path) -> None:
    (kinds / "sun" / "broken.png").write_bytes(b"no picture")
    problems: list[NumPyCLIPError] = []
    assert evaluate(tiny, open_dataset(kinds), classifier(tiny, kinds), on_error=problems.append).pictures == 5
    assert "broken.png" in str(problems[0])
    with pytest.raises(PictureError, match="broken"):
        evaluate(tiny, open_dataset(kinds), classifier(tiny, kinds))


def test_nothing_to_evaluate_is_an_error(tiny: CLIP, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        evaluate(tiny, open_dataset(tmp_path), on_error="skip")
