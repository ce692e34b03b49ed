"""Models that are no CLIP, recognized by their types or the names of their tensors, for error messages."""

import re
from collections.abc import Iterable
from itertools import islice

_BLIP, _SEEING = "BLIP", "a vision-language model"
TOLD_FIRST = (_BLIP, _SEEING)  # although some of its names are those of another CLIP

# What it is → patterns, each of which some name has. The first that fits is returned.
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("weights flattened by FSDP; gather a full state dict before saving", (r"\b_?flat_param",)),
    ("LoRA weights, which change another model; merge them into it, and save that", (r"lora_|\b(hada|lokr)_w",)),
    ("the state of an optimizer; save the state dict of the model", (r"exp_avg",)),
    ("a whole Stable Diffusion; pass its text encoder alone", (r"\bmodel\.diffusion_model\.",)),
    ("Stable Diffusion's UNet", (r"\bdown_blocks\.", r"\bup_blocks\.", r"\btime_emb")),
    ("an autoencoder of images (VAE)", (r"\bencoder\.down(_blocks)?\.", r"\bdecoder\.up(_blocks)?\.")),
    ("a diffusion transformer", (r"\b(double_blocks|joint_blocks|(single_)?transformer_blocks)\.",)),
    ("Segment Anything", (r"\bmask_decoder\.", r"\bprompt_encoder\.")),
    (_BLIP, (r"\b(visual_encoder|[Qq]former)\.",)),
    (_SEEING, (r"\b(vision_tower|multi_modal_projector|mm_projector|visual\.merger)\.",)),
    ("a speech model such as Whisper", (r"\b(encoder\.conv1\.weight|feature_extractor\.conv_layers\.)",)),
    (
        "a tower of CLIP in the transformers library's layout; load the folder with its config.json",
        (r"^embeddings\.(patch|token)_embedding\.weight", r"^embeddings\.position_embedding\.weight"),
    ),
    ("OWL-ViT, a detector", (r"\bowlvit\.",)),
    ("EVA-CLIP by its authors' names", (r"\bvisual\.blocks\.\d+\.attn\.q_bias",)),
    ("a language model", (r"\b(lm_head\.weight|layers\.\d+\.(self_attn\.|attention\.wq)|wte\.weight|gpt_neox\.)",)),
    ("T5", (r"\bencoder\.block\.\d+\.layer\.",)),
    ("a text encoder such as BERT", (r"\bword_embeddings\.weight",)),
    ("a YOLO detector", (r"\bmodel\.(0\.conv\.weight|\d+\.(cv\d|dfl|m\.0)\.)",)),
    ("a detector such as DETR", (r"\b(class_embed|bbox_embed|roi_heads|class_labels_classifier)\.",)),
    ("a masked autoencoder", (r"\bdecoder_blocks\.", r"\bmask_token")),
    ("a DINO", (r"cls_token", r"\b(dino_head|mask_token|register_tokens|head\.last_layer)")),
    ("a vision transformer that is not a CLIP", (r"\b(cls|class)_token", r"\b(blocks|layers?)\.")),
    ("a Swin transformer", (r"relative_position_bias_table",)),
    ("a ResNet classifier", (r"\blayer1\.0\.conv1\.weight",)),
    ("a convolutional classifier", (r"\b(features|stages|blocks)\.", r"\b(classifier|head)\.")),
)
# model_type of a config file → what it is
_TYPES = {
    **dict.fromkeys(("owlvit", "owlv2", "grounding-dino", "detr"), "a detector of objects"),
    **dict.fromkeys(("clipseg", "groupvit", "sam", "segformer"), "a model that segments images"),
    **dict.fromkeys(("blip", "blip-2", "instructblip", "git"), "a model that writes captions"),
    **dict.fromkeys(("align", "flava", "bridgetower", "vilt"), "another model of images and texts"),
    "vision-text-dual-encoder": "two encoders of any types",
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "deberta-v2"), "a text encoder alone"),
    **dict.fromkeys(("t5", "mt5", "gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma"), "a language model"),
    **dict.fromkeys(("llava", "llava_next", "qwen2_vl", "paligemma", "idefics"), _SEEING),
    **dict.fromkeys(("vit", "dinov2", "dinov3_vit", "beit", "deit", "resnet"), "an image encoder alone"),
    **dict.fromkeys(("clap", "whisper", "wav2vec2"), "a model of sounds"),
    "xclip": "a model of videos",
    "timm_wrapper": "an image encoder of timm's alone",
}
_MOST_NAMES, _MOST_CHARACTERS = 2**11, 200


def what_is(model_type: object) -> str | None:
    """Say what other models of transformers are, by their `model_type`; None if that is not known."""
    return _TYPES.get(model_type) if isinstance(model_type, str) else None


def likeness(names: Iterable[str]) -> str | None:
    """Say what other model has such names of tensors; None if that is not known."""
    text = "\n".join(name[:_MOST_CHARACTERS] for name in islice(names, _MOST_NAMES))
    for kind, patterns in _KINDS:
        if all(re.search(pattern, text, re.MULTILINE) for pattern in patterns):
            return kind
    return None
