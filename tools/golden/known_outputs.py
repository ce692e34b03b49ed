"""A model of transformers that reads texts, and outputs of strings and drawn images, to test their comparison.

The weights follow from a formula, so that a test has the same without a file of two megabytes.
"""

import json
import tempfile
from pathlib import Path

import clip
import numpy as np
import torch
import transformers
from PIL import Image

from numpyclip.tasks.known_outputs import draw_circle

TEXTS = ["hello world", "a blue circle on red"]
CIRCLES = [(32, 32), (48, 32)]  # which are not resized, for versions of Pillow do so differently
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make numbers in -0.5..0.5 by integers alone, the same everywhere; scales around 1."""
    start = sum(name.encode()) * 7919
    numbers = (np.arange(start, start + int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761)) % np.uint64(
        2**32
    )
    found = numbers.astype(np.float64).reshape(shape) / 2**32 - 0.5
    return np.asarray(found + ("norm" in name and name.endswith("weight")), np.float32)


def save(golden: Path) -> None:
    """Write `known_outputs.json` beside the folder of families."""
    config = transformers.CLIPConfig(
        text_config={**SIZES, "vocab_size": 49408, "max_position_embeddings": 77, "eos_token_id": 49407},
        vision_config={**SIZES, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    model = transformers.CLIPModel(config).eval().float()
    state = {name: torch.from_numpy(weights(name, tuple(tensor.shape))) for name, tensor in model.state_dict().items()}
    state["logit_scale"] = torch.tensor(2.0)
    model.load_state_dict(state, strict=False)
    processor = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, resample=Image.Resampling.BICUBIC
    )
    pixels = processor([draw_circle(*size) for size in CIRCLES], return_tensors="pt")["pixel_values"]
    ids = clip.tokenize(TEXTS).long()
    with torch.no_grad():
        found = model(input_ids=ids, pixel_values=pixels)
    recorded = {
        "made_with": f"transformers {transformers.__version__}",
        "text_embeddings": found.text_embeds[:, :5].tolist(),
        "image_embeddings": found.image_embeds[:, :5].tolist(),
        "logits": found.logits_per_image.tolist(),
        "probabilities": found.logits_per_image.softmax(dim=-1).tolist(),
    }
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        recorded["configs"] = {file.name: json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"))}
    recorded["shapes"] = {name: list(tensor.shape) for name, tensor in sorted(model.state_dict().items())}
    (golden.parent / "known_outputs.json").write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
