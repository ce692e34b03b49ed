"""Write tests/golden/checkpoints: small CLIPs saved by the real libraries in every format, and what they compute.

Needs PyTorch, openai/CLIP, open_clip and safetensors, in a virtual environment of their own (see tools/README.md):

    python tools/make_golden.py

Weights are random. Each checkpoint `X` comes with `X.npz`: the inputs, and the outputs of the reference computed
in float64 from the weights that the file holds, stage by stage for the TorchScript archives.
"""

import argparse
import collections
import json
import shutil
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from unittest import mock

import clip.model
import numpy as np
import open_clip
import safetensors.torch
import torch
from torch import nn

from golden.common import SEED, State, randomize

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "checkpoints"
FAMILIES = GOLDEN.parent / "families"
MODULES = (
    "authors",
    "clip_vocabulary",
    "copies",
    "fg_clip_2",
    "jina_clip",
    "known_outputs",
    "mobileclip",
    "multilingual",
    "nomic",
    "open_clip_coca",
    "open_clip_convolutional",
    "open_clip_encoders",
    "open_clip_timm",
    "open_clip_vit",
    "tokenizers",
    "training_checkpoints",
    "transformers_bert",
    "transformers_clip",
    "transformers_siglip2",
    "hidden_states",  # of all that the others made
)


class Multimodal(clip.model.CLIP):
    """openai/CLIP's model with the three sizes that OpenAI's archives record as buffers."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        for name, value in {
            "input_resolution": sizes["image_resolution"],
            "context_length": sizes["context_length"],
            "vocab_size": sizes["vocab_size"],
        }.items():
            if hasattr(self, name):
                delattr(self, name)
            self.register_buffer(name, torch.tensor(value))


VIT = {
    "embed_dim": 48,
    "image_resolution": 32,
    "vision_layers": 1,
    "vision_width": 128,  # two heads
    "vision_patch_size": 8,
    "context_length": 12,
    "vocab_size": 96,
    "transformer_width": 64,
    "transformer_heads": 1,
    "transformer_layers": 2,
}
RESNET = {
    **VIT,
    "image_resolution": 64,
    "vision_layers": (2, 1, 1, 1),
    "vision_width": 8,  # four heads in the attention pool
    "vision_patch_size": None,
    "transformer_width": 130,  # two heads of 65: the rule is a whole division by 64
    "transformer_heads": 2,
    "transformer_layers": 1,
}


def make(sizes: dict, seed: int) -> Multimodal:
    model = Multimodal(**sizes).eval()
    randomize(model, seed)
    return model


def reference(state: State) -> nn.Module:
    """openai/CLIP's own model in float64, without its rounding of weights to float16."""
    with mock.patch("clip.model.convert_weights"):
        model = clip.model.build_model({name: tensor.float() for name, tensor in state.items()})
    for part in model.modules():
        if isinstance(part, clip.model.LayerNorm):
            part.__class__ = nn.LayerNorm  # theirs computes in float32 whatever comes
    return model.double()


def inputs(sizes: dict) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(SEED)
    image = random.standard_normal((3, 3, sizes["image_resolution"], sizes["image_resolution"]))
    text = np.zeros((4, sizes["context_length"]), np.int64)
    for row, length in enumerate((2, 5, 9, sizes["context_length"])):
        text[row, 1 : length - 1] = random.integers(1, sizes["vocab_size"] - 2, length - 2)
        text[row, [0, length - 1]] = sizes["vocab_size"] - 2, sizes["vocab_size"] - 1
    return torch.from_numpy(image.astype(np.float32)), torch.from_numpy(text)


def stages(model: nn.Module) -> tuple[dict[str, torch.Tensor], Callable[[], None]]:
    """Record what the named parts of a model put out, until the returned function is called."""
    seen: dict[str, torch.Tensor] = {}
    resnet_parts = [f"visual.{part}" for part in ("relu1", "relu2", "relu3", "avgpool", "attnpool")]
    resnet_parts += [f"visual.layer{i}" for i in (1, 2, 3, 4)]
    parts = {
        name: part
        for name, part in model.named_modules()
        if name.rpartition(".")[0].endswith("resblocks")
        or name in ("visual.conv1", "visual.ln_pre", "visual.ln_post", "ln_final", *resnet_parts)
    }
    hooks = [
        part.register_forward_hook(lambda _m, _i, output, name=name: seen.__setitem__(name, output))
        for name, part in parts.items()
    ]
    return seen, lambda: [hook.remove() for hook in hooks] and None


def record(path: Path, state: State, sizes: dict, with_stages: bool = False) -> None:
    model = reference({name: tensor for name, tensor in state.items() if tensor.is_floating_point()})
    image, text = inputs(sizes)
    seen, stop = stages(model)
    with torch.no_grad():
        outputs = {"encode_image": model.encode_image(image.double()), "encode_text": model.encode_text(text)}
        stop()
        outputs["logits_per_image"], _ = model(image.double(), text)
    if with_stages:
        for name, output in seen.items():
            if "resblocks" in name:
                output = output.permute(1, 0, 2)  # openai/CLIP puts tokens before the batch
            outputs[f"stage {name}"] = output.float()
    np.savez_compressed(
        path.with_name(path.name + ".npz"),
        image=image.numpy(),
        text=text.numpy(),
        made_with=np.array(f"torch {torch.__version__}, openai/CLIP, open_clip {open_clip.__version__}, seed {SEED}"),
        **{name: output.numpy() for name, output in outputs.items()},
    )


def trace(model: Multimodal, sizes: dict, path: Path) -> None:
    """Save as OpenAI did: weights in float16, three traced methods, one mangled class per module."""
    clip.model.convert_weights(model)
    image, text = inputs(sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that become constants
        traced = torch.jit.trace_module(
            model,
            {"forward": (image, text), "encode_image": (image,), "encode_text": (text,)},
            check_trace=False,
        )
    torch.jit.save(traced, path)


def main() -> None:
    """Write all goldens, or those of the families that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[[], "checkpoints", *MODULES], help="which (default: all)")
    chosen = parser.parse_args().families or ["checkpoints", *MODULES]
    FAMILIES.mkdir(exist_ok=True)
    for name in chosen:
        if name == "checkpoints":
            save_checkpoints()
        else:
            import_module(f"golden.{name}").save(FAMILIES)


def save_checkpoints() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir(parents=True)
    torch.manual_seed(SEED)

    vit, resnet = make(VIT, 1), make(RESNET, 2)
    half = {name: tensor.half() for name, tensor in vit.state_dict().items() if tensor.is_floating_point()}
    brain = {f"module.{name}": tensor.bfloat16() for name, tensor in resnet.state_dict().items()}
    brain = {name: tensor for name, tensor in brain.items() if not name.endswith(("resolution", "length", "size"))}

    for name, model, sizes in (("vit-torchscript.pt", vit, VIT), ("resnet-torchscript.pt", resnet, RESNET)):
        plain = clip.model.CLIP(**sizes)
        plain.load_state_dict(model.state_dict(), strict=False)
        trace(model, sizes, GOLDEN / name)
        record(GOLDEN / name, torch.jit.load(GOLDEN / name).state_dict(), sizes, with_stages=True)
        if sizes is VIT:
            torch.save(plain.state_dict(), GOLDEN / "vit-state-dict.pt")
            record(GOLDEN / "vit-state-dict.pt", plain.state_dict(), VIT)

    torch.save(half, GOLDEN / "vit-legacy.pt", _use_new_zipfile_serialization=False)
    record(GOLDEN / "vit-legacy.pt", half, VIT)
    safetensors.torch.save_file(half, GOLDEN / "vit.safetensors")
    record(GOLDEN / "vit.safetensors", half, VIT)
    training = {"epoch": 3, "name": "run", "state_dict": brain, "optimizer": {"state": {}, "lr": 1e-3}}
    torch.save(training, GOLDEN / "resnet-training.pt")
    record(GOLDEN / "resnet-training.pt", {k.removeprefix("module."): v for k, v in brain.items()}, RESNET)
    save_open_clip()
    save_tensors()


def save_open_clip() -> None:
    """Save a model of open_clip, with its erf GELU, as its hub folders are."""
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {"context_length": 12, "vocab_size": 96, "width": 64, "heads": 1, "layers": 1},
    }
    folder = GOLDEN / "open_clip"
    folder.mkdir()
    model = open_clip.CLIP(**config).eval()
    randomize(model, 3)
    state = {name: tensor.half() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    preprocess = {
        "mean": list(open_clip.OPENAI_DATASET_MEAN),
        "std": list(open_clip.OPENAI_DATASET_STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    model.double()
    model.transformer.get_cast_dtype = lambda: torch.float64
    image, ids = inputs({"image_resolution": 32, "context_length": 12, "vocab_size": 96})
    with torch.no_grad():
        np.savez_compressed(
            GOLDEN / "open_clip.npz",
            image=image.numpy(),
            text=ids.numpy(),
            encode_image=model.encode_image(image.double()).numpy(),
            encode_text=model.encode_text(ids).numpy(),
        )


def save_tensors() -> None:
    """Save tensors of every number format and memory layout, in both formats of torch.save."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {
        "float64": torch.tensor([[1 / 3, -2.5e300]], dtype=torch.float64),
        "float16": torch.tensor([65504.0, -(2.0**-24)], dtype=torch.float16),
        "bfloat16": torch.tensor([[1.0, -3.140625], [2.0**-120, 1e38]], dtype=torch.bfloat16),
        "int64": torch.tensor(-(2**40)),
        "int32": torch.tensor([1, -2], dtype=torch.int32),
        "int16": torch.tensor([3, -4], dtype=torch.int16),
        "int8": torch.tensor([5, -6], dtype=torch.int8),
        "uint8": torch.tensor([7, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "transposed": base.T,
        "row of shared": base[2],
        "column of shared": base[:, 3],
        "stepped": base[::2, 1::2],
        "expanded": torch.tensor([1.5]).expand(3, 2),
        "empty": torch.empty(0, 3),
        "bfloat16 transposed": base.bfloat16().T,
        "parameter": nn.Parameter(torch.tensor([9.0])),
    }
    torch.save(tensors, GOLDEN / "tensors.pt")
    torch.save(tensors, GOLDEN / "tensors-protocol4.pt", pickle_protocol=4)
    bystanders = {
        "args": argparse.Namespace(lr=1e-3, sizes=(1, 2), out=Path("out")),
        "best": np.float64(0.5),
        "losses": np.arange(3.0),
        "seen": collections.Counter("abca"),
        "by_name": collections.defaultdict(list, {"a": [1]}),
        "skipped": {1, 2},
        "dtype": torch.float16,
    }
    torch.save({**bystanders, "state_dict": {"a": base}}, GOLDEN / "tensors-bystanders.pt")
    torch.save(tensors, GOLDEN / "tensors-legacy.pt", _use_new_zipfile_serialization=False)
    values = {
        name: t.detach().float().numpy() if t.dtype == torch.bfloat16 else t.detach().numpy()
        for name, t in tensors.items()
    }
    np.savez_compressed(GOLDEN / "tensors.npz", **values)


if __name__ == "__main__":
    main()
