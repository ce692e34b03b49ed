"""jina-clip: adapters of a task, options of the config file, and the sizes of the published models."""

import json
import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families.config_file import Section
from numpyclip.families.jina_clip import describe
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import files_at
from numpyclip.model.transformer_config import TextRopeConfig
from numpyclip.runtime.towers import expected_tensors
from numpyclip.weights.checkpoint import Checkpoint
from tests.families.altered import error_of
from tests.families.test_parity import FAMILIES, load
from tests.families.test_transformers import edit
from tests.model.golden import assert_close
from tests.tokenizer.test_hugging_face import FOLDER as TOKENIZERS
from tests.tokenizer.test_hugging_face import golden as golden_tokens
from tests.tokenizer.test_hugging_face import needs

Config = dict[str, Any]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[int], Path]:
    return lambda version: Path(shutil.copytree(FAMILIES / f"jina-clip-v{version}", tmp_path / str(version)))


# --- adapters -------------------------------------------------------------------------------------


def text_of(folder: Path, change: Callable[[Config], object]) -> np.ndarray:
    edit(folder, change)
    return numpyclip.load(folder)[0].encode_text(load("jina-clip-v2")[1]["text"])


def test_the_adapters_are_those_of_the_task_in_the_config_file(copy: Callable[[int], Path]) -> None:
    folder, expected = copy(2), load("jina-clip-v2")[1]["encode_text"]
    assert_close(text_of(folder, lambda config: None), expected)
    largest = np.abs(expected).max()
    passages = text_of(folder, lambda config: config["text_config"].update(default_lora_task="retrieval.passage"))
    plain = text_of(folder, lambda config: config["text_config"].update(default_lora_task=None))
    for one, other in ((passages, expected), (plain, expected), (plain, passages)):
        assert np.abs(one - other).max() > 0.05 * largest


def test_a_model_with_adapters_can_be_saved_as_int8(copy: Callable[[int], Path], tmp_path: Path) -> None:
    model, golden = load("jina-clip-v2")
    numpyclip.save(model, tmp_path / "int8", format="int8")
    saved = numpyclip.load(tmp_path / "int8")[0]
    assert_close(saved.encode_text(golden["text"]), golden["encode_text"])  # so small weights are not quantized


def test_low_memory_changes_no_embedding() -> None:
    for name in ("jina-clip-v1", "jina-clip-v2"):
        model, golden = load(name)
        low = numpyclip.load(FAMILIES / name, low_memory=True)[0]
        assert np.array_equal(low.encode_text(golden["text"]), model.encode_text(golden["text"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.update(default_lora_task="separation"), "default_lora_task is 'separation'; expected one"),
        (lambda text: text["hf_model_config_kwargs"].update(lora_rank=4), "do not have lora_rank 4"),
        (lambda text: text["hf_model_config_kwargs"]["lora_adaptations"].pop(), "is not for 1 tasks"),
    ],
)
def test_adapters_that_contradict_the_config_file_are_refused(
    copy: Callable[[int], Path], change: Callable[[Config], object], message: str
) -> None:
    folder = copy(2)
    edit(folder, lambda config: change(config["text_config"]))
    with pytest.raises(CheckpointError, match=message):
        numpyclip.load(folder)


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("jina-clip-v1", {"gate": "silu"}),
        ("jina-clip-v1", {"alibi": False, "rotary": TextRopeConfig(base=10_000.0, length=77)}),
        ("jina-clip-v1", {"heads": 8}),
        ("jina-clip-v1", {"pool": "first"}),
        ("jina-clip-v2", {"rotary": None, "alibi": True}),
        ("jina-clip-v2", {"standardized": True}),
    ],
)
def test_every_option_of_the_text_tower_matters(name: str, options: dict[str, Any]) -> None:
    assert error_of(name, "text", **options) > 1e-3


@pytest.mark.parametrize(
    ("version", "section", "options", "message"),
    [
        (1, "text_config", {"hf_model_name_or_path": "bert-base-uncased"}, "expected jinaai/jina-bert-flash-impl"),
        (2, "text_config", {"default_instruction_task": "retrieval.query"}, "default_instruction_task is 'retr"),
        (2, "text_config", {"pooler_type": "max_pooler"}, "pooler_type is 'max_pooler'; expected"),
        (2, "text_config", {"embed_dim": 16}, "expected vision_config.embed_dim, which is 32"),
        (1, "vision_config", {"embed_dim": 16}, "expected 32, the width of a tower without a projection"),
        (1, "vision_config", {"intp_freq": False}, "pt_hw_seq_len is 2; expected 4"),
        (1, "vision_config", {"head_width": 7}, "expected a divisor of the width, 32"),
        (1, "vision_config", {"image_size": 40}, "size is 32; expected 40, which config.json says"),
        (1, "vision_config", {"something": 1}, "vision_config.something is 1; transformers has no"),
    ],
)
def test_what_is_not_supported_is_named(
    copy: Callable[[int], Path], version: int, section: str, options: Config, message: str
) -> None:
    folder = copy(version)
    edit(folder, lambda config: config[section].update(options))
    with pytest.raises(UnsupportedCheckpointError, match=message):
        numpyclip.load(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad_token_id": 2**40}, "pad_token_id is .*; expected 0 to"),
        ({"max_position_embeddings": 2}, "max_position_embeddings is 2; expected 3 or more"),
        ({"rotary_emb_base": 0.5}, "rotary_emb_base is 0.5; expected 1 or more"),
    ],
)
def test_options_of_the_text_model_have_bounds(copy: Callable[[int], Path], options: Config, message: str) -> None:
    folder = copy(2)
    edit(folder, lambda config: config["text_config"]["hf_model_config_kwargs"].update(options))
    with pytest.raises(UnsupportedCheckpointError, match=message):
        numpyclip.load(folder)


def test_the_text_model_may_be_named_by_a_folder(copy: Callable[[int], Path]) -> None:
    folder, (_, golden) = copy(2), load("jina-clip-v2")
    edit(folder, lambda config: config["text_config"].update(hf_model_name_or_path="..\\models\\jina-embeddings-v3\\"))
    assert_close(numpyclip.load(folder)[0].encode_text(golden["text"]), golden["encode_text"])


# --- texts and images -----------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "case"), [(1, "chinese_clip bert"), (2, "altclip xlm-roberta")])
def test_tokens_are_those_of_transformers(copy: Callable[[int], Path], version: int, case: str) -> None:
    folder, tokens, tokenizer = copy(version), golden_tokens(), case.partition(" ")[2]
    needs(tokenizer)
    for file in (TOKENIZERS / tokenizer).iterdir():
        shutil.copy(file, folder)
    edit(folder, lambda config: config["text_config"]["hf_model_config_kwargs"].update(max_position_embeddings=26))
    ids = numpyclip.load(folder)[0].tokenize(tokens["texts"], truncate=True)
    assert ids.shape[1] == tokens["context_length"] == 24
    assert np.array_equal(ids, tokens["ids"][f"transformers {case}"])


def test_texts_have_up_to_512_tokens_as_in_the_model_s_own_code() -> None:
    assert load("jina-clip-v1")[0].context_length == load("jina-clip-v2")[0].context_length == 512


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1", "CMYK"])
def test_pictures_are_made_rgb_first(mode: str) -> None:
    """As `encode_image` does, whose transform is otherwise open_clip's."""
    preprocess = load("jina-clip-v1")[0].preprocess
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (50, 41, 4), np.uint8), "RGBA").convert(mode)
    expected = numpyclip.Preprocess(32, profile="open_clip")(picture.convert("RGB"))
    assert np.array_equal(preprocess(picture), expected)


# --- the published models -------------------------------------------------------------------------


def published(version: int) -> tuple[Config, dict[str, tuple[int, ...]]]:
    """The config file, and the tensors' shapes."""
    width, depth, patch = ((768, 12, 16), (1024, 24, 14))[version - 1]
    size, mlp = ((224, 2048), (512, 2730))[version - 1]
    config: Config = json.loads((FAMILIES / f"jina-clip-v{version}" / "config.json").read_text("utf-8"))
    sizes = {"width": width, "embed_dim": width, "layers": depth, "patch_size": patch, "image_size": size}
    config["vision_config"].update(sizes, head_width=64, pt_hw_seq_len=16, mlp_ratio=2.6667)
    config["text_config"]["embed_dim"] = config["projection_dim"] = width
    kwargs = config["text_config"]["hf_model_config_kwargs"]
    for option in ("num_attention_heads", "layer_norm_eps"):
        kwargs.pop(option, None)
    vision = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, (size // patch) ** 2 + 1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        **norm("norm", width),
    }
    for block in (f"blocks.{index}." for index in range(depth)):
        vision |= {f"{block}attn.{part}_proj.weight": (width, width) for part in "qkv"}
        vision |= {f"{block}attn.q_bias": (width,), f"{block}attn.v_bias": (width,)}
        layers = {"attn.proj": (width, width), "mlp.w1": (mlp, width), "mlp.w2": (mlp, width), "mlp.w3": (width, mlp)}
        for layer, shape in layers.items():
            vision |= {f"{block}{layer}.weight": shape, f"{block}{layer}.bias": shape[:1]}
        for part in ("norm1", "norm2", "attn.inner_attn_ln"):
            vision |= norm(f"{block}{part}", width)
        vision |= norm(f"{block}mlp.ffn_ln", mlp)
    text = {"embeddings.word_embeddings.weight": ((30528, 250002)[version - 1], width), **norm("emb_ln", width)}
    text["embeddings.token_type_embeddings.weight"] = (3 - version, width)
    for block in (f"encoder.layers.{index}." for index in range(depth)):
        layers = {"mixer.Wqkv": (3 * width, width), "mixer.out_proj": (width, width)}
        if version == 1:
            text[f"{block}mlp.gated_layers.weight"] = (2 * 4 * width, width)
            layers["mlp.wo"] = (width, 4 * width)
        else:
            layers |= {"mlp.fc1": (4 * width, width), "mlp.fc2": (width, 4 * width)}
        for layer, shape in layers.items():
            text |= {f"{block}{layer}.weight": shape, f"{block}{layer}.bias": shape[:1]}
        text |= norm(f"{block}norm1", width) | norm(f"{block}norm2", width)
    prefix = ("text_model.transformer.", "text_model.transformer.roberta.")[version - 1]
    named = chain(
        ((f"vision_model.{name}", shape) for name, shape in vision.items()),
        ((f"{prefix}{name}", shape) for name, shape in (text if version == 1 else adapted(text, 3)).items()),
    )
    return config, {"logit_scale": (), **dict(named)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def adapted(shapes: dict[str, tuple[int, ...]], rank: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a text model whose matrices have adapters for two tasks."""
    found = {}
    for name, shape in shapes.items():
        if len(shape) != 2:
            found[name] = shape
            continue
        place = name.removesuffix("weight") + "parametrizations.weight."
        rows, columns = shape
        sides = [(2, rows, rank), (2, rank, columns)] if "embeddings" in name else [(2, rank, columns), (2, rows, rank)]
        found |= {f"{place}original": shape, f"{place}0.lora_A": sides[0], f"{place}0.lora_B": sides[1]}
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_the_published_models_have_these_tensors(version: int, tmp_path: Path) -> None:
    config, shapes = published(version)
    arrays = {name: np.broadcast_to(np.float16(0), shape) for name, shape in shapes.items()}  # which take no memory
    path = tmp_path / "config.json"
    checkpoint = Checkpoint(path, arrays)
    shutil.copy(FAMILIES / f"jina-clip-v{version}" / "preprocessor_config.json", tmp_path)
    size = config["vision_config"]["image_size"]
    processor = json.loads((tmp_path / "preprocessor_config.json").read_text("utf-8"))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**processor, "size": size}), "utf-8")
    found = describe(checkpoint, Section(path, "", config))
    found.checkpoint.check(dict(expected_tensors(found.checkpoint, found.config)))
    text = found.config.text
    assert text is not None
    assert text.heads == (12, 16)[version - 1]
    assert text.eps == (1e-12, 1e-5)[version - 1]
    assert found.config.embed_dim == (768, 1024)[version - 1]


def test_a_folder_of_two_text_towers_is_refused(tmp_path: Path) -> None:
    files = files_at(FAMILIES / "jina-clip-v1")
    arrays = dict.fromkeys(("text_model.transformer.emb_ln.bias", "text_model.transformer.roberta.emb_ln.bias"))
    assert files.config is not None
    with pytest.raises(CheckpointError, match="two text towers"):
        describe(Checkpoint(tmp_path, {name: np.zeros(3) for name in arrays}), files.config)
    assert recognize(files).config.family == "jina_clip"
