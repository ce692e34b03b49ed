"""Text towers for other models' images: M-CLIP's, sentence-transformers'; test_parity.py compares their embeddings."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError, CorruptCheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.families import multilingual_clip
from numpyclip.families.config_file import Section
from numpyclip.families.repository_files import wanted
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.weights.read import read
from tests.families.altered import error_of
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close
from tests.weights import forged

FORMATS: tuple[Literal["open_clip", "transformers", "int8"], ...] = ("open_clip", "transformers", "int8")
DENSE = '{"type": "a.Dense", "path": "2_D"}'
NAMES = ("mclip-bert", "mclip-xlm-roberta", "sentence-transformers-distilbert")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(FAMILIES / name, tmp_path / name))


def change(path: Path, **options: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **options}), "utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_from_texts_to_embeddings_as_the_library(name: str) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    model, golden = load(name)
    texts = json.loads(str(golden["texts"]))
    ids = model.tokenize(texts, truncate=True)
    assert np.array_equal(ids[:, : golden["text"].shape[1]], golden["text"])
    assert_close(model.encode_text(ids), golden["encode_text"])
    with pytest.raises(InputError, match="this model has no tower for images"):
        model.encode_image(np.zeros((1, 3, 224, 224), np.float32))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mclip-bert", {"pool": "first"}),
        ("mclip-bert", {"pad_id": 3}),
        ("mclip-xlm-roberta", {"heads": 2}),
        ("sentence-transformers-distilbert", {"pool": "first"}),
    ],
)
def test_an_option_that_shapes_do_not_tell_moves_the_result(name: str, options: dict[str, Any]) -> None:
    assert error_of(name, "text", **options) > 2e-4


@pytest.mark.parametrize("name", NAMES)
def test_padding_is_the_same_in_the_config_file_and_the_tokenizer(name: str, folder: Callable[[str], Path]) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    path = folder(name)
    change(next(path.glob("encoder/**/config.json"), path / "config.json"), pad_token_id=3)
    model = numpyclip.load(path)[0]
    with pytest.raises(CheckpointError, match=r"pads texts with the token [01]; expected 3, the pad_token_id in the"):
        model.tokenize("a")


# --- M-CLIP ---------------------------------------------------------------------------------------


def read_options(**options: object) -> BertConfig:
    config, _ = multilingual_clip.read_config(Section(Path("config.json"), "", {"model_type": "M-CLIP", **options}))
    assert isinstance(config.text, BertConfig)
    assert config.text.pool == "mean"
    return config.text


def test_the_published_ones_are_known_by_their_encoder() -> None:
    large = read_options(modelBase="xlm-roberta-large", numDims=512, transformerDimensions=1024)
    assert (large.width, large.layers, large.heads, large.vocab_size, large.context_length) == (
        *(1024, 24, 16, 250002),
        512,
    )
    labse = read_options(modelBase="sentence-transformers/LaBSE", numDims=768, transformerDimensions=768)
    assert (labse.width, labse.layers, labse.vocab_size, labse.token_types) == (768, 12, 501153, 2)


def test_an_m_clip_is_known_by_its_encoder_alone(folder: Callable[[str], Path]) -> None:
    path = folder("mclip-bert")
    change(path / "config.json", model_type=None)
    assert numpyclip.load(path)[0].config.family == "multilingual_clip"


def test_a_config_file_may_have_the_options_of_the_encoder() -> None:
    """As in Kandinsky's pipelines."""
    text = read_options(
        hidden_size=64, num_attention_heads=4, transformerDimensions=64, max_position_embeddings=34, pad_token_id=1
    )
    assert (text.width, text.heads, text.pad_id, text.context_length) == (64, 4, 1, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modelBase": "someone/own"}, "modelBase is 'someone/own'; its sizes are not known here"),
        ({"modelBase": "/etc"}, "modelBase is '/etc'; its sizes are not known here"),
        ({"modelBase": "google/mt5-base"}, "modelBase is 'google/mt5-base'; expected a BERT or RoBERTa"),
        ({"modelBase": "xlm-roberta-base"}, "transformerDimensions is None; expected that of the encoder, 768"),
    ],
)
def test_what_is_not_supported_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=message):
        read_options(**options)


# --- sentence-transformers ------------------------------------------------------------------------


def test_older_files_have_an_option_for_each_pool(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    old = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (path / "1_Pooling" / "config.json").write_text(json.dumps({**old, "pooling_mode_max_tokens": False}))
    change(path / "sentence_bert_config.json", max_seq_length=9, do_lower_case=False)
    model, golden = numpyclip.load(path)[0], load(path.name)[1]
    assert model.context_length == 9
    text = golden["text"][:1, :9]  # the shortest
    assert_close(model.encode_text(text), golden["encode_text"][:1])
    change(path / "1_Pooling" / "config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    assert numpyclip.load(path)[0].config.text.pool == "first"  # type: ignore[union-attr]


def test_the_identity_has_two_names(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    expected = numpyclip.load(path)[0].config
    change(path / "2_Dense" / "config.json", activation_function="torch.nn.Identity")
    assert numpyclip.load(path)[0].config == expected


def test_the_encoder_may_be_in_a_folder_of_its_own(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    (path / "0_Transformer").mkdir()
    for file in path.iterdir():
        if file.is_file() and file.name != "modules.json":
            file.rename(path / "0_Transformer" / file.name)
    modules = json.loads((path / "modules.json").read_text("utf-8"))
    modules[0]["path"] = "0_Transformer"
    (path / "modules.json").write_text(json.dumps(modules), "utf-8")
    model, golden = numpyclip.load(path)[0], load(path.name)[1]
    assert_close(model.encode_text(golden["text"]), golden["encode_text"])


def test_the_files_of_later_modules_are_fetched() -> None:
    dense = ["2_Dense/config.json", "2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"]
    there = ["config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", *dense, "onnx/model.onnx"]
    assert wanted(there) == ["config.json", "modules.json", "1_Pooling/config.json", *dense[:2], "model.safetensors"]
    moved = [f"0_Transformer/{name}" if "." in name[:8] else name for name in there if name != "modules.json"]
    assert set(wanted([*moved, "modules.json"])) >= {"modules.json", "1_Pooling/config.json", *dense[:2]}
    options = ["config_sentence_transformers.json", "0_Transformer/sentence_bert_config.json"]
    assert set(wanted([*moved, "modules.json", *options])) >= set(options)


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "max"}, "pooling_mode is 'max'; expected 'mean' or 'cls'"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", "cls"]}, "pooling_mode is .*; expected str"),
        ("1_Pooling/config.json", {"embedding_dimension": 33}, "embedding_dimension is 33; expected 32"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Tanh"}, "Tanh'; expected"),
        ("2_Dense/config.json", {"activation_function": None}, "activation_function is None; expected"),
        ("2_Dense/config.json", {"in_features": 24}, "in_features is 24; expected 32"),
        (
            "config_sentence_transformers.json",
            {"default_prompt_name": "q"},
            "default_prompt_name is 'q'; expected null",
        ),
        ("sentence_bert_config.json", {"do_lower_case": True}, "do_lower_case is True; expected False"),
        (
            "sentence_bert_config.json",
            {"processing_kwargs": {"text": {"max_length": 9}}},
            "processing_kwargs is .*; exp",
        ),
        ("sentence_bert_config.json", {"query_length": 9}, "query_length is 9; expected None"),
        ("sentence_bert_config.json", {"modality_config": {"text": {"method": "x"}}}, r"text\.method is 'x'; expected"),
        (
            "config.json",
            {"model_type": "mpnet"},
            "model_type is 'mpnet'; expected 'bert' or 'roberta' or 'xlm-roberta'",
        ),
    ],
)
def test_what_a_module_does_otherwise_is_named(
    file: str, options: dict[str, Any], message: str, folder: Callable[[str], Path]
) -> None:
    path = folder("sentence-transformers-distilbert")
    change(path / file, **options)
    with pytest.raises(UnsupportedCheckpointError, match=message):
        numpyclip.load(path)


def test_an_empty_prompt_changes_nothing(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    change(path / "config_sentence_transformers.json", default_prompt_name="query")
    assert numpyclip.load(path)[0].config == load(path.name)[0].config


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            '[{"type": "a.Transformer", "path": "0_T"}, {"type": "a.Pooling", "path": "1_Pooling"}]',
            "its Transformer is in '0_T'; expected it beside",
        ),
        ("{}", r"lists \[\]; expected Transformer \+ Pooling or Transformer \+ Pooling \+ Dense, in folders here"),
        ("[", "no list of modules"),
        ("[3]", "no list of modules"),
        ('[{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "../x"}]', "in folders here"),
        ('[{"type": "a.Transformer", "path": ""}, {"type": "a.Normalize", "path": "1_N"}]', "lists .*'Transformer'"),
        (
            f'[{{"type": "a.Transformer", "path": ""}}, {", ".join([DENSE] * 2)}]',
            r"\('Dense', '2_D'\), \('Dense', '2_D'\)\]; expected",
        ),
    ],
)
def test_modules_that_are_not_known_are_named(modules: str, message: str, folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    (path / "modules.json").write_text(modules)
    with pytest.raises(CheckpointError, match=message):
        numpyclip.load(path)


def add_modules(path: Path, *kinds: str) -> None:
    file = path / "modules.json"
    modules = json.loads(file.read_text("utf-8")) if file.exists() else [{"type": "a.Transformer", "path": ""}]
    modules += [{"type": f"a.{kind}", "path": f"{len(modules)}_{kind}"} for kind in kinds]
    file.write_text(json.dumps(modules), "utf-8")


def test_modules_that_keep_directions_are_left_out(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    add_modules(path, "Dropout", "Normalize")
    assert numpyclip.load(path)[0].config == load(path.name)[0].config


def test_heads_are_left_out_and_a_prefix_of_the_encoder_is_taken_off(folder: Callable[[str], Path]) -> None:
    """As `DistilBertForMaskedLM` writes them."""
    path = folder("sentence-transformers-distilbert")
    stored = read(path / "model.safetensors")
    tensors = {f"distilbert.{name}": stored.copy(name) for name in stored.arrays}
    with (path / "model.safetensors").open("wb") as file:
        np.savez(file, **tensors, **{"vocab_transform.weight": np.zeros((32, 32))})  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match=r"tensors of heads are not used: 'vocab_transform\.weight'\."):
        model = numpyclip.load(path)[0]
    golden = load(path.name)[1]
    assert_close(model.encode_text(golden["text"]), golden["encode_text"])


def test_a_clip_may_be_the_only_module(folder: Callable[[str], Path]) -> None:
    path = folder("transformers-clip")
    add_modules(path, "Normalize")
    assert numpyclip.load(path)[0].config == load(path.name)[0].config
    add_modules(path, "Dense")
    with pytest.raises(UnsupportedCheckpointError, match=r"'2_Dense'\)\]; expected Transformer or CLIPModel"):
        numpyclip.load(path)


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        (
            "config_sentence_transformers.json",
            {"default_prompt_name": "q", "prompts": {"q": "a photo of "}},
            "default_prompt_name is 'q'; expected null",
        ),
        ("sentence_bert_config.json", {"modality_config": {"image": {"method": "x"}}}, r"image\.method is 'x'"),
    ],
)
def test_what_is_done_around_a_clip_is_named(
    file: str, options: dict[str, Any], message: str, folder: Callable[[str], Path]
) -> None:
    path = folder("transformers-clip")
    add_modules(path)
    (path / file).write_text(json.dumps(options))
    with pytest.raises(UnsupportedCheckpointError, match=message):
        numpyclip.load(path)


def test_a_changed_bit_in_the_weights_of_a_dense_is_noticed(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    file = path / "2_Dense" / "model.safetensors"
    weight = read(file).take("linear.weight")
    stored = forged.storage(numel=forged.number(weight.size))
    sizes = [forged.items(*map(forged.number, pair)) for pair in (weight.shape, (weight.shape[1], 1))]
    pickle = forged.mapping([(forged.text("linear.weight"), forged.tensor(stored, shape=sizes[0], strides=sizes[1]))])
    data = bytearray(forged.archive(forged.pickled(pickle), {"data/0": weight.tobytes()}))
    file.unlink()
    file.with_name("pytorch_model.bin").write_bytes(data)
    ids = load(path.name)[1]["text"]
    assert_close(numpyclip.load(path)[0].encode_text(ids), load(path.name)[1]["encode_text"])
    data[data.index(weight.tobytes())] ^= 1
    file.with_name("pytorch_model.bin").write_bytes(data)
    with pytest.raises(CorruptCheckpointError, match="checksum"):
        numpyclip.load(path)[0].encode_text(ids)


def test_a_dense_without_weights_is_an_error(folder: Callable[[str], Path]) -> None:
    path = folder("sentence-transformers-distilbert")
    (path / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"2_Dense: has no weights; expected a file named model\.safetensors"):
        numpyclip.load(path)


def test_a_model_of_several_files_cannot_be_saved(tmp_path: Path) -> None:
    model, _ = load("sentence-transformers-distilbert")
    for format in FORMATS:
        with pytest.raises(UnsupportedCheckpointError, match=r"has no weights in the layout of a file|two towers"):
            numpyclip.save(model, tmp_path / "saved", format=format)
