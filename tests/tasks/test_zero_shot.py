import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.runtime.lazy import Lazy
from numpyclip.tasks.prompts import templates
from numpyclip.tasks.zero_shot import Prediction, ZeroShotClassifier, embed_labels

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"
LABELS = ["bicycle", "umbrella", "guitar"]


@pytest.fixture(scope="module")
def classifier(tiny: CLIP) -> ZeroShotClassifier:
    return ZeroShotClassifier(tiny, LABELS, ["a {}", "a drawing of a {}"])


def test_a_label_is_the_mean_of_its_prompts_as_in_openais_notebook(tiny: CLIP) -> None:
    found = ZeroShotClassifier(tiny, [["dog", "puppy"], "cat"], "imagenet7").embeddings
    for row, phrases in enumerate((["dog", "puppy"], ["cat"])):
        prompts = [template.replace("{}", phrase) for phrase in phrases for template in templates("imagenet7")]
        embeddings = tiny.encode_text(numpyclip.tokenize(prompts)).astype(np.float64)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        mean = embeddings.mean(axis=0)
        np.testing.assert_allclose(found[row], mean / np.linalg.norm(mean), atol=2e-6)
    assert found.dtype == np.float32


def test_many_texts_are_embedded_batch_by_batch(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ZeroShotClassifier(tiny, ["dog", ["cat", "kitten"], "cow"]).labels
    expected = embed_labels(tiny, labels, ["a {}", "{}"])
    monkeypatch.setattr("numpyclip.tasks.zero_shot._BATCH", 3)
    sizes: list[int] = []

    def watch(batches: Iterable[list[tuple[int, str]]]) -> Iterator[list[tuple[int, str]]]:
        for batch in batches:
            sizes.append(len(batch))
            yield batch

    found = embed_labels(tiny, labels, ["a {}", "{}"], watch)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert sizes == [3, 3, 2]


def test_pictures_are_classified(classifier: ZeroShotClassifier) -> None:
    found = classifier.classify([ALBUM / "umbrella.png", ALBUM / "guitar.png"], top_k=2)
    assert [row[0].label for row in found] == ["umbrella", "guitar"]
    assert all(len(row) == 2 and row[0].probability >= row[1].probability for row in found)


def test_probabilities_are_those_of_the_model(tiny: CLIP, classifier: ZeroShotClassifier) -> None:
    images = tiny.embed_images([ALBUM / "umbrella.png"])
    assert (classifier.probabilities(images) == tiny.probabilities(images, classifier.embeddings)).all()


def test_the_best_labels_reach_their_thresholds(classifier: ZeroShotClassifier) -> None:
    rows = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])
    assert classifier.top_k(rows, 2)[1] == [Prediction("bicycle", 0.4), Prediction("guitar", 0.4)]
    assert [[p.label for p in row] for row in classifier.top_k(rows, threshold=0.35)] == [
        ["umbrella"],
        ["bicycle", "guitar"],
    ]
    assert [[p.label for p in row] for row in classifier.top_k(rows, threshold=[0.39, 0.6, 0])] == [
        ["guitar"],
        ["bicycle", "guitar"],
    ]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), [0.1, 0.2], "high", None])
def test_what_is_no_threshold_is_refused(classifier: ZeroShotClassifier, threshold: Any) -> None:
    with pytest.raises(InputError, match="threshold is"):
        classifier.top_k([[1, 0, 0]], threshold=threshold)


@pytest.mark.parametrize("k", [0, -1, 1.5, "2"])
def test_what_is_no_count_is_refused(classifier: ZeroShotClassifier, k: Any) -> None:
    with pytest.raises(InputError, match="top_k is"):
        classifier.top_k([[1, 0, 0]], k)


def test_parents_are_as_probable_as_their_labels_together(tiny: CLIP) -> None:
    classifier = ZeroShotClassifier(tiny, ["animal/dog", "animal/cat", "car"], separator="/")
    found = classifier.parents([[0.5, 0.2, 0.3]])
    assert found.keys() == {"animal"}
    np.testing.assert_allclose(found["animal"], [0.7], atol=1e-6)
    np.testing.assert_allclose(classifier.embeddings[0], tiny.embed_texts("dog")[0], atol=1e-6)


def test_what_was_saved_is_loaded(tiny: CLIP, tmp_path: Path) -> None:
    file = tmp_path / "labels.npz"
    classifier = ZeroShotClassifier(tiny, ["animal/dog", ["animal/cat", "kitten"]], "imagenet7", separator="/")
    classifier.save(file)
    again = ZeroShotClassifier.load(tiny, file)
    assert (again.labels, again.templates, again.separator) == (classifier.labels, classifier.templates, "/")
    np.testing.assert_array_equal(again.embeddings, classifier.embeddings)


def test_another_model_is_refused(tiny: CLIP, tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    ZeroShotClassifier(tiny, LABELS).save(file)
    arrays = dict(np.load(file))
    description = json.loads(arrays["description"].tobytes())
    description["fingerprint"] = replace(tiny.fingerprint, weights="0" * 64, weights_float16="0" * 64).to_json()
    np.savez(
        file, embeddings=arrays["embeddings"], description=np.frombuffer(json.dumps(description).encode(), np.uint8)
    )
    with pytest.raises(InputError, match="made with another model"):
        ZeroShotClassifier.load(tiny, file)


def test_another_precision_is_loaded_with_a_warning(tiny: CLIP, tmp_path: Path) -> None:
    ZeroShotClassifier(tiny, LABELS).save(tmp_path / "a.npz")
    fingerprint = replace(tiny.fingerprint, precision="bfloat16")
    rounded = replace(tiny, _fingerprint=Lazy(lambda: fingerprint))
    with pytest.warns(UserWarning, match=r"a\.npz: embeddings are computed in float32, not in bfloat16"):
        ZeroShotClassifier.load(rounded, tmp_path / "a.npz")


def test_files_that_are_none_are_refused(tiny: CLIP, tmp_path: Path) -> None:
    ZeroShotClassifier(tiny, LABELS).save(tmp_path / "good.npz")
    whole = (tmp_path / "good.npz").read_bytes()
    file = tmp_path / "bad.npz"
    for length in (0, 10, len(whole) // 2, len(whole) - 10):
        file.write_bytes(whole[:length])
        with pytest.raises(NumPyCLIPError, match=r"bad\.npz"):
            ZeroShotClassifier.load(tiny, file)
    for arrays in (
        {"x": np.zeros(3)},
        {"embeddings": np.zeros((3, 4)), "description": np.frombuffer(b"[]", np.uint8)},
        {"embeddings": np.full((3, 128), np.nan), "description": np.frombuffer(b"{}", np.uint8)},
    ):
        np.savez(file, **arrays)
        with pytest.raises(InputError, match="is not a classifier"):
            ZeroShotClassifier.load(tiny, file)
    with pytest.raises(InputError, match="cannot be read"):
        ZeroShotClassifier.load(tiny, tmp_path / "nowhere.npz")


@pytest.mark.parametrize(
    "change", [{"labels": "abc"}, {"labels": [5]}, {"labels": [["a", 5]]}, {"templates": "imagenet"},
               {"templates": 5}, {"separator": 5}, {"fingerprint": 5}, {"fingerprint": "{}"}]
)  # fmt: skip
def test_a_file_whose_description_is_wrong_is_refused(change: dict[str, Any], tiny: CLIP, tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    ZeroShotClassifier(tiny, LABELS).save(file)
    arrays = dict(np.load(file))
    wrong = json.dumps(json.loads(arrays["description"].tobytes()) | change)
    np.savez(file, embeddings=arrays["embeddings"], description=np.frombuffer(wrong.encode(), np.uint8))
    with pytest.raises(InputError, match="is not a classifier"):
        ZeroShotClassifier.load(tiny, file)


def test_embeddings_must_be_as_many_as_labels(tiny: CLIP) -> None:
    with pytest.raises(InputError, match="got 2 embeddings; expected 3"):
        ZeroShotClassifier(tiny, LABELS, embeddings=np.eye(2, tiny.config.embed_dim))


def test_a_classifier_prints_as_one_line_and_is_a_table_of_its_labels_in_a_notebook(tiny: CLIP) -> None:
    classifier = ZeroShotClassifier(tiny, [["<b>", "bee"], *map(str, range(30))], ["a {}", "the {}"])
    assert repr(classifier) == "ZeroShotClassifier(31 labels, 2 templates)"
    assert repr(ZeroShotClassifier(tiny, ["a dog"])) == "ZeroShotClassifier(1 label, 1 template)"
    html = classifier._repr_html_()
    assert "<tr><th>&lt;b&gt;</th><td>&lt;b&gt;, bee</td></tr>" in html
    assert html.count("<tr>") == 21
    assert "... and 11 more" in html


def test_a_probability_that_is_the_threshold_is_enough(classifier: ZeroShotClassifier) -> None:
    row = np.array([[0.5, 0.25, 0.0]], np.float32)
    assert [p.label for p in classifier.top_k(row)[0]] == LABELS  # by default all, also those that are improbable
    assert [p.label for p in classifier.top_k(row, threshold=0.25)[0]] == LABELS[:2]
    assert [p.label for p in classifier.top_k(row, threshold=[0.5, 0, 1])[0]] == LABELS[:2]
    assert classifier.top_k([[1, 0, 0]], threshold=1) == [[Prediction("bicycle", 1.0)]]


def test_one_label_by_default_of_pictures_as_they_are_turned(
    classifier: ZeroShotClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    iter_embeddings = CLIP.iter_embeddings

    def note(model: CLIP, images: Any, batch_size: int = 0, **options: Any) -> Any:
        seen.append((batch_size, options))
        return iter_embeddings(model, images, batch_size, **options)

    monkeypatch.setattr(CLIP, "iter_embeddings", note)
    found = classifier.classify([ALBUM / "umbrella.png"] * 2)
    classifier.classify(ALBUM / "umbrella.png", batch_size=3, orient=False)
    assert [[p.label for p in row] for row in found] == [["umbrella"]] * 2
    assert seen == [(32, {"orient": True, "views": ("crop",)}), (3, {"orient": False, "views": ("crop",)})]


def test_probable_labels_make_their_parents_probable_where_each_is_judged_by_itself(tiny: CLIP) -> None:
    sigmoid = replace(tiny, config=replace(tiny.config, sigmoid=True))
    classifier = ZeroShotClassifier(sigmoid, ["animal/dog", "animal/cat", "car"], separator="/")
    np.testing.assert_allclose(classifier.parents([[0.5, 0.7, 0.3]])["animal"], [0.7], atol=1e-6)
    assert ZeroShotClassifier(tiny, ["animal/dog"]).parents([[1]]) == {}
