"""scikit-learn transformers: they clone, pickle, name their features, and work in pipelines and searches."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, PictureError

pytest.importorskip("sklearn", reason="transformers need scikit-learn")

import joblib
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.parallel import Parallel, delayed

from numpyclip.integrations.sklearn import ImageEmbedder, TextEmbedder

CHECKS = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_valid_tag_types,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_mixin_order,
]  # the others fit matrices of numbers
TEXTS = ["a dog", "a cat", "a house", "a castle"]
EMBEDDERS = [TextEmbedder("tiny"), ImageEmbedder("tiny", batch_size=2)]


@pytest.fixture
def pictures(bird: Path) -> list[Any]:
    return [bird, Image.new("RGB", (70, 60), "red"), bird.read_bytes(), np.zeros((64, 64, 3), np.uint8)]


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=repr)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_scikit_learns_own_checks(embedder: Any, check: Any) -> None:
    check(type(embedder).__name__, clone(embedder))


def test_texts_of_all_kinds_of_columns_are_embedded(tiny: CLIP) -> None:
    expected = tiny.embed_texts(TEXTS)
    for column in (TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object)[:, np.newaxis]):
        found = TextEmbedder("tiny").fit_transform(column)
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)


def test_images_of_all_kinds_are_embedded(tiny: CLIP, pictures: list[Any]) -> None:
    expected = tiny.embed_images(pictures, 2)
    column = np.empty((4, 1), object)
    column[:, 0] = pictures
    for given in (pictures, column):
        assert np.array_equal(ImageEmbedder("tiny", batch_size=2).fit_transform(given), expected)
    stack = np.stack([np.full((64, 64, 3), value, np.uint8) for value in (0, 99)])
    assert np.array_equal(ImageEmbedder(tiny).transform(stack), tiny.embed_images([*stack]))


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=repr)
def test_what_is_no_column_is_refused(embedder: Any, bird: Path) -> None:
    one = np.zeros((64, 64, 3), np.uint8)
    for single in ("a dog", bird, b"GIF89a", (text for text in TEXTS), {"a dog": 1}, one, np.array("a dog")):
        with pytest.raises(InputError, match="expected several inputs"):
            embedder.fit(single)
        with pytest.raises(InputError, match="expected several inputs"):
            embedder.transform(single)
    with pytest.raises(InputError, match=r"found csr_matrix of shape \(2, 1\)"):
        embedder.transform(csr_matrix([[1], [0]]))
    with pytest.raises(InputError, match="found 2 columns; expected one"):
        embedder.transform(np.array([["a dog", "a cat"]]))


def test_missing_values_and_broken_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found nan \(float\); expected str"):
        TextEmbedder("tiny").transform(np.array(["a dog", float("nan")], object))
    with pytest.raises(PictureError, match=r"gone\.png"):
        ImageEmbedder("tiny").transform([tmp_path / "gone.png"])


def test_a_pickle_holds_the_name_of_a_model_and_not_its_weights() -> None:
    fitted = TextEmbedder("tiny").fit(TEXTS)
    data = pickle.dumps(fitted)
    assert len(data) < 1000
    assert np.array_equal(pickle.loads(data).transform(TEXTS), fitted.transform(TEXTS))


def test_a_clone_shares_a_loaded_model(tiny: CLIP) -> None:
    assert clone(TextEmbedder(tiny)).model is tiny
    again = pickle.loads(pickle.dumps(TextEmbedder(tiny).fit(TEXTS)))
    assert np.array_equal(again.transform(TEXTS), tiny.embed_texts(TEXTS))


def test_features_have_names() -> None:
    embedder = TextEmbedder("tiny", load_options={"truncate_dim": 3, "activation": "quick_gelu"})
    with pytest.warns(UserWarning, match="truncate"):
        embedder.fit(TEXTS)
    assert embedder.n_features_out_ == 3
    assert [*embedder.get_feature_names_out()] == ["textembedder0", "textembedder1", "textembedder2"]


def test_data_frames_go_in_and_come_out() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": TEXTS, "size": [1, 2, 3, 4]}, index=[7, 8, 9, 10])
    columns = ColumnTransformer([("clip", TextEmbedder("tiny"), "text")], remainder="passthrough")
    found = columns.set_output(transform="pandas").fit_transform(frame)
    assert [*found.columns[[0, 127, 128]]] == ["clip__textembedder0", "clip__textembedder127", "remainder__size"]
    assert [*found.index] == [7, 8, 9, 10]
    assert TextEmbedder("tiny").transform(frame[["text"]]).shape == (4, 128)


def test_a_grid_search_tries_models_and_settings(tiny: CLIP) -> None:
    texts = ["a dog", "a cat", "a horse", "a cow", "a house", "a castle", "a bridge", "a tower"]
    kinds = ["animal"] * 4 + ["building"] * 4
    search = GridSearchCV(
        Pipeline([("embed", TextEmbedder("tiny")), ("classify", LogisticRegression(C=10))]),
        {"classify__C": [1, 100], "embed__model": ["tiny", tiny], "embed__truncate": [False, True]},
        cv=2,
        error_score="raise",
    )
    search.fit(texts, kinds)
    assert [*search.predict(["a sheep", "a church"])] == ["animal", "building"]


def test_it_is_part_of_pipelines_and_unions(bird: Path) -> None:
    both = FeatureUnion([("low", ImageEmbedder("tiny")), ("draft", ImageEmbedder("tiny", draft=True))])
    pipeline = make_pipeline(both, LogisticRegression())
    pipeline.fit([bird, Image.new("RGB", (64, 64), "red")], ["bird", "red"])
    assert [*pipeline.predict([bird])] == ["bird"]


def test_after_images_were_embedded_scikit_learn_works_in_parallel(pictures: list[Any]) -> None:
    pipeline = make_pipeline(ImageEmbedder("tiny"), LogisticRegression()).fit(pictures, [*"abab"])
    with joblib.parallel_backend("threading"):
        scores = cross_val_score(pipeline, pictures, [*"abab"], cv=2, n_jobs=2, error_score="raise")
    assert len(scores) == 2


def test_a_worker_of_scikit_learn_keeps_the_warnings_of_others(pictures: list[Any]) -> None:
    ImageEmbedder("tiny").transform(pictures)
    with pytest.warns(UserWarning, match="of another"):
        Parallel(n_jobs=1)([delayed(warnings.warn)("of another")])
