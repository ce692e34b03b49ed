"""OpenCLIP with encoders of transformers as text towers, made small by a config.json beside its own."""

import shutil
import tempfile
from pathlib import Path

import open_clip
import torch
import transformers

from golden.common import SEED, images, randomize, record
from golden.open_clip_vit import to_float64, write_folder

_LENGTH, _VOCABULARY = 12, 96
_NAME = "organization/own"  # of published ones the sizes are known
_VISION = {"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
_BERT = {
    "vocab_size": _VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "layer_norm_eps": 1e-3,
}
_ROBERTA = {**_BERT, "max_position_embeddings": 20, "pad_token_id": 1, "type_vocab_size": 1}
_M2M100 = {"vocab_size": _VOCABULARY, "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4}
_MT5 = {"vocab_size": _VOCABULARY, "d_model": 32, "d_ff": 24, "num_layers": 2, "num_heads": 3, "d_kv": 8}

# name of the folder → the encoder's class and options, and those of `text_cfg`
CONFIGS = {
    # what open_clip fills in: the mean of tokens, an MLP
    "open_clip-xlm-roberta": (transformers.XLMRobertaConfig, _ROBERTA, {}),
    "open_clip-roberta": (
        transformers.RobertaConfig,
        {**_ROBERTA, "hidden_act": "gelu_new"},
        {"hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"},
    ),
    # BiomedCLIP's
    "open_clip-bert": (
        transformers.BertConfig,
        {**_BERT, "max_position_embeddings": 16},
        {
            "hf_proj_type": "mlp",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
        },
    ),
    # as wide as the embedding, in the words of old config files
    "open_clip-bert-pooler": (
        transformers.BertConfig,
        {**_BERT, "hidden_size": 24, "max_position_embeddings": 12},
        {"proj": None, "pooler_type": "cls_pooler"},
    ),
    "open_clip-nllb": (
        transformers.M2M100Config,
        {**_M2M100, "encoder_ffn_dim": 56, "decoder_layers": 1, "decoder_ffn_dim": 8},
        {
            "hf_proj_type": "linear",
            "hf_pooler_type": "cls_pooler",
        },
    ),
    "open_clip-m2m100-mean": (
        transformers.M2M100Config,
        {**_M2M100, "encoder_ffn_dim": 24, "scale_embedding": False, "activation_function": "gelu", "pad_token_id": 3},
        {"hf_proj_type": "linear"},
    ),
    # heads that are narrower together than tokens, and distances beyond the buckets of one distance each
    "open_clip-mt5": (
        transformers.MT5Config,
        {**_MT5, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 7},
        {"hf_proj_type": "linear", "hf_pooler_type": "mean_pooler"},
    ),
    "open_clip-mt5-first": (
        transformers.MT5Config,
        {**_MT5, "num_layers": 1, "d_kv": 16, "layer_norm_epsilon": 1e-3},
        {"hf_pooler_type": "cls_pooler"},
    ),
}
OLD = {"proj": "hf_proj_type", "pooler_type": "hf_pooler_type"}


def save(golden: Path) -> None:
    """Save every model, and what open_clip computes."""
    for seed, (name, (kind, sizes, options)) in enumerate(CONFIGS.items(), start=500):
        save_model(golden / name, kind(**sizes), options, seed)


def save_model(folder: Path, encoder: transformers.PreTrainedConfig, options: dict, seed: int) -> None:
    """Save a folder as `push_to_hf_hub` does, with the encoder's own config file."""
    text = {"hf_model_name": _NAME, **options, "hf_tokenizer_name": _NAME, "context_length": _LENGTH}
    config = {"embed_dim": 24, "vision_cfg": _VISION, "text_cfg": text}
    with tempfile.TemporaryDirectory() as beside:
        encoder.save_pretrained(beside)
        named = {OLD.get(option, option): value for option, value in text.items()}
        named |= {"hf_model_name": beside, "hf_model_pretrained": False}
        model = open_clip.CustomTextCLIP(**{**config, "text_cfg": named}).eval()
        randomize(model, seed)
        write_folder(folder, model, config, torch.float16)
        shutil.copy(Path(beside) / "config.json", folder)
    to_float64(model)
    image, ids = images(_VISION["image_size"]), _ids(encoder.pad_token_id)
    padded = ids.clone()
    padded[1, 4:6] = encoder.pad_token_id  # within a text, where open_clip masks it, too
    with torch.no_grad():
        features = model(image.double(), ids)
        record(
            folder,
            ("torch", "open_clip_torch", "transformers"),
            image=image,
            text=ids,
            encode_image=model.encode_image(image.double()),
            encode_text=model.encode_text(ids),
            logits_per_image=model.logit_scale.exp() * features[0] @ features[1].T,
            padded=padded,
            encode_padded=model.encode_text(padded),
        )


def _ids(pad: int) -> torch.Tensor:
    text = torch.randint(4, _VOCABULARY, (5, _LENGTH), generator=torch.Generator().manual_seed(SEED))
    for row, length in enumerate((3, _LENGTH, 1, 3, 7)):
        text[row, length:] = pad
    return text
