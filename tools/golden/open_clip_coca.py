"""OpenCLIP's CoCa: both towers, the decoder, and the captions that `generate` writes.

open_clip 3.3.0 writes captions with a part of transformers that versions from 4.56 on do not have. So this module needs
an older one, put before the other on the path:

    pip install --target OLD transformers==4.55.4 "huggingface_hub<1" "tokenizers<0.22" requests
    PYTHONPATH=OLD python make_golden.py open_clip_coca
"""

from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip import coca_model

from golden.common import ids, images, randomize, record
from golden.open_clip_vit import to_float64, write_folder

_VOCABULARY = 40
_START, _END = _VOCABULARY - 2, _VOCABULARY - 1
_TEXT = {"context_length": 12, "vocab_size": _VOCABULARY, "width": 32, "heads": 4, "layers": 2, "embed_cls": True}
_VISION = {"image_size": 24, "layers": 1, "width": 48, "head_width": 24, "patch_size": 8, "output_tokens": True}
_DECODER = {"context_length": 12, "vocab_size": _VOCABULARY, "width": 32, "heads": 4, "layers": 2}
_PICTURES = 6

# Found by trying: with these seeds captions differ, and end at different places.
SEEDS = {"open_clip-coca": 55, "open_clip-coca-patches": 40, "open_clip-coca-joined": 12}

# name of the record → how captions are written
OPTIONS = {
    "greedy": {"generation_type": "top_k", "top_k": 1},
    "greedy_penalty": {"generation_type": "top_k", "top_k": 1, "repetition_penalty": 1.5, "min_seq_len": 6},
    "greedy_window": {"generation_type": "top_k", "top_k": 1, "max_seq_len": 5},
    "beam_search": {},
    "beam_search_penalty": {"num_beams": 3, "num_beam_groups": 1, "repetition_penalty": 0.8, "min_seq_len": 7},
    "beam_search_wide": {"num_beams": 8, "num_beam_groups": 2, "seq_len": 9},
}

# name of the folder → model_cfg
CONFIGS = {
    # as the published ones: queries narrower than the tower that they look at
    "open_clip-coca": {
        "embed_dim": 32,
        "vision_cfg": {**_VISION, "attentional_pool": True, "attn_pooler_queries": 6, "attn_pooler_heads": 4},
        "text_cfg": {**_TEXT, "output_tokens": True},
        "multimodal_cfg": {**_DECODER, "attn_pooler_heads": 4},
        "custom_text": True,
    },
    # coca_base: the decoder looks at the patches themselves
    "open_clip-coca-patches": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {**_VISION, "width": 32, "head_width": 16},
        "text_cfg": {**_TEXT, "output_tokens": True, "pad_id": 3},
        "multimodal_cfg": {**_DECODER, "mlp_ratio": 4, "dim_head": 64, "n_queries": 256, "ls_init_value": 0.1},
        "custom_text": True,
    },
    # one width everywhere: queries, keys and values are made by one matrix
    "open_clip-coca-joined": {
        "embed_dim": 32,
        "vision_cfg": {
            **_VISION,
            "width": 32,
            "head_width": 16,
            "attentional_pool": True,
            "attn_pooler_queries": 3,
            "norm_kwargs": {"eps": 1e-3},
        },
        "text_cfg": {**_TEXT, "layers": 1, "output_tokens": True, "act_kwargs": {"approximate": "tanh"}},
        "multimodal_cfg": {**_DECODER, "layers": 1},
        "custom_text": True,
    },
}


def save(golden: Path) -> None:
    """Save every model, and what open_clip computes."""
    if not coca_model._has_transformers:
        raise SystemExit("open_clip writes no captions with this version of transformers; see open_clip_coca.py.")
    for name, config in CONFIGS.items():
        save_model(golden / name, config, SEEDS[name])


def save_model(folder: Path, config: dict, seed: int) -> None:
    """Save a folder as `push_to_hf_hub` does, what its model computes in float64, and the captions that it writes."""
    model = open_clip.CoCa(**{key: value for key, value in config.items() if key != "custom_text"}).eval()
    randomize(model, seed)
    with torch.no_grad():
        model.text_decoder.text_projection[:, [0, _END]] *= 2  # or captions would hardly ever end
    write_folder(folder, model, config, torch.float16)
    image = images(config["vision_cfg"]["image_size"], _PICTURES)
    captions = {f"ids_{name}": _write(model, image, options) for name, options in OPTIONS.items()}
    text = _texts(config["text_cfg"])
    to_float64(model)
    with torch.no_grad():
        forward = model(image.double(), text)
        record(
            folder,
            ("torch", "open_clip_torch", "transformers"),
            image=image,
            text=text,
            encode_image=model.encode_image(image.double(), normalize=False),
            encode_text=model.encode_text(text, normalize=False),
            logits_per_image=forward["logit_scale"] * forward["image_features"] @ forward["text_features"].T,
            caption_logits=forward["logits"],
            **captions,
        )


def _write(model: open_clip.CoCa, image: torch.Tensor, options: dict) -> np.ndarray:
    arguments = {"seq_len": 12, "min_seq_len": 3, "sot_token_id": _START, "eos_token_id": _END, **options}
    return model.generate(image, **arguments).numpy()


def _texts(config: dict) -> torch.Tensor:
    """Draw a text to each picture: of several lengths; without a token; with padding, or 0, in the middle."""
    pad = config.get("pad_id", 0)
    text = ids(config["context_length"], config["vocab_size"], pad)
    text[2, 4] = pad
    text[3, 3] = text[3, 7] = 0
    return torch.cat([text, torch.full_like(text[:1], pad), text[2:3]])
