"""Copies of OpenAI's models: a small one of its architectures, written in the layouts of OpenCLIP and transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError, DownloadError
from numpyclip.families import locate, openai
from numpyclip.families.openai_copies import check
from numpyclip.families.transformers_types import CLIP_NAMES
from numpyclip.model.vision.vision_config import ResNetConfig, VisionTransformerConfig
from numpyclip.weights import published
from numpyclip.weights.catalogue import Copy, KnownModel
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import unwritten, write_safetensors
from tests.weights.downloads import dead_port
from tests.weights.forged import GOLDEN
from tests.weights.hub_server import COMMIT, Hub, using

ORIGINALS = {"RN50": GOLDEN / "resnet-torchscript.pt", "ViT-B/32": GOLDEN / "vit-torchscript.pt"}
Arrays = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """OpenCLIP's table with these small models in place of OpenAI's."""
    architectures = {}
    for name, file in ORIGINALS.items():
        config = openai.measure(read(file), "quick_gelu")
        vision, text = config.vision, config.text
        assert vision is not None and text is not None
        if isinstance(vision, ResNetConfig):
            sizes: dict[str, object] = {"layers": list(vision.layers), "patch_size": None, "width": vision.width}
        else:
            assert isinstance(vision, VisionTransformerConfig)
            sizes = {"layers": vision.layers, "patch_size": vision.patch_size, "width": vision.width}
        sizes["image_size"] = vision.image_size
        text_cfg = {key: getattr(text, key) for key in ("context_length", "vocab_size", "width", "heads", "layers")}
        architectures[name.replace("/", "-")] = {
            "model_cfg": {"embed_dim": config.embed_dim, "vision_cfg": sizes, "text_cfg": text_cfg},
            "tags": {"openai": {"hub": "timm/x", "openai": name, "quick_gelu": True}},
        }
    table = {"normalisations": published._table()["normalisations"], "architectures": architectures}
    monkeypatch.setattr(published, "_table", lambda: table)
    return table


def weights(name: str) -> Arrays:
    """The tensors of a model, in single precision as in all copies."""
    records = ("input_resolution", "context_length", "vocab_size")
    arrays = read(ORIGINALS[name]).arrays
    return {key: np.asarray(array, np.float32) for key, array in arrays.items() if key not in records}


def as_transformers(arrays: Arrays) -> Arrays:
    """Give tensors the names and shapes of `CLIPModel`."""
    names = [(ours, theirs) for theirs, ours in CLIP_NAMES]
    renamed: Arrays = {"text_model.embeddings.position_ids": np.arange(77)[None]}
    for name, array in arrays.items():
        tower = "vision_model" if name.startswith("visual.") else "text_model"
        if "resblocks" in name:
            layer, part = name.split("resblocks.")[1].split(".", 1)
            prefix = f"{tower}.encoder.layers.{layer}"
            if "in_proj" in part:
                kind = part.rpartition("_")[2]
                for letter, third in zip("qkv", np.split(array, 3), strict=True):
                    renamed[f"{prefix}.self_attn.{letter}_proj.{kind}"] = third
                continue
            for ours, theirs in (("attn", "self_attn"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2")):
                part = part.replace(ours, theirs)
            renamed[f"{prefix}.{part.replace('c_fc', 'fc1').replace('c_proj', 'fc2')}"] = array
        elif name in ("visual.proj", "text_projection"):
            renamed["visual_projection.weight" if "visual" in name else "text_projection.weight"] = array.T.copy()
        else:
            for ours, theirs in names:
                if name == ours or name.startswith(f"{ours}."):
                    name = theirs + name[len(ours) :]
                    break
            renamed[name] = array
    return renamed


def write(path: Path, arrays: Arrays) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(path, [tensor for name, array in arrays.items() for tensor in unwritten(name, array)])
    return path


def embed(model: Any) -> list[np.ndarray]:
    size = model.preprocess.size
    image = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    return [model.encode_image(image), model.encode_text(np.array([[5, 9, 3, *[0] * (model.context_length - 3)]]))]


@pytest.mark.parametrize(("name", "layout"), [("RN50", "openai"), ("ViT-B/32", "openai"), ("ViT-B/32", "transformers")])
def test_a_copy_is_computed_as_openais_file(
    name: str, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = weights(name) if layout == "openai" else as_transformers(weights(name))
    body = write(tmp_path / "copy.safetensors", arrays).read_bytes()
    known = KnownModel(
        name,
        "x.pt",
        "0" * 64,
        (f"http://127.0.0.1:{dead_port()}/x",),
        (Copy("someone/model", COMMIT, "x.safetensors"),),
    )
    monkeypatch.setattr(locate, "DOWNLOADABLE", {name: known})
    original, _ = numpyclip.load(ORIGINALS[name])
    with using({"x.safetensors": body, "preprocessor_config.json": b"not read"}, tmp_path / "home"):
        loaded = [numpyclip.load(name)[0], numpyclip.load(name.replace("/", "-"), pretrained="openai")[0]]
    for model in loaded:
        assert model.config == original.config
        assert model.tokenizer.name == original.tokenizer.name
        for found, expected in zip(embed(model), embed(original), strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    if layout == "openai":
        assert loaded[0].fingerprint == original.fingerprint


def changed(**changes: Any) -> Arrays:
    arrays = weights("ViT-B/32")
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.zeros(value, np.float32)
    return arrays


@pytest.mark.parametrize(
    "changes",
    [
        {"visual__proj": None},
        {"ln_final__bias": None},
        {"ln_final__bias": (3,)},
        {"logit_scale": None},
        {"text__one_more": (3,)},
        {"visual__one_more": (3,)},
        {"token_embedding__weight": (9, 64)},
        {"visual__proj": (64, 7)},
        {"text_projection__weight": (64,)},
    ],
)
def test_other_tensors_than_those_of_the_model_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        check(write(tmp_path / "x.safetensors", changed(**changes)), "ViT-B/32")


def test_another_architecture_is_refused(tmp_path: Path, table: dict[str, Any]) -> None:
    file = write(tmp_path / "x.safetensors", weights("ViT-B/32"))
    check(file, "ViT-B/32")
    with pytest.raises(CheckpointError, match="is not RN50, but another architecture of OpenAI's"):
        check(file, "RN50")
    table["architectures"]["ViT-B-32"]["model_cfg"]["text_cfg"]["layers"] += 1
    with pytest.raises(CheckpointError, match="is not ViT-B/32"):
        check(file, "ViT-B/32")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "x.safetensors", weights("ViT-B/32"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        check(file, "ViT-B/32")


def test_the_towers_alone_are_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As timm's own file in its repositories; the error names both sources."""
    arrays = {name: array for name, array in weights("ViT-B/32").items() if name.startswith("visual.")}
    body = write(tmp_path / "x.safetensors", arrays).read_bytes()
    copies = (Copy("someone/model", COMMIT, "x.safetensors"), Copy("someone/model", COMMIT, "y.safetensors"))
    known = KnownModel("ViT-B/32", "x.pt", "0" * 64, (f"http://127.0.0.1:{dead_port()}/x",), copies)
    monkeypatch.setattr(locate, "DOWNLOADABLE", {"ViT-B/32": known})
    with using({"x.safetensors": body}, tmp_path / "home") as hub:
        assert isinstance(hub, Hub)
        with pytest.raises(
            DownloadError, match=r"(?s)x.safetensors: (tensor .* is missing|is not ViT).*y.safetensors: HTTP 404"
        ):
            numpyclip.load("ViT-B/32")
