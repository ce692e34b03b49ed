"""Immich's names of models (machine-learning/immich_ml/models/constants.py), and names of two models at once."""

from pathlib import Path

import pytest

from numpyclip.families.aliases import images_of, resolve
from numpyclip.families.locate import is_supported
from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.published import architecture

OPENAIS = ("RN101", "RN50", "RN50x16", "RN50x4", "RN50x64", "ViT-B-16", "ViT-B-32", "ViT-L-14-336", "ViT-L-14")
TAGGED = [
    "RN101__yfcc15m",
    "RN50__cc12m",
    "RN50__yfcc15m",
    "ViT-B-16-SigLIP-256__webli",
    "ViT-B-16-SigLIP-384__webli",
    "ViT-B-16-SigLIP-512__webli",
    "ViT-B-16-SigLIP-i18n-256__webli",
    "ViT-B-16-SigLIP__webli",
    "ViT-B-16-plus-240__laion400m_e31",
    "ViT-B-16-plus-240__laion400m_e32",
    "ViT-B-16__laion400m_e31",
    "ViT-B-16__laion400m_e32",
    "ViT-B-32__laion2b-s34b-b79k",
    "ViT-B-32__laion2b_e16",
    "ViT-B-32__laion400m_e31",
    "ViT-B-32__laion400m_e32",
    "ViT-H-14-378-quickgelu__dfn5b",
    "ViT-H-14-quickgelu__dfn5b",
    "ViT-H-14__laion2b-s32b-b79k",
    "ViT-L-14-quickgelu__dfn2b",
    "ViT-L-14__laion2b-s32b-b82k",
    "ViT-L-14__laion400m_e31",
    "ViT-L-14__laion400m_e32",
    "ViT-L-16-SigLIP-256__webli",
    "ViT-L-16-SigLIP-384__webli",
    "ViT-SO400M-14-SigLIP-384__webli",
    "ViT-g-14__laion2b-s12b-b42k",
    "XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k",
    "XLM-Roberta-Large-ViT-H-14__frozen_laion5b_s13b_b90k",
    "nllb-clip-base-siglip__mrl",
    "nllb-clip-base-siglip__v1",
    "nllb-clip-large-siglip__mrl",
    "nllb-clip-large-siglip__v1",
    "ViT-B-16-SigLIP2__webli",
    "ViT-B-32-SigLIP2-256__webli",
    "ViT-L-16-SigLIP2-256__webli",
    "ViT-L-16-SigLIP2-384__webli",
    "ViT-L-16-SigLIP2-512__webli",
    "ViT-SO400M-14-SigLIP2-378__webli",
    "ViT-SO400M-14-SigLIP2__webli",
    "ViT-SO400M-16-SigLIP2-256__webli",
    "ViT-SO400M-16-SigLIP2-384__webli",
    "ViT-SO400M-16-SigLIP2-512__webli",
    "ViT-gopt-16-SigLIP2-256__webli",
    "ViT-gopt-16-SigLIP2-384__webli",
]
PAIRS = {
    "LABSE-Vit-L-14": ("ViT-L/14", None),
    "XLM-Roberta-Large-Vit-B-16Plus": ("ViT-B-16-plus-240", "laion400m_e32"),
    "XLM-Roberta-Large-Vit-B-32": ("ViT-B/32", None),
    "XLM-Roberta-Large-Vit-L-14": ("ViT-L/14", None),
}
REPOSITORIES = {"fg-clip2-base": "hf-hub:qihoo360/fg-clip2-base"}


def test_all_of_immichs_names_are_here() -> None:
    assert len({*OPENAIS, *TAGGED, *PAIRS, *REPOSITORIES}) == 59


@pytest.mark.parametrize("name", [*(f"{name}__openai" for name in OPENAIS), *TAGGED])
def test_a_name_with_a_tag_is_that_of_a_model_that_can_be_run(name: str) -> None:
    named = resolve(name)
    known = architecture(named.name)
    assert known is not None
    assert isinstance(named.pretrained, str)
    model = known.find(named.pretrained)
    assert model is not None
    assert is_supported(known, model)
    if name.endswith("__openai"):
        assert model.openai in DOWNLOADABLE
    assert f"{named.name}__{named.pretrained}".lower().replace("-", "_") == name.lower().replace("-", "_")


@pytest.mark.parametrize(("name", "images"), PAIRS.items())
def test_a_text_tower_comes_with_the_model_of_its_images(name: str, images: tuple[str, str | None]) -> None:
    for written in (name, f"immich-app/{name}", f"hf-hub:M-CLIP/{name}", f"hf-hub:M-CLIP/{name}@main"):
        named = resolve(written)
        assert (named.name, named.pretrained) == images
        assert str(named.text_model).partition("@")[0] == f"hf-hub:M-CLIP/{name}"
        assert images_of(written) == images


def test_that_of_sentence_transformers_comes_with_openais_images() -> None:
    name = "hf-hub:sentence-transformers/clip-ViT-B-32-multilingual-v1"
    assert resolve(name) == ("ViT-B/32", None, name)


@pytest.mark.parametrize(("name", "repository"), REPOSITORIES.items())
def test_others_are_in_repositories(name: str, repository: str) -> None:
    assert resolve(name) == (repository, None, None)


def test_what_is_named_otherwise_stays(tmp_path: Path) -> None:
    for name in ("ViT-B/32", "tiny", "hf-hub:someone/model", "ViT-B-32__never", "a__b", "hf-hub:someone/ViT__openai"):
        assert resolve(name) == (name, None, None)
    assert resolve("ViT-B-32__openai", "file.pt") == ("ViT-B-32__openai", "file.pt", None)
    assert resolve("hf-hub:M-CLIP/LABSE-Vit-L-14", None, "other") == ("hf-hub:M-CLIP/LABSE-Vit-L-14", None, "other")
    folder = tmp_path / "ViT-B-32__openai"
    folder.mkdir()
    assert resolve(str(folder)) == (str(folder), None, None)
