"""OpenAI's models: every size is inferred from tensor shapes.

What shapes cannot tell follows openai/CLIP's `build_model`: heads are 64 wide, norms add 1e-5. The activation is an
argument (see `numpyclip.families.activation`).
"""

import math
import re
from dataclasses import replace
from typing import Any

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError, listed, quoted
from numpyclip.families.description import ModelDescription
from numpyclip.families.repository_files import OPEN_CLIP_CONFIG, TRANSFORMERS_CONFIG
from numpyclip.families.tensor_names import rename
from numpyclip.images.preprocess import Preprocess, Size
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import RESNET_EXPANSION, RESNET_STRIDE, ResNetConfig, VisionTransformerConfig
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.weights.checkpoint import Activation, Checkpoint
from numpyclip.weights.clip_names import BARE_IMAGE, Tower, towers

HEAD_WIDTH = 64


_IMAGE, _TEXT = "visual.", "token_embedding.weight"
_BARE = re.compile(  # names of an image tower saved by itself, beside which there may be a head
    r"(conv\d|bn\d|class_embedding|positional_embedding|ln_pre|ln_post|proj|transformer|layer\d|attnpool)(\.|$)"
)
_DIFFUSION = "model.diffusion_model."  # of a file that has a text tower besides
_ADAPTER = "lora_"  # in names of weights that change those of a model, which may have all of its names too
_SIZE = 224  # of images, where there is no tower to tell


def describe(checkpoint: Checkpoint, activation: Activation) -> ModelDescription:
    """Describe a model of OpenAI's architecture by its tensors alone; see `measure`."""
    if any(name in checkpoint for name in BARE_IMAGE) and not _has(checkpoint, _IMAGE) and not _has(checkpoint, _TEXT):
        checkpoint = rename(checkpoint, lambda name: f"{_IMAGE}{name}" if _BARE.match(name) else name)
    return ModelDescription(checkpoint, measure(checkpoint, activation), default_tokenizer)


def measure(checkpoint: Checkpoint, activation: Activation) -> CLIPConfig:
    """Infer the sizes of a model, or a single tower, from its tensor shapes.

    CheckpointError if they do not fit together, or those of a tower are not all there.
    """
    is_part = any(name.startswith(_DIFFUSION) for name in checkpoint.left_out)
    if is_part or any(_ADAPTER in name for name in checkpoint.arrays):
        raise _no_clip(checkpoint)
    _refuse_foreign(checkpoint)
    has_image, has_text = _has(checkpoint, _IMAGE), _has(checkpoint, _TEXT) or "text_projection" in checkpoint
    if not (has_image or has_text):
        raise _no_clip(checkpoint)
    alone = not (has_image and has_text)
    if alone:
        _refuse_half(checkpoint, "text" if has_image else "image")
    text, dim = _measure_text(checkpoint, activation, alone) if has_text else (None, 0)
    vision, vision_dim = _measure_vision(checkpoint, activation, alone) if has_image else (None, 0)
    _compare_with_record(checkpoint, vision, text)
    return CLIPConfig(
        family="openai",
        embed_dim=dim or vision_dim,
        vision=vision,
        text=text,
        preprocess=Preprocess(vision.image_size if vision else _SIZE),
    )


def _has(checkpoint: Checkpoint, begin: str) -> bool:
    return any(name.startswith(begin) for name in checkpoint.arrays)


def _measure_text(checkpoint: Checkpoint, activation: Activation, alone: bool) -> tuple[TextConfig, int]:
    """Return the sizes of the text tower and of its embeddings; by itself it may have no projection."""
    sizes = text_sizes(checkpoint)
    attention = _attention_sizes(checkpoint, "transformer.resblocks", sizes["width"])
    text = TextConfig(**sizes, **attention, activation=activation)
    if alone and "text_projection" not in checkpoint:
        return replace(text, projection=None), text.width
    return text, checkpoint.shape("text_projection", 2)[1]


def _measure_vision(
    checkpoint: Checkpoint, activation: Activation, alone: bool
) -> tuple[VisionTransformerConfig | ResNetConfig, int]:
    if "visual.layer1.0.conv1.weight" in checkpoint:
        return _measure_resnet(checkpoint), checkpoint.shape("visual.attnpool.c_proj.weight", 2)[0]
    vision = _measure_transformer(checkpoint, activation)
    if alone and "visual.proj" not in checkpoint:
        return replace(vision, projection=None), vision.width
    return vision, checkpoint.shape("visual.proj", 2)[1]


def _no_clip(checkpoint: Checkpoint) -> UnsupportedCheckpointError:
    from numpyclip.families.other_models import likeness

    folder = checkpoint.path.parent
    for file in (OPEN_CLIP_CONFIG, TRANSFORMERS_CONFIG):
        if (folder / file).is_file():
            return UnsupportedCheckpointError(
                f"{checkpoint.path}: does not have the tensors of openai/CLIP, which a file by itself must have; pass "
                f"the folder {folder}, whose {file} describes it."
            )
    names = [*checkpoint.arrays, *checkpoint.left_out]
    what = likeness(names)
    found = f"looks like {what}" if what else "has none of its tensors"
    if not what and (prefixed := next(iter(towers(names).values()), None)):
        found = f"{quoted(prefixed, 100)} has a prefix that others do not have; give all the same, or none"
    count = f"{len(names)} tensor{'s' * (len(names) != 1)}" + ": " * bool(names)
    return UnsupportedCheckpointError(
        f"{checkpoint.path}: not a CLIP: {found} ({count}{listed(names, 3, 100)}); expected the names of "
        "openai/CLIP, or a folder with config.json or open_clip_config.json."
    )


def _refuse_half(checkpoint: Checkpoint, other: Tower) -> None:
    """Raise if what is left out are names of the other tower: half a model would be a surprise."""
    if name := towers((*checkpoint.arrays, *checkpoint.left_out)).get(other):
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: {quoted(name, 100)} is of the {other} tower, but has another prefix than the rest; "
            "expected the same for all names of the model, or none. If you want one tower, save it alone."
        )


_FOREIGN = {  # prefix of names that marks another family → what it is
    "text_model.": "the transformers library's layout",
    "vision_model.": "the transformers library's layout",
    "visual.trunk.": "OpenCLIP with an image tower of timm",
    "text.": "OpenCLIP with a text tower of its own",
    "text_decoder.": "CoCa",
    "logit_bias": "SigLIP",
}


def _refuse_foreign(checkpoint: Checkpoint) -> None:
    if not _has(checkpoint, _IMAGE):
        from numpyclip.families.other_models import TOLD_FIRST, likeness

        if likeness(checkpoint.arrays) in TOLD_FIRST:
            raise _no_clip(checkpoint)
    for name in checkpoint.arrays:
        for mark, family in _FOREIGN.items():
            if name.startswith(mark):
                raise UnsupportedCheckpointError(
                    f"{checkpoint.path}: tensor {quoted(name)} belongs to {family}; expected the names of openai/CLIP. "
                    "Shapes do not tell all of such a model: load the folder that has its config file "
                    "(config.json or open_clip_config.json) beside the weights."
                )


def _measure_transformer(checkpoint: Checkpoint, activation: Activation) -> VisionTransformerConfig:
    width, _, patch_size, _ = checkpoint.shape("visual.conv1.weight", 4)
    grid = square_side(checkpoint, "visual.positional_embedding")
    return VisionTransformerConfig(
        image_size=patch_size * grid,
        patch_size=patch_size,
        width=width,
        activation=activation,
        **_attention_sizes(checkpoint, "visual.transformer.resblocks", width),
        **block_sizes(checkpoint, "visual.transformer.resblocks"),
    )


def _measure_resnet(checkpoint: Checkpoint) -> ResNetConfig:
    width = checkpoint.shape("visual.layer1.0.conv1.weight", 4)[0]
    stages = [count_blocks(checkpoint, f"visual.layer{stage}") for stage in (1, 2, 3, 4)]
    return ResNetConfig(
        image_size=RESNET_STRIDE * square_side(checkpoint, "visual.attnpool.positional_embedding"),
        width=width,
        layers=(stages[0], stages[1], stages[2], stages[3]),
        heads=_heads(checkpoint, width * RESNET_EXPANSION),
    )


def text_sizes(checkpoint: Checkpoint) -> dict[str, Any]:
    """Infer the sizes of a text tower, but for the number of heads."""
    vocab_size, width = checkpoint.shape("token_embedding.weight", 2)
    return {
        "context_length": checkpoint.shape("positional_embedding", 2)[0],
        "vocab_size": vocab_size,
        "width": width,
        **block_sizes(checkpoint, "transformer.resblocks"),
    }


def block_sizes(checkpoint: Checkpoint, prefix: str) -> dict[str, Any]:
    """Infer the number of blocks and the width of their MLPs."""
    layers = count_blocks(checkpoint, prefix)
    return {"layers": layers, "mlp_width": checkpoint.shape(f"{prefix}.0.mlp.c_fc.weight", 2)[0]}


def count_blocks(checkpoint: Checkpoint, prefix: str) -> int:
    """Count blocks ``prefix.0.``, ``prefix.1.``, ...; a gap is an error."""
    pattern = re.compile(re.escape(prefix) + r"\.([0-9]{1,4})\.")
    found = {int(match[1]) for name in checkpoint.arrays if (match := pattern.match(name))}
    if not found or found != set(range(len(found))):
        missing = min(set(range(len(found) + 1)) - found)
        raise CheckpointError(
            f"{checkpoint.path}: block '{prefix}.{missing}' is missing; found {len(found)} blocks under '{prefix}'."
        )
    return len(found)


def square_side(checkpoint: Checkpoint, name: str, class_row: bool = True) -> int:
    """Return the side of the square of positions in a table, besides a row for the class token."""
    rows = checkpoint.shape(name, 2)[0]
    side = math.isqrt(max(rows - class_row, 0))
    if side == 0 or side * side + class_row != rows:
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: tensor '{name}' has {rows} rows; expected a square number{' and one' * class_row}."
        )
    return side


def _attention_sizes(checkpoint: Checkpoint, prefix: str, width: int) -> dict[str, Any]:
    """Infer the number of heads, and the width of all together, which in TinyCLIP is not always that of the tokens."""
    name = f"{prefix}.0.attn.in_proj_weight"
    rows, columns = checkpoint.shape(name, 2) if name in checkpoint else (3 * width, width)
    inner = rows // 3
    own = columns == width != inner and inner % HEAD_WIDTH == 0
    return {"heads": _heads(checkpoint, inner if own else width), "attention_width": inner if own else None}


def _heads(checkpoint: Checkpoint, width: int) -> int:
    heads = width // HEAD_WIDTH
    if heads == 0 or width % heads:
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: a width of {width} cannot be cut into {heads} heads of about {HEAD_WIDTH}."
        )
    return heads


def _compare_with_record(
    checkpoint: Checkpoint, vision: VisionTransformerConfig | ResNetConfig | None, text: TextConfig | None
) -> None:
    """Compare the inferred sizes with those that OpenAI's archives record."""
    step = vision.patch_size if isinstance(vision, VisionTransformerConfig) else RESNET_STRIDE
    measured: dict[str, Size] = {}
    if text:
        measured = {"context_length": text.context_length, "vocab_size": text.vocab_size}
    if vision:
        measured["input_resolution"] = vision.image_size
    for name in measured:
        recorded = found = checkpoint.arrays[name].tolist() if name in checkpoint else measured[name]
        if name == "input_resolution" and isinstance(found, int):
            found = found // step * step  # the first convolution or the last pool drops a remainder
        if found != measured[name]:
            raise CheckpointError(
                f"{checkpoint.path}: '{name}' is recorded as {recorded!r:.60}, "
                f"but the shapes of the tensors make it {measured[name]}."
            )
