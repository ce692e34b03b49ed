"""Tokens of towers before they are pooled: what the libraries compute within the very models that they wrote.

Recorded by tools/golden/hidden_states.py in float64.
"""

import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.token_encoder import choose_stage
from numpyclip.errors import InputError
from numpyclip.model.ops import Array
from numpyclip.model.token_stages import TokenStage, TokenStages
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.runtime import prepared
from numpyclip.weights.checkpoint import Checkpoint
from tests.model.golden import TOLERANCE, assert_close, load_golden

GOLDEN = Path(__file__).parents[1] / "golden"
EVERY = 4  # of so many numbers on the last axis one is recorded
CALLS = {"plain": {"norm": False}, "norm": {"norm": True}, "last": {}, "project": {"project": True}}


@cache
def load(name: str, low_memory: bool = False) -> tuple[CLIP, dict[str, Any]]:
    model, _ = numpyclip.load(GOLDEN / "families" / name, low_memory=low_memory)
    with np.load(GOLDEN / "families" / f"{name}.npz") as inputs:
        rows = {"image": slice(1), "text": [1, -1]}
        return model, {key: inputs[key][row] for key, row in rows.items() if key in inputs}


def records() -> list[tuple[str, str]]:
    found = []
    for file in sorted((GOLDEN / "hidden_states").glob("*.npz")):
        with np.load(file) as golden:
            found += [(file.stem, key) for key in golden]
    return found


def compute(model: Any, inputs: dict[str, Any], key: str) -> Array:
    """Call the method that a record names, as it says."""
    name, layer, how = f"{key} ".split(" ", 2)
    values = inputs[name.partition("_")[0]]
    if name.endswith("attention"):
        weights: Array = getattr(model, name)(values, int(layer))
        return weights
    options = dict(CALLS.get(how.strip(), {"norm": False}))
    if name == "image_tokens":
        grid = how.strip() == "grid" or (how.strip() == "project" and not hasattr(model.visual, "transformer"))
        options["grid"] = grid
        options["class_token"] = not grid
    tokens: Array = getattr(model, name)(values, int(layer), **options)
    return tokens


@pytest.mark.parametrize(("name", "key"), records())
def test_tokens_equal_the_library_s(name: str, key: str) -> None:
    model, inputs = load(name)
    with np.load(GOLDEN / "hidden_states" / f"{name}.npz") as golden:
        # After five stages of convolutions rounding is 5e-6 where the processor has no AVX-512.
        tolerance = 1e-5 if "five-stages" in name else TOLERANCE
        assert_close(compute(model, inputs, key)[..., ::EVERY], golden[key], tolerance)


OPENAI = {
    "vit-torchscript.pt": {
        "visual.ln_pre": ("image_tokens", 0, {"class_token": True}),
        "visual.transformer.resblocks.0": ("image_tokens", 1, {"class_token": True}),
        "transformer.resblocks.0": ("text_tokens", 1, {}),
        "transformer.resblocks.1": ("text_tokens", 2, {"norm": False}),
        "ln_final": ("text_tokens", -1, {}),
    },
    "resnet-torchscript.pt": {
        "visual.avgpool": ("image_tokens", 0, {"grid": True}),
        **{f"visual.layer{stage}": ("image_tokens", stage, {"grid": True}) for stage in (1, 2, 3, 4)},
        "transformer.resblocks.0": ("text_tokens", -1, {"norm": False}),
    },
}


@pytest.mark.parametrize(("name", "stage"), [(name, stage) for name in OPENAI for stage in OPENAI[name]])
def test_tokens_equal_openai_s(checkpoints: Path, name: str, stage: str) -> None:
    model, golden = load_golden(checkpoints, name)
    method, layer, options = OPENAI[name][stage]
    inputs = golden["image" if method == "image_tokens" else "text"]
    theirs = golden[f"stage {stage}"]
    if options.get("grid"):
        theirs = theirs.transpose(0, 2, 3, 1)
    assert_close(getattr(model, method)(inputs, layer, **options), theirs)


FAMILIES = sorted(folder.name for folder in (GOLDEN / "families").iterdir() if folder.is_dir())


WITHOUT_TEXTS = [
    "nomic-vision",
    "transformers-clip-vision",
    "transformers-clip-vision-bare",
    "transformers-siglip-vision",
]
CLASS_TOKEN_OR_POOLER = [
    *("open_clip-coca", "open_clip-coca-joined", "open_clip-coca-patches"),
    *("open_clip-bert-pooler", "open_clip-roberta"),
]


@pytest.mark.parametrize("name", sorted({*FAMILIES}.difference(WITHOUT_TEXTS, CLASS_TOKEN_OR_POOLER)))
def test_the_pooled_token_of_a_text_is_the_embedding(name: str) -> None:
    """For every family, also where no library was recorded."""
    model, inputs = load(name)
    config, text = model.config.text, inputs["text"]
    assert config is not None
    tokens = model.text_tokens(text, project=model.text.stages.projected_from is not None)
    if config.pool != "mean":
        assert_close(tokens[np.arange(2), config.ends(text)], model.encode_text(text))
    elif config.projection != "mlp":  # which is curved
        means = [row[:length].mean(axis=0) for row, length in zip(tokens, config.lengths(text), strict=True)]
        assert_close(np.stack(means), model.encode_text(text))


POOLED_PATCHES = [
    *("apple-mobileclip_b", "jina-clip-options", "jina-clip-v1", "jina-clip-v2", "transformers-altclip"),
    *("open_clip-bert", "open_clip-bert-pooler", "open_clip-coca-patches", "open_clip-first_token", "open_clip-mt5"),
    *("open_clip-m2m100-mean", "open_clip-mobileclip_text", "open_clip-mt5-first", "open_clip-nllb", "open_clip-wide"),
    *("open_clip-quickgelu", "open_clip-roberta", "open_clip-siglip_text", "open_clip-xlm-roberta", "timm-clip"),
    *("timm-clip_mean", "timm-clip_quickgelu", "timm-eva01", "timm-eva02", "timm-eva02_enormous", "timm-eva02_wide"),
    *("timm-gap", "timm-mci", "timm-registers", "timm-siglip_gap", "transformers-chinese-clip", "transformers-clip"),
    *("transformers-clip-gelu", "transformers-clip-vision", "transformers-clip-vision-bare", "transformers-metaclip-2"),
]


def test_all_families_are_known_whose_class_token_or_mean_of_patches_is_the_embedding() -> None:
    configs = {name: load(name)[0].config.vision for name in FAMILIES}
    assert {*POOLED_PATCHES} == {
        name
        for name, config in configs.items()
        if isinstance(config, VisionTransformerConfig)
        and config.pool.kind in ("tok", "avg")
        and not config.pool.norm_after
    }


@pytest.mark.parametrize("name", POOLED_PATCHES)
def test_the_class_token_or_the_mean_of_patches_is_the_embedding(name: str) -> None:
    model, inputs = load(name)
    config, image = model.config.vision, inputs["image"]
    assert isinstance(config, VisionTransformerConfig)
    options = {"project": True} if model.visual.stages.projected_from is not None else {"norm": True}
    if config.pool.kind == "tok":
        assert_close(model.image_tokens(image, class_token=True, **options)[:, 0], model.encode_image(image))
    elif config.projection != "mlp":
        assert_close(model.image_tokens(image, **options).mean(axis=1), model.encode_image(image))


def test_the_mean_of_projected_pixels_is_the_embedding_if_nothing_between_is_curved() -> None:
    model, inputs = load("open_clip-fastvit")
    pixels = model.image_tokens(inputs["image"], project=True)
    assert_close(pixels.mean(axis=1), model.encode_image(inputs["image"]))


@pytest.mark.parametrize("name", ["transformers-siglip-vision", "open_clip-convnext"])
def test_without_a_class_token_all_tokens_are_the_patches(name: str) -> None:
    model, inputs = load(name)
    tokens = model.image_tokens(inputs["image"], class_token=True)
    np.testing.assert_array_equal(tokens, model.image_tokens(inputs["image"]))


def test_patches_are_tokens_without_the_class_token_row_by_row() -> None:
    model, inputs = load("timm-clip")
    image = inputs["image"]
    all_tokens, patches = model.image_tokens(image, class_token=True), model.image_tokens(image)
    np.testing.assert_array_equal(patches, all_tokens[:, 1:])
    np.testing.assert_array_equal(model.image_tokens(image, grid=True).reshape(patches.shape), patches)


def test_images_of_any_shape_have_their_own_grid() -> None:
    model, _ = load("transformers-siglip2")
    image = np.zeros((2, 3, 24, 40), np.float32)
    assert model.image_tokens(image, grid=True).shape == (2, 3, 5, 48)


@pytest.mark.parametrize(
    "name", ["transformers-clip", "apple-mobileclip_s0", "open_clip-convnext", "open_clip-coca", "open_clip-mt5"]
)
def test_low_memory_changes_nothing(name: str) -> None:
    model, inputs = load(name)
    frugal, _ = load(name, low_memory=True)
    for layer in (0, 1, -1):
        assert_close(frugal.image_tokens(inputs["image"], layer), model.image_tokens(inputs["image"], layer))
        assert_close(frugal.text_tokens(inputs["text"], layer), model.text_tokens(inputs["text"], layer))
    assert_close(frugal.text_attention(inputs["text"]), model.text_attention(inputs["text"]))


@pytest.mark.parametrize("name", ["transformers-clip", "transformers-altclip", "apple-mobileclip_s0", "timm-siglip"])
def test_cached_weights_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    _, inputs = load(name)
    first, second = (numpyclip.load(GOLDEN / "families" / name)[0] for _ in range(2))
    for method, values in (("image_tokens", inputs["image"]), ("text_tokens", inputs["text"])):
        before = getattr(first, method)(values)
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "take", None)  # of the second model nothing is prepared again
            np.testing.assert_array_equal(getattr(second, method)(values), before)


def test_a_model_from_another_process_has_tokens() -> None:
    model, inputs = load("transformers-clip")
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.text_tokens(inputs["text"]), model.text_tokens(inputs["text"]))
    np.testing.assert_array_equal(copy.image_attention(inputs["image"]), model.image_attention(inputs["image"]))


def test_projected_tokens_are_truncated_as_embeddings() -> None:
    model, inputs = load("transformers-clip")
    with pytest.warns(UserWarning, match="truncate_dim"):
        short, _ = numpyclip.load(GOLDEN / "families" / "transformers-clip", truncate_dim=16)
    for method, values in (("image_tokens", inputs["image"]), ("text_tokens", inputs["text"])):
        tokens = getattr(model, method)(values, project=True)
        np.testing.assert_array_equal(getattr(short, method)(values, project=True), tokens[..., :16])
        np.testing.assert_array_equal(getattr(short, method)(values), getattr(model, method)(values))


def test_many_inputs_are_computed_in_chunks() -> None:
    model, inputs = load("transformers-clip")
    for method, value in ((model.image_tokens, inputs["image"]), (model.text_tokens, inputs["text"][:1])):
        tokens = method(np.repeat(value, 200, axis=0))
        assert len(tokens) == 200
        assert_close(tokens, np.repeat(method(value), 200, axis=0))


def test_no_inputs_have_no_tokens() -> None:
    model, inputs = load("transformers-clip")
    assert model.image_tokens(inputs["image"][:0], project=True, grid=True).shape == (0, 4, 4, 40)
    assert model.text_tokens(inputs["text"][:0]).shape == (0, 12, 32)
    assert model.text_attention(inputs["text"][:0]).shape == (0, 4, 12, 12)


def test_shorter_texts_have_the_tokens_that_they_begin_with() -> None:
    model, inputs = load("transformers-clip")
    text = inputs["text"]
    assert_close(model.text_tokens(text[:, :5], 1), model.text_tokens(text, 1)[:, :5])


def test_a_batch_of_texts_does_not_change_any(tiny: CLIP) -> None:
    text = tiny.tokenize(["a red apple", "a red apple", ""])
    tokens = tiny.text_tokens(text)
    for row in range(3):
        assert_close(tokens[row : row + 1], tiny.text_tokens(text[row : row + 1]))


def test_models_without_an_attention_block_or_a_projection_say_so() -> None:
    resnet, inputs = load("open_clip-worldwide_text")
    siglip, images = load("transformers-siglip-vision")
    bert, texts = load("transformers-chinese-clip")
    with pytest.raises(InputError, match="image_attention: not available for this kind of tower"):
        resnet.image_attention(inputs["image"])
    with pytest.raises(InputError, match="image_tokens: project is True, but this tower has no projection of single"):
        resnet.image_tokens(inputs["image"], project=True)
    with pytest.raises(InputError, match="image_tokens: norm is True, but this tower has no norm for single tokens"):
        resnet.image_tokens(inputs["image"], norm=True)
    with pytest.raises(InputError, match="image_tokens: project is True, but this tower has no projection of single"):
        siglip.image_tokens(images["image"], project=True)
    with pytest.raises(InputError, match="no tower for texts"):
        siglip.text_tokens(inputs["text"])
    with pytest.raises(InputError, match="text_tokens: norm is True, but this tower has no norm for single tokens"):
        bert.text_tokens(texts["text"], norm=True)


@pytest.mark.parametrize("layer", [3, -4, 1.0, True, "1", None, [1], 10**30])
def test_a_layer_that_is_not_there_is_refused(layer: Any) -> None:
    model, inputs = load("transformers-clip")
    with pytest.raises(InputError, match=r"text_tokens: layer is .*; expected an integer from -3 to 2"):
        model.text_tokens(inputs["text"], layer)
    with pytest.raises(InputError, match=r"image_tokens: layer is .*; expected an integer from -3 to 2"):
        model.image_tokens(inputs["image"], layer)
    with pytest.raises(InputError, match=r"image_attention: layer is .*; expected an integer from -2 to 1"):
        model.image_attention(inputs["image"], layer)


def test_layers_count_from_both_ends() -> None:
    model, inputs = load("transformers-clip")
    for layer in range(3):
        np.testing.assert_array_equal(
            model.text_tokens(inputs["text"], np.int64(layer)), model.text_tokens(inputs["text"], layer - 3)
        )


def test_options_that_exclude_each_other_are_refused() -> None:
    model, inputs = load("transformers-clip")
    convnext, images = load("open_clip-convnext")
    with pytest.raises(InputError, match="class_token is True, but it has no place in a grid"):
        model.image_tokens(inputs["image"], class_token=True, grid=True)
    with pytest.raises(InputError, match="norm is False, but a projection always follows the last norm"):
        model.text_tokens(inputs["text"], norm=False, project=True)
    with pytest.raises(InputError, match="project is True, but only the last layer can be projected"):
        convnext.image_tokens(images["image"], 1, project=True)


def test_inputs_are_checked_as_those_of_the_encoders() -> None:
    model, inputs = load("transformers-clip")
    with pytest.raises(InputError, match=r"text_tokens: ids are in 0\.\.96; expected 0\.\.95"):
        model.text_tokens(np.array([[0, 96]]))
    with pytest.raises(InputError, match=r"text_tokens: got an array of shape \(1, 13\)"):
        model.text_tokens(np.zeros((1, 13), int))
    with pytest.raises(InputError, match="text_attention: got an array of shape"):
        model.text_attention(np.zeros((1, 3)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"image_tokens: got an array of shape \(1, 3, 32, 31\)"):
        model.image_tokens(inputs["image"][..., :31])


@pytest.mark.parametrize("name", ["transformers-clip", "transformers-altclip", "apple-mobileclip_s0", "timm-pe"])
def test_attention_sums_to_one(name: str) -> None:
    model, inputs = load(name)
    weights = model.text_attention(inputs["text"])
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    if hasattr(model.visual, "transformer"):
        np.testing.assert_allclose(model.image_attention(inputs["image"]).sum(axis=-1), 1, rtol=1e-5)


CLIP_IMAGE = TokenStages(layers=3, norms_all=False)
CLIP_TEXT = TokenStages(layers=3)
CONVOLUTIONS = TokenStages(layers=3, has_norm=False, projected_from=3)


@pytest.mark.parametrize(
    ("stages", "layer", "norm", "project", "expected"),
    [
        (CLIP_TEXT, -1, None, False, TokenStage(layer=3, norm=True)),
        (CLIP_TEXT, 3, None, False, TokenStage(layer=3, norm=True)),
        (CLIP_TEXT, -2, None, False, TokenStage(layer=2)),
        (CLIP_TEXT, -2, True, False, TokenStage(layer=2, norm=True)),
        (CLIP_TEXT, -1, False, False, TokenStage(layer=3)),
        (CLIP_TEXT, 0, None, True, TokenStage(layer=0, project=True)),
        (CLIP_IMAGE, -1, None, False, TokenStage(layer=3)),
        (CLIP_IMAGE, -4, True, False, TokenStage(layer=0, norm=True)),
        (CONVOLUTIONS, -1, None, False, TokenStage(layer=3)),
        (CONVOLUTIONS, -1, True, True, TokenStage(layer=3, norm=True, project=True)),
    ],
)
def test_the_stage_that_a_caller_asks_for(
    stages: TokenStages, layer: int, norm: bool | None, project: bool, expected: TokenStage
) -> None:
    assert choose_stage("tokens", stages, layer, norm, project) == expected


@pytest.mark.parametrize(
    ("stages", "layer", "norm", "project", "message"),
    [
        (CLIP_TEXT, 4, None, False, "tokens: layer is 4; expected an integer from -4 to 3"),
        (CLIP_TEXT, -1, False, True, "tokens: norm is False, but a projection always follows the last norm"),
        (CONVOLUTIONS, -1, True, False, "tokens: norm is True, but this tower has no norm for single tokens"),
        (CONVOLUTIONS, 2, None, True, "tokens: project is True, but only the last layer can be projected"),
        (TokenStages(layers=3, projected_from=None), -1, None, True, "has no projection of single tokens"),
    ],
)
def test_a_stage_that_is_not_there_is_refused(
    stages: TokenStages, layer: int, norm: bool | None, project: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        choose_stage("tokens", stages, layer, norm, project)
