"""Write tests/golden/hidden_states: what libraries compute within towers of the families' models, before pooling.

The models are those that the other modules saved, read by the libraries themselves, and so are the inputs: the first
image, the second text and the last. Keys such as "image_tokens 1 plain" name method, layer, and how it is called:

plain
    without the last norm: `hidden_states[1]`, or the first item of `forward_intermediates`
norm
    with the last norm: `normalize_intermediates`, or `output_tokens`
last
    by default, of the last layer: `last_hidden_state`
project
    with the last norm and the projection, where a library has them apart
grid
    as plain, in rows and columns
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import open_clip
import safetensors.torch
import sentence_transformers
import torch
import transformers
from open_clip.hf_model import ClsPooler, HFTextEncoder
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import nn

from golden import open_clip_convolutional, open_clip_encoders, open_clip_timm, open_clip_vit
from golden.open_clip_vit import to_float64

BERTS = ("bert", "roberta", "xlm-roberta")
NORMED_LAST = ("MT5Stack", "M2M100Encoder")  # whose last of `hidden_states` is normed
LIBRARIES = ("apple", "mclip", "open_clip", "sentence", "timm", "transformers")
EVERY = 4  # of so many numbers on the last axis one is kept, for small files

Arrays = dict[str, torch.Tensor]

_CLASSES = {
    "transformers-clip-text": transformers.CLIPTextModelWithProjection,
    "transformers-clip-text-bare": transformers.CLIPTextModel,
    "transformers-clip-vision": transformers.CLIPVisionModelWithProjection,
    "transformers-clip-vision-bare": transformers.CLIPVisionModel,
    "nomic-embed-text-v1-transformers": transformers.NomicBertModel,
    "transformers-siglip-text": transformers.SiglipTextModel,
    "transformers-siglip-vision": transformers.SiglipVisionModel,
}


def save(families: Path) -> None:
    """Record what is within every model."""
    folder = families.parent / "hidden_states"
    folder.mkdir(exist_ok=True)
    for model in sorted(path for path in families.iterdir() if path.is_dir()):
        if model.name.partition("-")[0] not in LIBRARIES and model.name not in _CLASSES:
            continue  # its code is in no package
        compute = _computing(model)
        with np.load(model.with_name(f"{model.name}.npz")) as golden:
            inputs = {name: golden[name] for name in ("image", "text") if name in golden}
        inputs = {name: rows[:1] if name == "image" else rows[[1, -1]] for name, rows in inputs.items()}
        with torch.no_grad():
            found = compute(**{name: torch.from_numpy(rows) for name, rows in inputs.items()})
        arrays = {name: tensor[..., ::EVERY].numpy().astype(np.float32) for name, tensor in found.items()}
        np.savez_compressed(folder / f"{model.name}.npz", **arrays)


def _computing(folder: Path) -> Callable[..., Arrays]:
    library = folder.name.partition("-")[0]
    if library == "transformers" or folder.name in _CLASSES:
        kind = _CLASSES.get(folder.name, transformers.AutoModel)
        model = kind.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        if model.config.model_type == "chinese_clip":  # version 5 sets the embedding of padding to 0 when it loads
            model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"), strict=False)
        return partial(_transformers, model)
    if library in ("mclip", "sentence"):
        return partial(_sentences, *(_read_mclip if library == "mclip" else _read_sentences)(folder))
    if library == "apple":
        return partial(_apple, _read_apple(folder))
    return partial(_open_clip, _read_open_clip(folder))


def _transformers(model: transformers.PreTrainedModel, **inputs: torch.Tensor) -> Arrays:
    found: Arrays = {}
    if "image" in inputs:
        tower = getattr(model, "vision_model", model)
        pixels = {"pixel_values": inputs["image"].double()}
        if isinstance(model, transformers.Siglip2Model):
            pixels = _naflex(pixels["pixel_values"], model.config.vision_config.patch_size)
        found |= _outputs("image", tower, pixels, getattr(model, "visual_projection", None))
    if "text" in inputs:
        tower = getattr(model, "text_model", model)
        text = {"input_ids": inputs["text"]}
        if model.config.model_type in ("chinese_clip", "altclip", "nomic_bert"):
            pad = getattr(model.config, "text_config", model.config).pad_token_id
            text["attention_mask"] = _mask(inputs["text"], pad)
        projection = getattr(model, "text_projection", None)
        if projection is None and "siglip" in model.config.model_type:
            projection = tower.head
        found |= _outputs("text", tower, text, projection)
    return found


def _mask(ids: torch.Tensor, pad: int) -> torch.Tensor:
    """Mask the padding at the ends of texts, as a tokenizer does, which knows what was typed."""
    return ((ids != pad).flip(1).cumsum(1).flip(1) > 0).long()


def _read_mclip(folder: Path) -> tuple[transformers.PreTrainedModel, nn.Module]:
    config = transformers.AutoConfig.from_pretrained(folder / "encoder", attn_implementation="eager")
    parts = nn.ModuleDict({"transformer": transformers.AutoModel.from_config(config)})
    state = torch.load(folder / "pytorch_model.bin")
    parts["LinearTransformation"] = nn.Linear(*reversed(state["LinearTransformation.weight"].shape))
    parts.load_state_dict(state)
    parts.double().eval()
    return parts["transformer"], parts["LinearTransformation"]


def _read_sentences(folder: Path) -> tuple[transformers.PreTrainedModel, nn.Module]:
    options = {"attn_implementation": "eager"}
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu", model_kwargs=options).double().eval()
    encoder = model[0].auto_model
    encoder.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))  # as in `_computing`
    return encoder, model[2].linear


def _sentences(encoder: transformers.PreTrainedModel, projection: nn.Module, text: torch.Tensor) -> Arrays:
    inputs = {"input_ids": text, "attention_mask": _mask(text, encoder.config.pad_token_id)}
    return _outputs("text", encoder, inputs, projection)


def _outputs(kind: str, tower: nn.Module, inputs: dict, projection: nn.Module | None) -> Arrays:
    if type(tower).__name__.endswith("WithProjection"):
        tower = getattr(tower, "text_model", None) or tower.vision_model
    seen = tower(**inputs, output_hidden_states=True, output_attentions=True)
    found = {f"{kind}_tokens {layer} plain": states for layer, states in enumerate(seen.hidden_states)}
    found |= {f"{kind}_attention {index}": weights for index, weights in enumerate(seen.attentions)}
    last = len(seen.hidden_states) - 1
    found[f"{kind}_tokens {last} last"] = seen.last_hidden_state
    norm = next((part for name, part in tower.named_children() if name in ("post_layernorm", "final_layer_norm")), None)
    if type(tower).__name__ in NORMED_LAST:
        del found[f"{kind}_tokens {last} plain"]
        norm = None
    if norm is not None:
        found[f"{kind}_tokens 1 norm"] = norm(seen.hidden_states[1])
        found[f"{kind}_tokens {last} norm"] = normed = norm(seen.hidden_states[last])
        if projection is not None and not isinstance(projection, nn.Identity):
            found[f"{kind}_tokens {last} project"] = projection(normed)
    elif projection is not None:
        found[f"{kind}_tokens {last} project"] = projection(seen.last_hidden_state)
    return found


def _naflex(image: torch.Tensor, patch: int) -> dict[str, torch.Tensor]:
    """Cut pictures of one shape into patches, as the processor of SigLIP 2 does, without padding."""
    n, _, height, width = image.shape
    rows, columns = height // patch, width // patch
    patches = image.reshape(n, 3, rows, patch, columns, patch).permute(0, 2, 4, 3, 5, 1).reshape(n, rows * columns, -1)
    return {
        "pixel_values": patches,
        "pixel_attention_mask": torch.ones(n, rows * columns, dtype=torch.int64),
        "spatial_shapes": torch.tensor([[rows, columns]] * n),
    }


def _read_open_clip(folder: Path) -> nn.Module:
    """Read a model that open_clip saved, in float64."""
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    if "multimodal_cfg" in config:
        model = open_clip.CoCa(**{key: value for key, value in config.items() if key != "custom_text"}).eval()
    elif folder.name in open_clip_encoders.CONFIGS:
        text = {**config["text_cfg"], "hf_model_name": str(folder), "hf_model_pretrained": False}
        for old, new in open_clip_encoders.OLD.items():
            if old in text:
                text[new] = text.pop(old)
        model = open_clip.CustomTextCLIP(**{**config, "text_cfg": text})
    elif folder.name in open_clip_timm.CONFIGS:
        model = open_clip_timm.build(config)
    elif folder.name in open_clip_convolutional.CONFIGS:
        if folder.name.endswith("-fused"):
            return _read_fused(folder, config)
        model = open_clip_convolutional.build(config)
    else:
        model = open_clip_vit.build(config)
    return _with_weights(folder, model)


def _read_fused(folder: Path, config: dict) -> nn.Module:
    model = open_clip_convolutional.build(config)
    model.visual.trunk = open_clip_convolutional.reparameterize_model(model.visual.trunk)
    return _with_weights(folder, model)


def _with_weights(folder: Path, model: nn.Module) -> nn.Module:
    state = safetensors.torch.load_file(folder / "open_clip_model.safetensors")
    if "text_projection" in state and hasattr(model, "text"):
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    to_float64(model)
    return model.eval()


def _open_clip(model: nn.Module, image: torch.Tensor, text: torch.Tensor) -> Arrays:
    found = _open_clip_image(model.visual, image.double())
    if isinstance(model.visual, TimmModel):  # the text tower is like all others
        return found
    if isinstance(getattr(model, "text", None), HFTextEncoder):
        return found | _open_clip_encoder(model.text, text)
    return found | _open_clip_text(model, text)


def _open_clip_image(visual: nn.Module, image: torch.Tensor) -> Arrays:
    grid = visual.forward_intermediates(image, output_fmt="NCHW", intermediates_only=True)["image_intermediates"]
    if len({each.shape[1:] for each in grid}) > 1:  # feature maps of a stem and of stages, or of stages only
        first = 0 if isinstance(visual, ModifiedResNet) else 1
        maps = {first + index: each for index, each in enumerate(grid)}
        if first:
            maps[0] = visual.trunk.stem(image)
        found = {f"image_tokens {layer} grid": each.permute(0, 2, 3, 1) for layer, each in maps.items()}
        if first and not hasattr(visual.head, "pool"):
            found[f"image_tokens {max(maps)} project"] = _project_pixels(visual, image)
        return found
    has_prefix = not isinstance(visual, TimmModel) or visual.trunk.num_prefix_tokens > 0
    options = {"output_fmt": "NLC", "intermediates_only": True, "output_extra_tokens": has_prefix}
    with _FirstInput(visual) as first:
        plain = _with_prefix(visual.forward_intermediates(image, **options))
    found = {f"image_tokens {layer} plain": each for layer, each in enumerate([first[0], *plain])}
    found[f"image_tokens {len(grid)} grid"] = grid[-1].permute(0, 2, 3, 1)
    # CoCa's norm follows the pool; timm's is nothing where the mean of patches is normed
    if getattr(visual, "attn_pool", None) is None and not isinstance(_norm(visual), nn.Identity):
        normed = _with_prefix(visual.forward_intermediates(image, **options, normalize_intermediates=True))
        found |= {f"image_tokens {layer} norm": normed[layer - 1] for layer in (1, len(normed))}
        if isinstance(visual, VisionTransformer) and visual.proj is not None:
            found[f"image_tokens {len(normed)} project"] = normed[-1] @ visual.proj
    return found


def _norm(visual: nn.Module) -> nn.Module:
    return visual.trunk.norm if isinstance(visual, TimmModel) else visual.ln_post


class _FirstInput:
    """Record what the first block of a transformer is given."""

    def __init__(self, tower: nn.Module) -> None:
        blocks = tower.trunk.blocks if isinstance(tower, TimmModel) else tower.transformer.resblocks
        self._seen: list[torch.Tensor] = []
        self._hook = blocks[0].register_forward_pre_hook(lambda _module, inputs: self._seen.append(inputs[0]))

    def __enter__(self) -> list[torch.Tensor]:
        return self._seen

    def __exit__(self, *_: object) -> None:
        self._hook.remove()


def _with_prefix(output: dict) -> list[torch.Tensor]:
    patches = output["image_intermediates"]
    prefix = output.get("image_intermediates_prefix") or [each[:, :0] for each in patches]
    return [torch.cat(pair, dim=1) for pair in zip(prefix, patches, strict=True)]


def _project_pixels(visual: TimmModel, image: torch.Tensor) -> torch.Tensor:
    """Embed every pixel of the last feature map as if it were the mean of all."""
    x = visual.trunk.forward_features(image)
    n, c, rows, columns = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(-1, c, 1, 1)
    return visual.head(visual.trunk.forward_head(pixels)).reshape(n, rows, columns, -1)


def _open_clip_encoder(text: HFTextEncoder, ids: torch.Tensor) -> Arrays:
    inputs = {"input_ids": ids, "attention_mask": (ids != text.config.pad_token_id).long()}
    is_pooled = isinstance(text.pooler, ClsPooler) and text.pooler.use_pooler_output and text.config.model_type in BERTS
    return _outputs("text", text.transformer, inputs, None if is_pooled else text.proj)


def _open_clip_text(model: nn.Module, text: torch.Tensor) -> Arrays:
    whole = getattr(model, "text", model)
    options = {"intermediates_only": True}
    with _FirstInput(whole) as first:
        if whole is model:
            plain = model.forward_intermediates(text=text, **options)["text_intermediates"]
        else:
            plain = whole.forward_intermediates(text, output_fmt="NLC", **options)["text_intermediates"]
    layers = [first[0][:, : text.shape[1]], *plain]  # without a class token, which comes last
    found = {f"text_tokens {layer} plain": each for layer, each in enumerate(layers)}
    found |= {f"text_tokens {layer} norm": whole.ln_final(layers[layer]) for layer in (1, len(plain))}
    normed = found[f"text_tokens {len(plain)} norm"]
    if whole is not model:
        with mock.patch.object(whole, "output_tokens", True):
            found[f"text_tokens {len(plain)} last"] = whole(text)[1]
    if whole.text_projection is not None:
        linear = isinstance(whole.text_projection, nn.Linear)
        projected = whole.text_projection(normed) if linear else normed @ whole.text_projection
        found[f"text_tokens {len(plain)} project"] = projected
    return found


def _read_apple(folder: Path) -> nn.Module:
    import mobileclip  # see tools/README.md

    from golden import mobileclip as small

    model = mobileclip.CLIP(cfg=small.CONFIGS[folder.name]).eval()
    if folder.name.endswith("-fused"):
        model = small.reparameterize_model(model)
    model.load_state_dict(torch.load(folder / f"{folder.name.removeprefix('apple-')}.pt"))
    for part in model.double().modules():
        if isinstance(part, small.LayerNormFP32):
            part.__class__ = nn.LayerNorm
    return model


def _apple(model: nn.Module, image: torch.Tensor, text: torch.Tensor) -> Arrays:
    """Compute what Apple's code does, whose text transformer begins and ends with a block of convolutions in S0."""
    trunk, encoder = model.image_encoder.model, model.text_encoder
    is_vit = hasattr(trunk, "transformer")
    seen: dict[str, torch.Tensor] = {}

    def record(part: nn.Module, name: str) -> None:
        part.register_forward_hook(lambda _module, _inputs, output: seen.__setitem__(name, output))

    def record_input(part: nn.Module, name: str) -> None:
        part.register_forward_pre_hook(lambda _module, inputs: seen.__setitem__(name, inputs[0]))

    record_input(encoder.transformer[0], "text_tokens 0 plain")
    for layer, part in enumerate(encoder.transformer, start=1):
        record(part, f"text_tokens {layer} plain")
    if is_vit:
        for layer, part in enumerate(trunk.transformer, start=1):
            record(part, f"image_tokens {layer} plain")
        record_input(trunk.transformer[0], "image_tokens 0 plain")
        record(trunk.post_transformer_norm, f"image_tokens {len(trunk.transformer)} norm")
    else:
        record(trunk.patch_embed, "image_tokens 0 grid")
        record_input(trunk.conv_exp, "image_tokens 4 grid")
    with mock.patch("torch.Tensor.float", torch.Tensor.double):
        model(image.permute(0, 3, 1, 2).double() / 255, text)
        last = encoder.encode_text(text, return_all_tokens=True)
    found = {key: each.permute(0, 2, 3, 1) if key.endswith("grid") else each for key, each in seen.items()}
    found[f"text_tokens {len(encoder.transformer)} last"] = last
    found[f"text_tokens {len(encoder.transformer)} project"] = last @ encoder.projection_layer
    return found
