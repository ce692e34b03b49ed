"""Copies of OpenAI's models in the layouts of OpenCLIP and transformers: the name says what the files do not.

That is the activation, the number of heads, the preprocessing and the tokenizer. The tensors must be exactly those of
the model of that name.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families import open_clip, openai
from numpyclip.families.config_file import Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.tensor_names import rename, translator, used
from numpyclip.families.transformers_types import CLIP_NAMES
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.tower import text_tower
from numpyclip.model.vision.tower import vision_tower
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.published import architecture, published_as
from numpyclip.weights.read import read


def check(path: Path, name: str) -> None:
    """Raise CheckpointError unless a file of weights is a copy of OpenAI's model of this name."""
    describe(read(path), name)


def describe(checkpoint: Checkpoint, name: str) -> ModelDescription:
    """Describe a copy of OpenAI's model of this name."""
    checkpoint = _by_openais_names(checkpoint)
    found = openai.describe(checkpoint, "quick_gelu")
    expected = _expected(name)
    if (found.config.vision, found.config.text, found.config.embed_dim) != expected:
        raise UnsupportedCheckpointError(f"{checkpoint.path}: is not {name}, but another architecture of OpenAI's.")
    checkpoint.check(dict(_tensors(checkpoint, found.config)))
    return found


def _expected(name: str) -> tuple[object, ...]:
    """Return the towers of a model, and the dimension of its embeddings, by OpenCLIP's table."""
    published = published_as(name)
    known = architecture(published[0]) if published else None
    assert known is not None and published is not None
    config, _ = open_clip.read_config(Section(Path(name), "", known.describe(known.models[published[1]])))
    return config.vision, config.text, config.embed_dim


def _by_openais_names(checkpoint: Checkpoint) -> Checkpoint:
    """Translate transformers' names; its projections are transposed."""
    renamed = rename(used(checkpoint), translator(CLIP_NAMES))
    arrays = dict(renamed.arrays)
    for name in ("visual.proj", "text_projection"):
        if (array := arrays.pop(f"{name}.weight", None)) is not None:
            if array.ndim != 2:
                raise CheckpointError(f"{checkpoint.path}: tensor '{name}.weight' has shape {array.shape}.")
            arrays[name] = array.T
    return replace(renamed, arrays=arrays)


def _tensors(checkpoint: Checkpoint, config: CLIPConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    assert config.vision is not None and config.text is not None
    yield "logit_scale", checkpoint.arrays["logit_scale"].shape if "logit_scale" in checkpoint else ()
    yield from vision_tower(config.vision).tensors(checkpoint, config.vision, config.embed_dim)
    yield from text_tower(config.text).tensors(checkpoint, config.text, config.embed_dim)
