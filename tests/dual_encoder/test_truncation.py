"""Embeddings that are truncated to their first dimensions: `numpyclip.load(..., truncate_dim=...)`."""

import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.index.index import Index
from numpyclip.model import ops
from tests.families.test_parity import FAMILIES
from tests.families.test_transformers import edit

TEXTS = ["a dog", "a red house", "two birds"]
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.fixture(scope="module")
def truncated() -> CLIP:
    with pytest.warns(UserWarning, match="tiny.*: this model is not known to be trained for truncated embeddings"):
        return numpyclip.load("tiny", truncate_dim=32)[0]


def test_the_first_dimensions_are_kept_at_unit_length(tiny: CLIP, truncated: CLIP) -> None:
    for ours, whole in (
        (truncated.embed_texts(TEXTS), tiny.embed_texts(TEXTS)),
        (truncated.embed_images(PICTURE), tiny.embed_images(PICTURE)),
    ):
        assert ours.shape == (len(whole), 32)
        assert ours.dtype == np.float32
        assert np.allclose(ours, ops.normalize(whole[:, :32]), atol=1e-6)
    assert truncated.embed_images([]).shape == (0, 32)
    ids = tiny.tokenize(TEXTS)
    assert np.array_equal(truncated.encode_text(ids), tiny.encode_text(ids)[:, :32])


def test_scores_are_those_of_truncated_embeddings(tiny: CLIP, truncated: CLIP) -> None:
    image, text = tiny.preprocess.crop(ops_picture())[np.newaxis], tiny.tokenize(TEXTS)
    expected = np.exp(tiny.logit_scale) * (
        ops.normalize(tiny.encode_image(image)[:, :32]) @ ops.normalize(tiny.encode_text(text)[:, :32]).T
    )
    assert np.allclose(truncated(image, text)[0], expected, atol=1e-4)
    assert truncated.classify(PICTURE, TEXTS).shape == (1, 3)
    with pytest.raises(InputError, match=r"embeddings of texts have shape \(3, 128\); expected \(n, 32\)"):
        truncated.logits(truncated.embed_images(PICTURE), tiny.embed_texts(TEXTS))


def ops_picture() -> Any:
    from PIL import Image

    return Image.fromarray(PICTURE)


def test_the_fingerprint_says_so(tiny: CLIP, truncated: CLIP) -> None:
    differences = tiny.fingerprint.differences(truncated.fingerprint)
    assert differences == "architecture: embed_dim=128 full_dim=default, not embed_dim=32 full_dim=128"
    assert "full_dim=128" in truncated.fingerprint.architecture
    assert "matryoshka" not in truncated.fingerprint.architecture
    assert "32 dimensions" in repr(truncated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert numpyclip.load("tiny", truncate_dim=128)[0].fingerprint == tiny.fingerprint


def test_an_index_refuses_embeddings_of_other_dimensions(tiny: CLIP, truncated: CLIP, tmp_path: Path) -> None:
    with Index(tmp_path / "index", truncated, create=True) as index:
        index.add_texts(TEXTS)
        assert index.search("a dog", modality="texts")[0].embedding.shape == (32,)
    remedy = r"pass truncate_dim=32 \(--truncate-dim 32\), or re-embed: .* --migrate --truncate-dim 128\."
    with pytest.raises(InputError, match=f"holds embeddings of 32 dimensions, not 128; {remedy}"):
        Index(tmp_path / "index", tiny)
    with Index(tmp_path / "whole", tiny, create=True) as index:
        index.add_texts(TEXTS)
    remedy = r"leave out truncate_dim \(--truncate-dim\), or re-embed: .* --migrate --truncate-dim 32\."
    with pytest.raises(InputError, match=f"holds embeddings of 128 dimensions, not 32; {remedy}"):
        Index(tmp_path / "whole", truncated)


@pytest.mark.parametrize("dim", [0, -1, 129, 2.5, "32", True])
def test_other_dimensions_are_refused(dim: Any) -> None:
    with pytest.raises(InputError, match=r"truncate_dim is .*; expected 1 to 128, the dimensions"):
        numpyclip.load("tiny", truncate_dim=dim)


def test_a_truncated_model_is_pickled_but_not_saved(truncated: CLIP, tmp_path: Path) -> None:
    assert np.array_equal(pickle.loads(pickle.dumps(truncated)).embed_texts(TEXTS), truncated.embed_texts(TEXTS))
    with pytest.raises(InputError, match="load the model without truncate_dim"):
        numpyclip.save(truncated, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_with_a_text_tower_of_another_model_the_warning_is_given_once() -> None:
    paths = FAMILIES / "open_clip-xlm-roberta", FAMILIES / "mclip-bert"
    with pytest.warns(UserWarning, match="Matryoshka") as said:
        model, _ = numpyclip.load(paths[0], text_model=paths[1], truncate_dim=8)
    assert len(said) == 1
    assert model.encode_text(np.array([[5, 6, 7]])).shape == (1, 8)
    with pytest.warns(UserWarning, match="Matryoshka"), pytest.raises(InputError, match=r"have 24 dimensions, .* 40;"):
        numpyclip.load(FAMILIES / "open_clip-quickgelu", text_model=paths[1], truncate_dim=8)


def test_models_that_are_trained_for_it_have_no_warning() -> None:
    assert numpyclip.load(FAMILIES / "jina-clip-v2", truncate_dim=8)[0].config.embed_dim == 8
    with pytest.warns(UserWarning, match="jina-clip-v1.*Matryoshka"):
        numpyclip.load(FAMILIES / "jina-clip-v1", truncate_dim=8)


def test_a_config_file_may_say_it(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "jina-clip-v2", tmp_path / "model"))
    edit(folder, lambda config: config.update(truncate_dim=16))
    model, whole = numpyclip.load(folder)[0], numpyclip.load(FAMILIES / "jina-clip-v2")[0]
    ids = np.array([[5, 6, 7]])
    assert np.array_equal(model.encode_text(ids), whole.encode_text(ids)[:, :16])
    assert numpyclip.load(folder, truncate_dim=8)[0].fingerprint.architecture.startswith("embed_dim=8 ")
    with pytest.raises(InputError, match=r"expected 1 to 16, the dimensions"):
        numpyclip.load(folder, truncate_dim=32)


@pytest.mark.parametrize("folder", ["nllb-siglip-mrl-base", "models--visheratin--nllb-siglip-mrl-base/snapshots/0"])
def test_the_name_of_a_repository_may_say_it(tmp_path: Path, folder: str) -> None:
    known = shutil.copytree(FAMILIES / "open_clip-quickgelu", tmp_path / folder)
    assert numpyclip.load(known, truncate_dim=8)[0].config.matryoshka
    other = shutil.copytree(known, known / "models--x--other" / "snapshots" / "0")
    with pytest.warns(UserWarning, match="Matryoshka"):
        numpyclip.load(other, truncate_dim=8)
