"""Chinese-CLIP and AltCLIP as transformers saves them: their texts are read by a BERT and a RoBERTa."""

from pathlib import Path

import safetensors.torch
import torch
import transformers

from golden.common import images, record
from golden.transformers_clip import SIZE, VISION, randomized_folder

_LENGTH, _VOCABULARY = 12, 96
_TEXT = {
    "vocab_size": _VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "layer_norm_eps": 1e-3,
}


def save(golden: Path) -> None:
    """Save both models, and what transformers computes."""
    text = {**_TEXT, "max_position_embeddings": _LENGTH, "pad_token_id": 0}
    config = transformers.ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=40)
    save_model(golden / "transformers-chinese-clip", transformers.ChineseCLIPModel(config), 320, pad=0)
    # positions are counted from the one behind that of padding
    text = {**_TEXT, "max_position_embeddings": _LENGTH + 3, "pad_token_id": 2, "project_dim": 24}
    config = transformers.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=40)
    save_model(golden / "transformers-altclip", transformers.AltCLIPModel(config), 321, pad=2)


def save_model(folder: Path, model: transformers.PreTrainedModel, seed: int, pad: int) -> None:
    """Save a folder as transformers does, and what the model computes in float64 where padding at the end is masked."""
    model = randomized_folder(folder, model, seed)
    # version 5 sets the embedding of padding to 0 when it loads
    model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"), strict=False)
    generator = torch.Generator().manual_seed(seed)
    text = torch.randint(3, _VOCABULARY, (5, _LENGTH), generator=generator)
    for row, length in enumerate((3, _LENGTH, 1, 3, 7)):
        text[row, length:] = pad
    text[1, 4:6] = 0  # an id like any other, unless it is that of padding
    if pad == 0:
        text[1, 4:6] = 5
    seen = {"input_ids": text, "attention_mask": (text != pad).long()}
    padded = text.clone()
    padded[1, 4:6] = pad  # within a text, which no mask of a tokenizer knows
    image = images(SIZE)
    with torch.no_grad():
        record(
            folder,
            ("torch", "transformers"),
            image=image,
            text=text,
            encode_image=model.get_image_features(pixel_values=image.double()).pooler_output,
            encode_text=model.get_text_features(**seen).pooler_output,
            padded=padded,
            encode_padded=model.get_text_features(**{**seen, "input_ids": padded}).pooler_output,
            logits_per_image=model(pixel_values=image.double(), **seen).logits_per_image,
        )
