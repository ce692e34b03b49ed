"""One model of openai/CLIP, as OpenCLIP and transformers save it: what their files hold.

The weights are those of tests/golden/checkpoints/vit-torchscript.pt, which openai/CLIP's model has written in half
precision. Recorded are the config files, and the name, shape and SHA-256 of each tensor, in single precision: with
these a test knows that it has made the very files, without half a megabyte of them.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import open_clip
import torch
import transformers
from safetensors.torch import load_file, save_file

from golden.common import State, ids, images

TEXT = {
    "vocab_size": 96,
    "max_position_embeddings": 12,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "eos_token_id": 95,
    "bos_token_id": 94,
}
VISION = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def by_open_clip(state: State, folder: Path) -> torch.nn.Module:
    """Save it as `open_clip.push_to_hf_hub` does."""
    model_cfg = {
        "embed_dim": 48,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 128, "patch_size": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 96, "width": 64, "heads": 1, "layers": 2},
    }
    model = open_clip.model.CLIP(**model_cfg)
    model.load_state_dict(state)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    preprocess_cfg = {"mean": mean, "std": std, "interpolation": "bicubic", "resize_mode": "shortest"}
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model


def by_transformers(state: State, folder: Path) -> torch.nn.Module:
    """Save it as `convert_clip_original_pytorch_to_hf.py` of transformers does."""
    config = transformers.CLIPConfig(
        text_config=TEXT,
        vision_config=VISION,
        projection_dim=48,
    )
    model = transformers.CLIPModel(config)
    model.load_state_dict(_in_transformers(state))
    model.save_pretrained(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder
    )
    return model


def _in_transformers(state: State) -> State:
    found = {
        "logit_scale": state["logit_scale"],
        "text_projection.weight": state["text_projection"].T.contiguous(),
        "visual_projection.weight": state["visual.proj"].T.contiguous(),
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
    }
    for theirs, ours in (
        ("text_model.final_layer_norm", "ln_final"),
        ("vision_model.pre_layrnorm", "visual.ln_pre"),
        ("vision_model.post_layernorm", "visual.ln_post"),
    ):
        for kind in ("weight", "bias"):
            found[f"{theirs}.{kind}"] = state[f"{ours}.{kind}"]
    for theirs, ours, layers in (
        ("text_model", "transformer", 2),
        ("vision_model", "visual.transformer", 1),
    ):
        for layer in range(layers):
            there, here = f"{theirs}.encoder.layers.{layer}", f"{ours}.resblocks.{layer}"
            for kind in ("weight", "bias"):
                for part, tensor in zip("qkv", state[f"{here}.attn.in_proj_{kind}"].chunk(3), strict=True):
                    found[f"{there}.self_attn.{part}_proj.{kind}"] = tensor.contiguous()
                for name, name_there in (
                    ("attn.out_proj", "self_attn.out_proj"),
                    ("ln_1", "layer_norm1"),
                    ("ln_2", "layer_norm2"),
                    ("mlp.c_fc", "mlp.fc1"),
                    ("mlp.c_proj", "mlp.fc2"),
                ):
                    found[f"{there}.{name_there}.{kind}"] = state[f"{here}.{name}.{kind}"]
    return found


def facts(folder: Path) -> dict[str, object]:
    """Read what the library has written."""
    [weights] = folder.glob("*.safetensors")
    tensors = {
        name: [list(tensor.shape), hashlib.sha256(tensor.numpy().tobytes()).hexdigest()]
        for name, tensor in sorted(load_file(weights).items())
        if tensor.dtype == torch.float32
    }
    configs = {file.name: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    return {"weights": weights.name, "configs": configs, "tensors": tensors}


def save(golden: Path) -> None:
    """Write `copies.json` beside the folder of families."""
    archive = torch.jit.load(golden.parent / "checkpoints" / "vit-torchscript.pt", map_location="cpu").state_dict()
    state = {name: tensor.float() for name, tensor in archive.items() if tensor.is_floating_point()}
    image, text = images(32), ids(12, 96)
    recorded: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as place, torch.no_grad():
        for name, write in (("open_clip", by_open_clip), ("transformers", by_transformers)):
            folder = Path(place, name)
            folder.mkdir()
            model = write(state, folder).eval()
            if name == "open_clip":
                reference = model.encode_image(image), model.encode_text(text)
            else:
                found = model.get_image_features(pixel_values=image), model.get_text_features(input_ids=text)
                for mine, theirs in zip(found, reference, strict=True):  # the two libraries agree that it is one model
                    mine = getattr(mine, "pooler_output", mine)
                    assert (mine - theirs).abs().max() < 1e-5 * theirs.abs().max(), name
            recorded[name] = facts(folder)
    recorded["made_with"] = f"open_clip {open_clip.__version__}, transformers {transformers.__version__}"
    (golden.parent / "copies.json").write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
