"""CLIP, MetaCLIP 2 and SigLIP as transformers saves them: whole, one tower, in shards, in PyTorch's own format."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
import transformers

from golden.common import ids, images, randomize, record

SIZE, _LENGTH, _VOCABULARY = 32, 12, 96

# Heads are 8 and 12 wide, not 64, and the towers have different ones.
TEXT = {
    "vocab_size": _VOCABULARY,
    "max_position_embeddings": _LENGTH,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": _VOCABULARY - 2,
}
VISION = {
    "image_size": SIZE,
    "patch_size": 8,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def save(golden: Path) -> None:
    """Save every model, and what transformers computes."""
    old = {"eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1}
    save_model(golden / "transformers-clip", _clip({**TEXT, **old}, VISION), 300, _make_old)
    gelu = {"hidden_act": "gelu", "layer_norm_eps": 1e-3}
    # the end mark is not the highest id
    text = {**TEXT, **gelu, "eos_token_id": 50}
    save_model(golden / "transformers-clip-gelu", _clip(text, {**VISION, **gelu}), 301, max_shard_size="70KB")
    text = {**TEXT, "eos_token_id": 2}
    model = transformers.MetaClip2Model(
        transformers.MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=40)
    )
    save_model(golden / "transformers-metaclip-2", model, 302)
    vision = transformers.CLIPVisionConfig(**VISION, projection_dim=40, hidden_act="gelu_new")
    save_model(golden / "transformers-clip-vision", transformers.CLIPVisionModelWithProjection(vision), 303)
    save_model(golden / "transformers-clip-vision-bare", transformers.CLIPVisionModel(vision), 304)
    text = transformers.CLIPTextConfig(**TEXT, projection_dim=40, eos_token_id=_VOCABULARY - 1)
    save_model(golden / "transformers-clip-text", transformers.CLIPTextModelWithProjection(text), 305)
    # as in repositories of diffusers: the end mark is the highest id, whatever the description says
    text = transformers.CLIPTextConfig(**{**TEXT, "num_hidden_layers": 1, "eos_token_id": 2})
    save_model(golden / "transformers-clip-text-bare", transformers.CLIPTextModel(text), 309)
    # the text tower is narrower, and its last layer as wide as pictures
    config = transformers.SiglipConfig(text_config={**TEXT, "projection_size": 48}, vision_config=VISION)
    save_model(golden / "transformers-siglip", transformers.SiglipModel(config), 306, dtype=torch.bfloat16)
    vision = transformers.SiglipVisionConfig(**VISION)
    save_model(golden / "transformers-siglip-vision", transformers.SiglipVisionModel(vision), 307)
    text = transformers.SiglipTextConfig(**TEXT, projection_size=40)
    save_model(golden / "transformers-siglip-text", transformers.SiglipTextModel(text), 308)


def _clip(text: dict, vision: dict) -> transformers.CLIPModel:
    return transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=40))


def save_model(
    folder: Path,
    model: transformers.PreTrainedModel,
    seed: int,
    change: Callable[[Path, transformers.PreTrainedModel], None] | None = None,
    dtype: torch.dtype = torch.float16,
    **options,
) -> None:
    """Save a folder as transformers does, and what the model computes in float64."""
    model = randomized_folder(folder, model, seed, change, dtype, **options)
    with torch.no_grad():
        record(folder, ("torch", "transformers"), **outputs(model))


def randomized_folder(
    folder: Path,
    model: transformers.PreTrainedModel,
    seed: int,
    change: Callable[[Path, transformers.PreTrainedModel], None] | None = None,
    dtype: torch.dtype = torch.float16,
    **options,
) -> transformers.PreTrainedModel:
    """Save a folder as transformers does, with random weights, and read it in float64."""
    shutil.rmtree(folder, ignore_errors=True)
    randomize(model, seed)
    model.eval().to(dtype).save_pretrained(folder, **options)
    if change is not None:
        change(folder, model)
    return type(model).from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()


def outputs(model: transformers.PreTrainedModel) -> dict[str, torch.Tensor]:
    """Compute embeddings of pictures and texts, as far as the model has towers for them."""
    image, text = images(SIZE), ids(_LENGTH, _VOCABULARY, pad=1)
    if getattr(getattr(model.config, "text_config", None), "eos_token_id", None) == 50:
        text[text == _VOCABULARY - 1] = 50
        text[:2, -3:] = 50  # padding that looks like the end mark, as that of CLIP's tokenizer
    found: dict[str, torch.Tensor] = {}
    if hasattr(model, "logit_scale"):
        whole = model(input_ids=text, pixel_values=image.double())
        found["encode_image"] = model.get_image_features(pixel_values=image.double()).pooler_output
        found["encode_text"] = model.get_text_features(input_ids=text).pooler_output
        found["logits_per_image"] = whole.logits_per_image
    elif model.main_input_name == "pixel_values":
        seen = model(pixel_values=image.double())
        found["encode_image"] = seen.image_embeds if "image_embeds" in seen else seen.pooler_output
    else:
        read = model(input_ids=text)
        found["encode_text"] = read.text_embeds if "text_embeds" in read else read.pooler_output
    if "encode_image" in found:
        found["image"] = image
    if "encode_text" in found:
        found["text"] = text
    return found


def _make_old(folder: Path, model: transformers.PreTrainedModel) -> None:
    """Write the weights and the description as the first versions did."""
    (folder / "model.safetensors").unlink()
    state = model.state_dict()
    state["text_model.embeddings.position_ids"] = torch.arange(_LENGTH)[None]
    state["vision_model.embeddings.position_ids"] = torch.arange((SIZE // 8) ** 2 + 1)[None]
    torch.save(state, folder / "pytorch_model.bin")
    config = json.loads((folder / "config.json").read_text())
    for name in ("text_config", "vision_config"):
        config[name] |= {
            "torchscript": False,
            "num_beams": 1,
            "top_k": 50,
            "id2label": {"0": "LABEL_0"},
            "dropout": 0.0,
        }
        config[name]["pruned_heads"] = {}
        config[f"{name}_dict"] = None
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    processor = {
        "crop_size": SIZE,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": SIZE,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
