"""The towers of a model: which tensors they have, and how each is read from a checkpoint."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from numpyclip.model import expected_tensors as expected
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.tower import TextTower, text_tower
from numpyclip.model.vision.tower import VisionTower, vision_tower
from numpyclip.runtime.weight_store import read_tower
from numpyclip.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from numpyclip.model.captioning.decoder import Decoder


def expected_tensors(checkpoint: Checkpoint, config: CLIPConfig) -> expected.Tensors:
    """List all tensors of a model, with their shapes."""
    if config.vision is not None and config.text is not None:
        yield from expected.number(checkpoint, "logit_scale")
        if config.sigmoid:
            yield from expected.number(checkpoint, "logit_bias")
    if config.vision is not None:
        yield from vision_tower(config.vision).tensors(checkpoint, config.vision, config.tower_dim)
    if config.text is not None:
        yield from text_tower(config.text).tensors(checkpoint, config.text, config.tower_dim)
    if config.decoder is not None and config.text is not None:
        from numpyclip.model.captioning.decoder import Decoder

        yield from Decoder.tensors(checkpoint, config.decoder, config.text.vocab_size)


def read_visual(checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> VisionTower | None:
    """Read the image tower, if the model has one."""
    if config.vision is None:
        return None
    read = partial(vision_tower(config.vision).read, config=config.vision, preprocess=config.preprocess)
    return read_tower("visual", read, checkpoint, low_memory)


def read_text(checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> TextTower | None:
    """Read the text tower, if the model has one."""
    if config.text is None:
        return None
    return read_tower("text", partial(text_tower(config.text).read, config=config.text), checkpoint, low_memory)


def read_decoder(checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> Decoder | None:
    """Read the decoder of captions, if the model has one."""
    if config.decoder is None:
        return None
    from numpyclip.model.captioning.decoder import Decoder

    return read_tower("decoder", partial(Decoder.read, config=config), checkpoint, low_memory)
