"""Make a CLIP of random weights and save it in every form that a contestant reads; run by `prepare.py`."""

import gzip
import json
import sys
import warnings
from pathlib import Path

import clip
import open_clip
import safetensors.torch
import torch
from timm.utils import reparameterize_model
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from check_architectures import SIZES
from contest.files import OPENAI, TOKENIZER, Checkpoint
from make_golden import make, trace

SEED = 7
BUFFERS = ("input_resolution", "context_length", "vocab_size")
State = dict[str, torch.Tensor]


def write(checkpoint: Checkpoint, with_texts: bool) -> None:
    checkpoint.open_clip.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.model not in OPENAI:
        write_open_clip(checkpoint)
        return
    trace(make(SIZES[checkpoint.model], SEED), SIZES[checkpoint.model], checkpoint.openai)
    model, _ = clip.load(str(checkpoint.openai), device="cpu")
    state = {
        name: tensor.contiguous()
        for name, tensor in torch.jit.load(checkpoint.openai).state_dict().items()
        if name not in BUFFERS
    }
    safetensors.torch.save_file(state, checkpoint.open_clip)
    if checkpoint.model.startswith("ViT"):
        write_transformers(model.state_dict(), SIZES[checkpoint.model], checkpoint.transformers)
    pixels = torch.zeros(2, 3, checkpoint.size, checkpoint.size)
    export(model.visual, pixels, checkpoint.images)
    if with_texts:
        export(Texts(model), torch.from_numpy(clip.tokenize(["a dog", "two cats"]).numpy()), checkpoint.texts)


def write_open_clip(checkpoint: Checkpoint) -> None:
    """Save a model of open_clip as it does for Hugging Face, and its vision tower with fused branches."""
    torch.manual_seed(SEED)
    model = open_clip.create_model(checkpoint.model).eval()
    safetensors.torch.save_model(model, checkpoint.open_clip)
    config = {"model_cfg": open_clip.get_model_config(checkpoint.model), "preprocess_cfg": model.visual.preprocess_cfg}
    (checkpoint.open_clip.parent / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    pixels = torch.zeros(2, 3, checkpoint.size, checkpoint.size)
    export(reparameterize_model(model.visual), pixels, checkpoint.images)


class Texts(torch.nn.Module):
    """The text tower as a module of its own, which is what can be exported."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embed tokenized texts."""
        embeddings: torch.Tensor = self.model.encode_text(ids)
        return embeddings


def export(tower: torch.nn.Module, example: torch.Tensor, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about its own parts
        torch.onnx.export(
            tower.eval(),
            (example,),
            path,
            input_names=["inputs"],
            output_names=["embeddings"],
            dynamic_shapes=({0: batch},),
            dynamo=True,
            external_data=False,
        )


def write_transformers(state: State, sizes: dict[str, int], folder: Path) -> None:
    """Save with the names, and the split queries, keys and values, of transformers."""
    text = {
        "hidden_size": sizes["transformer_width"],
        "intermediate_size": 4 * sizes["transformer_width"],
        "num_hidden_layers": sizes["transformer_layers"],
        "num_attention_heads": sizes["transformer_heads"],
        "projection_dim": sizes["embed_dim"],
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 49407,
    }
    vision = {
        "hidden_size": sizes["vision_width"],
        "intermediate_size": 4 * sizes["vision_width"],
        "num_hidden_layers": sizes["vision_layers"],
        "num_attention_heads": sizes["vision_width"] // 64,
        "image_size": sizes["image_resolution"],
        "patch_size": sizes["vision_patch_size"],
        "projection_dim": sizes["embed_dim"],
    }
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=sizes["embed_dim"])).eval()
    named: State = {}
    for name, tensor in state.items():
        for key, value in split(name, tensor.float()).items():
            named[rename(key)] = value
    missing, unexpected = model.load_state_dict(named, strict=False)
    assert not unexpected, unexpected
    assert all(name.endswith("position_ids") for name in missing), missing
    model.save_pretrained(folder)
    size = sizes["image_resolution"]
    CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size}).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def split(name: str, tensor: torch.Tensor) -> State:
    if "in_proj" in name:
        stem, kind = name.replace("in_proj_", "").rsplit(".", 1)
        return {f"{stem}.{part}_proj.{kind}": third for part, third in zip("qkv", tensor.chunk(3), strict=True)}
    if name in ("text_projection", "visual.proj"):
        return {name: tensor.T.contiguous()}
    return {name: tensor}


WHOLE = {
    "text_projection": "text_projection.weight",
    "visual.proj": "visual_projection.weight",
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
}
PARTS = {
    "visual.ln_pre": "vision_model.pre_layrnorm",  # so spelled there
    "visual.ln_post": "vision_model.post_layernorm",
    "ln_final": "text_model.final_layer_norm",
    "visual.transformer.resblocks": "vision_model.encoder.layers",
    "transformer.resblocks": "text_model.encoder.layers",
    ".attn.": ".self_attn.",
    ".ln_1.": ".layer_norm1.",
    ".ln_2.": ".layer_norm2.",
    "c_fc": "fc1",
    "c_proj": "fc2",
}


def rename(name: str) -> str:
    if name in WHOLE:
        return WHOLE[name]
    for theirs, ours in PARTS.items():
        name = name.replace(theirs, ours)
    return name


def tokenizer() -> CLIPTokenizer:
    """Build the tokenizer of transformers from the merges in openai/CLIP's package."""
    source = Path(clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(source.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    return CLIPTokenizer(
        vocab=dict(clip.simple_tokenizer.SimpleTokenizer().encoder), merges=[tuple(line.split()) for line in lines]
    )


def main() -> None:
    with_texts, *models = json.loads(sys.argv[1]), *sys.argv[2:]
    TOKENIZER.parent.mkdir(parents=True, exist_ok=True)
    tokenizer().backend_tokenizer.save(str(TOKENIZER))
    for model in models:
        write(Checkpoint(model), model in with_texts)


if __name__ == "__main__":
    main()
