"""The towers of a model: which tensors they are made of, and how each is read from a checkpoint."""

from functools import partial

from numpyclip.model import expected_tensors as expected
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.tower import TextTower, text_tower
from numpyclip.model.vision.tower import VisionTower, vision_tower
from numpyclip.runtime.weight_store import read_tower
from numpyclip.weights.checkpoint import Checkpoint


def expected_of_towers(checkpoint: Checkpoint, config: CLIPConfig) -> expected.Tensors:
    """List all tensors of a CLIP, with their shapes."""
    if config.vision is not None and config.text is not None:
        yield from expected.number(checkpoint, "logit_scale")
        if config.sigmoid:
            yield from expected.number(checkpoint, "logit_bias")
    if config.vision is not None:
        yield from vision_tower(config.vision).tensors(checkpoint, config.vision, config.embed_dim)
    if config.text is not None:
        yield from text_tower(config.text).tensors(checkpoint, config.text, config.embed_dim)


def read_visual(checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> VisionTower | None:
    """Make the image tower, if the model has one."""
    if config.vision is None:
        return None
    read = partial(vision_tower(config.vision).read, config=config.vision, preprocess=config.preprocess)
    return read_tower("visual", read, checkpoint, low_memory)


def read_text(checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> TextTower | None:
    """Make the text tower, if the model has one."""
    if config.text is None:
        return None
    return read_tower("text", partial(text_tower(config.text).read, config=config.text), checkpoint, low_memory)
