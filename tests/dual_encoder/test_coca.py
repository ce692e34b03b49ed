"""A CoCa as it is used: pictures in, captions out. That they are open_clip's is tested in tests/families."""

import inspect
import json
import pickle
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.coca import CoCa
from numpyclip.errors import InputError, NumPyCLIPError, PictureError
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.captioning.generate import Decoding
from numpyclip.model.config import CLIPConfig, DecoderConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import PoolConfig, VisionTransformerConfig
from numpyclip.runtime import prepared, weight_store
from numpyclip.runtime.towers import expected_tensors
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read
from tests.families.test_parity import FAMILIES, load

FOLDER = FAMILIES / "open_clip-coca"
TINY: dict[str, Any] = {"start_id": 38, "end_id": 39, "seq_len": 12, "min_seq_len": 3}


def picture(seed: int) -> Image.Image:
    """Draw a few large squares of any colour."""
    squares = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), np.uint8)
    return Image.fromarray(squares).resize((40, 30 + seed), Image.Resampling.NEAREST)


PICTURES = [picture(seed) for seed in range(5)]


@pytest.fixture(scope="module")
def model() -> CoCa:
    """A model of random weights with the vocabulary of the published ones."""
    sizes: dict[str, Any] = {"width": 16, "layers": 1, "heads": 2, "mlp_width": 64, "activation": "gelu"}
    vision = VisionTransformerConfig(
        **sizes, image_size=16, patch_size=8, pool=PoolConfig(kind="attn", queries=5, heads=2)
    )
    text = TextConfig(**sizes, context_length=14, vocab_size=49408, pool="cls")
    decoder = DecoderConfig(**sizes, context_length=14)
    config = CLIPConfig(
        family="open_clip", embed_dim=16, vision=vision, text=text, preprocess=Preprocess(16), decoder=decoder
    )
    random = np.random.default_rng(7)  # with which captions differ
    empty = Checkpoint(Path("random"), {})
    arrays = {}
    for name, shape in expected_tensors(empty, config):
        fan_in = shape[-1] if len(shape) > 1 else 1
        arrays[name] = np.array(random.standard_normal(shape) * fan_in**-0.5, np.float32)
    words = arrays["text_decoder.text_projection"]
    words /= np.linalg.norm(words, axis=0)  # or the same few would come always
    return CoCa.read(Checkpoint(Path("random"), arrays), config, open_clip_tokenizer)


def test_captions_are_the_words_between_the_marks(model: CoCa) -> None:
    options: dict[str, Any] = {"method": "greedy", "seq_len": 12, "min_seq_len": 3}
    captions = model.generate(PICTURES, **options)
    ids = model.generate_ids(np.stack([model.preprocess.crop(picture) for picture in PICTURES]), Decoding(**options))
    assert len(set(captions)) > 2
    for caption, row in zip(captions, ids.tolist(), strict=True):
        words = row[1 : row.index(49407)]
        assert caption == model.tokenizer.decode(i for i in words if i != 49406).strip()
        assert "_of_text>" not in caption


def test_generate_takes_every_option_of_decoding_but_the_marks() -> None:
    options = inspect.signature(CoCa.generate).parameters
    expected = {field.name: field.default for field in fields(Decoding) if not field.name.endswith("_id")}
    assert {name: options[name].default for name in expected} == expected


@pytest.mark.parametrize("method", ["beam_search", "greedy", "top_k", "top_p"])
def test_batches_do_not_matter(model: CoCa, method: Any) -> None:
    options: dict[str, Any] = {"method": method, "seq_len": 12, "min_seq_len": 3, "top_k": 50, "top_p": 0.9, "seed": 1}
    together = model.generate(PICTURES, **options)
    assert model.generate(iter(PICTURES), 2, **options) == together
    assert model.generate(PICTURES[0], **options) == together[:1]
    assert model.generate([], **options) == []


@pytest.mark.parametrize(
    ("options", "padding"),
    [({}, 5), ({"method": "greedy"}, 5), ({"pad_id": 0}, 0), ({"method": "greedy", "pad_id": 7}, 7)],
)
def test_what_stands_behind_captions_is_the_model_s_unless_told_otherwise(
    tmp_path: Path, options: dict[str, Any], padding: int
) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "model"))
    config = json.loads((folder / "open_clip_config.json").read_text("utf-8"))
    config["model_cfg"]["pad_id"] = 5
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    model, _ = numpyclip.load(folder)
    assert isinstance(model, CoCa)
    _, golden = load(FOLDER.name)
    rows = model.generate_ids(golden["image"], Decoding(**TINY, **options)).tolist()
    ended = [row for row in rows if TINY["end_id"] in row]
    assert {i for row in ended for i in row[row.index(TINY["end_id"]) + 1 :]} == {padding}


def test_pictures_are_turned_as_they_are_for_embeddings(model: CoCa, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    PICTURES[0].save(tmp_path / "turned.png", exif=exif)
    turned = model.generate([tmp_path / "turned.png"], seq_len=12)
    assert turned == model.generate([PICTURES[0].transpose(Image.Transpose.ROTATE_270)], seq_len=12)
    as_it_is = model.generate(PICTURES[0], seq_len=12)
    assert model.generate([tmp_path / "turned.png"], seq_len=12, orient=False) == as_it_is != turned
    with pytest.raises(PictureError, match=r"none\.png"):
        model.generate([tmp_path / "none.png"], seq_len=12)


@pytest.mark.parametrize(
    ("ids", "caption"),
    [
        ([49406, 320, 1929, 49407, 0, 0], "a dog"),
        ([49406, 320, 1929, 49407], "a dog"),
        ([49406, 320, 1929], "a dog"),
        ([49406, 320, 1929, 0, 0], "a dog"),  # padding that ended it
        ([49406, 320, 1929, 0, 49407, 0], "a dog !"),  # the word-internal one
        ([49406, 320, 49406, 1929, 49407, 320], "a dog"),
        ([49406, 49407], ""),
        ([49406, 0], ""),
        ([49406], ""),
    ],
)
def test_ids_become_words_up_to_the_end_mark(model: CoCa, ids: list[int], caption: str) -> None:
    assert model._words(ids, Decoding(pad_id=0)) == caption


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seq_len": 16}, "seq_len is 16; expected 15 or less"),
        ({"seq_len": 16, "method": "greedy"}, "seq_len is 16; expected 15 or less"),
        ({}, "seq_len is 30; expected 15 or less"),
        ({"num_beams": 30000, "num_beam_groups": 1, "seq_len": 12}, "num_beams is 30000; expected less"),
        ({"method": "beam"}, "method is 'beam'; expected one of beam_search, greedy, top_k, top_p"),
        ({"top_p": 2}, "top_p is 2; expected a number above 0, up to 1"),
    ],
)
def test_an_option_that_the_model_cannot_follow_is_named(model: CoCa, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.generate([], **options)


def test_the_longest_caption_fills_all_places(model: CoCa) -> None:
    ids = model.generate_ids(np.zeros((1, 16, 16, 3), np.uint8), Decoding(seq_len=15, min_seq_len=14))
    assert ids.shape == (1, 15)
    long = Decoding(method="greedy", seq_len=40, min_seq_len=39, max_seq_len=14)
    assert model.generate_ids(np.zeros((1, 16, 16, 3), np.uint8), long).shape[1] <= 40


def test_ids_beyond_the_vocabulary_are_refused() -> None:
    tiny, golden = load("open_clip-coca")
    assert isinstance(tiny, CoCa)
    with pytest.raises(InputError, match="start_id is 49406; expected at most 39"):
        tiny.generate_ids(golden["image"], Decoding(seq_len=12))
    with pytest.raises(InputError, match="got an array of shape"):
        tiny.generate_ids(golden["image"][:, :2], Decoding(**TINY))


def test_low_memory_a_copy_and_what_was_prepared_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    _, golden = load("open_clip-coca")

    def write(model: object) -> list[list[int]]:
        assert isinstance(model, CoCa)
        ids: list[list[int]] = model.generate_ids(golden["image"], Decoding(**TINY)).tolist()
        return ids

    model, _ = numpyclip.load(FOLDER)
    expected = write(model)
    assert sorted(file.name.split("-")[1] for file in prepared.prepared_files()) == ["decoder", "text", "visual"]
    assert write(pickle.loads(pickle.dumps(model))) == expected
    assert write(numpyclip.load(FOLDER, low_memory=True)[0]) == expected

    def refuse(*_: object) -> None:
        raise AssertionError("prepared again")

    again, _ = numpyclip.load(FOLDER)
    monkeypatch.setattr(Checkpoint, "copy", refuse)
    monkeypatch.setattr(weight_store, "save_prepared", refuse)
    assert write(again) == expected


def test_as_many_beams_as_half_the_tokens_are_the_most() -> None:
    tiny, golden = load("open_clip-coca")
    assert isinstance(tiny, CoCa)
    assert tiny.vocab_size == 40
    most = Decoding(**{**TINY, "num_beams": 20, "num_beam_groups": 1})
    assert len(tiny.generate_ids(golden["image"][:1], most)) == 1
    with pytest.raises(InputError, match="num_beams is 21; expected less, for 40 tokens"):
        tiny.generate_ids(golden["image"][:1], replace(most, num_beams=21))


def test_the_last_token_may_be_any_mark() -> None:
    tiny, golden = load("open_clip-coca")
    assert isinstance(tiny, CoCa)
    assert len(tiny.generate_ids(golden["image"][:1], Decoding(**{**TINY, "pad_id": 39}))) == 1
    for name in ("start_id", "end_id", "pad_id"):
        with pytest.raises(InputError, match=f"{name} is 40; expected at most 39"):
            tiny.generate_ids(golden["image"][:1], Decoding(**{**TINY, name: 40}))


@pytest.mark.parametrize("tensor", ["text_decoder.text_projection", "text_decoder.resblocks.0.attn.in_proj_weight"])
@pytest.mark.parametrize("method", ["beam_search", "greedy", "top_p"])
def test_damaged_weights_write_no_caption(tmp_path: Path, tensor: str, method: Any) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "model"))
    file = next(path for path in folder.iterdir() if path.suffix == ".safetensors")
    checkpoint = read(file)
    arrays: dict[str, Any] = {name: checkpoint.take(name) for name in checkpoint.arrays}
    np.savez(tmp_path / "damaged.npz", **{**arrays, tensor: np.full_like(arrays[tensor], np.nan)})
    (tmp_path / "damaged.npz").replace(file)
    model, _ = numpyclip.load(folder)
    assert isinstance(model, CoCa)
    with pytest.raises(NumPyCLIPError, match=f"{tensor}' holds NaN"):
        model.generate_ids(np.zeros((2, 3, 24, 24), np.float32), Decoding(method=method, **TINY))
