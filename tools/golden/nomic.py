"""nomic-embed-vision and nomic-embed-text: the authors' classes (see tools/README.md), and transformers' for texts."""

import json
import shutil
from pathlib import Path

import safetensors.torch
import torch
import transformers
from nomic_code.configuration_hf_nomic_bert import NomicBertConfig
from nomic_code.modeling_hf_nomic_bert import NomicBertModel, NomicVisionModel
from torch import nn

from golden.common import images, randomize, record

_SIZE, _VOCABULARY, _LENGTH, _DIM = 32, 64, 14, 16
_AUTHORS = ("torch", "nomic-ai/contrastors 613ddfd")
_COMMON = {
    "activation_function": "swiglu",
    "attn_pdrop": 0.0,
    "bos_token_id": None,
    "embd_pdrop": 0.0,
    "eos_token_id": None,
    "fused_bias_fc": True,
    "fused_dropout_add_ln": True,
    "n_embd": _DIM,
    "n_head": 2,
    "n_layer": 2,
    "n_inner": 40,  # which the authors' code rounds up to 256
    "resid_pdrop": 0.0,
    "use_flash_attn": True,
}
_VISION = {
    **_COMMON,
    "drop_path_rate": 0.0,
    "hidden_features_scaling_factor": 1.0,
    "img_size": _SIZE,
    "layer_norm_epsilon": 1e-3,
    "layer_scale": False,
    "layer_scale_init": None,
    "learned_pos_embedding": False,
    "mask_token": False,
    "n_layer": 1,
    "norm_mlp": True,
    "num_channels": 3,
    "patch_dropout": 0,
    "patch_embed_bias": True,
    "patch_size": 8,
    "prenorm": True,
    "prepre_layernom": False,
    "ref_feat_shape": [3, 3],
    "register_tokens": 0,
    "rotary_emb_fraction": 0.0,
    "sinusoidal_pos_embedding": False,
    "use_pos_embed": True,
    "use_rotary_pos_emb": True,
    "vocab_size": 0,
}
_TEXT = {
    **_COMMON,
    "layer_norm_epsilon": 1e-3,
    "max_trained_positions": 2048,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "n_positions": _LENGTH,
    "pad_vocab_size_multiple": 16,
    "qkv_proj_bias": False,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "type_vocab_size": 2,
    "vocab_size": _VOCABULARY - 5,
}
_PROCESSOR = {
    "crop_size": {"height": _SIZE, "width": _SIZE},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": _SIZE},
}


def _extended_mask(_: nn.Module, mask: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Hide padding, as `get_extended_attention_mask` of every model did in transformers 4."""
    return (1.0 - mask[:, None, None, :]) * torch.finfo(mask.dtype).min


def save(golden: Path) -> None:
    """Save both towers, and what their code computes."""
    save_vision(golden / "nomic-vision")
    NomicBertModel.get_extended_attention_mask = _extended_mask
    save_text(golden / "nomic-embed-text-v1", NomicBertModel(NomicBertConfig(**_TEXT), add_pooling_layer=False), 711)
    sizes = {"hidden_size": _DIM, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    config = transformers.NomicBertConfig(
        vocab_size=_VOCABULARY, max_position_embeddings=_LENGTH, layer_norm_eps=1e-3, **sizes
    )
    save_text(
        golden / "nomic-embed-text-v1-transformers",
        transformers.NomicBertModel(config, add_pooling_layer=False),
        712,
        False,
    )


def write(folder: Path, model: nn.Module, seed: int) -> nn.Module:
    """Draw weights, and write them in half precision."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    randomize(model.eval(), seed)
    model.load_state_dict({name: tensor.half() for name, tensor in model.state_dict().items()})
    state = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(state, folder / "model.safetensors")
    return model.double()


def write_json(file: Path, options: dict) -> None:
    """Write a config file."""
    file.write_text(json.dumps(options, indent=2, sort_keys=True) + "\n")


def save_vision(folder: Path) -> None:
    """Save the image tower; its embedding is the first token, as its card says."""
    model = write(folder, NomicVisionModel(NomicBertConfig(**_VISION)), 710)
    described = {**_VISION, "architectures": ["NomicVisionModel"], "model_type": "nomic_bert"}
    code = "nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicVisionModel"
    write_json(folder / "config.json", {**described, "auto_map": {"AutoModel": code}})
    write_json(folder / "preprocessor_config.json", _PROCESSOR)
    image = images(_SIZE, 2)
    with torch.no_grad():
        embedded = model(image.double()).last_hidden_state[:, 0]
    record(folder, _AUTHORS, image=image, encode_image=embedded)


def save_text(folder: Path, model: nn.Module, seed: int, is_authors: bool = True) -> None:
    """Save a text tower; its embedding is the mean of all tokens but padding."""
    if is_authors:
        write(folder, model, seed)
        described = {**_TEXT, "architectures": ["NomicBertModel"], "model_type": "nomic_bert"}
        write_json(folder / "config.json", described)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        randomize(model.eval(), seed)
        model.save_pretrained(folder)
        model.double()
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, _VOCABULARY - 5, (5, _LENGTH), generator=generator)
    for row, length in enumerate((3, _LENGTH, 1, 3, 7)):
        ids[row, length:] = 0
    mask = ids != 0
    padded = ids.clone()
    padded[1, 4:6] = 0  # within a text, which no mask of a tokenizer knows
    embedded = []
    for each in (ids, padded):
        with torch.no_grad():
            x = model(input_ids=each, attention_mask=mask.double() if is_authors else mask.long()).last_hidden_state
        embedded.append((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    packages = _AUTHORS if is_authors else ("torch", "transformers")
    record(folder, packages, text=ids, encode_text=embedded[0], padded=padded, encode_padded=embedded[1])
