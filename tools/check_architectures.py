"""Compare all nine of OpenAI's architectures, at their true sizes, with openai/CLIP itself.

Needs what tools/make_golden.py needs, and several gigabytes of memory and disk:

    python tools/check_architectures.py [NAME ...]

Weights are random, saved as OpenAI saved theirs (TorchScript, float16 but for the norms), read by NumPyCLIP from that
file, and compared with the reference in float64. One line per model, for docs/explanations/exactness.md.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import numpyclip
from make_golden import make, reference, trace

# OpenAI's sizes, as published in the paper (Radford et al., 2021, tables 19 and 20).
TEXT = {"context_length": 77, "vocab_size": 49408, "transformer_layers": 12}


def vit(embed: int, size: int, patch: int, width: int, layers: int, text: int) -> dict:
    vision = {"image_resolution": size, "vision_patch_size": patch, "vision_width": width, "vision_layers": layers}
    return {"embed_dim": embed, **vision, **TEXT, "transformer_width": text, "transformer_heads": text // 64}


def resnet(embed: int, size: int, width: int, layers: tuple[int, ...], text: int) -> dict:
    return vit(embed, size, None, width, layers, text)


SIZES = {
    "RN50": resnet(1024, 224, 64, (3, 4, 6, 3), 512),
    "RN101": resnet(512, 224, 64, (3, 4, 23, 3), 512),
    "RN50x4": resnet(640, 288, 80, (4, 6, 10, 6), 640),
    "RN50x16": resnet(768, 384, 96, (6, 8, 18, 8), 768),
    "RN50x64": resnet(1024, 448, 128, (3, 15, 36, 10), 1024),
    "ViT-B/32": vit(512, 224, 32, 768, 12, 512),
    "ViT-B/16": vit(512, 224, 16, 768, 12, 512),
    "ViT-L/14": vit(768, 224, 14, 1024, 24, 768),
    "ViT-L/14@336px": vit(768, 336, 14, 1024, 24, 768),
}


def compare(name: str, path: Path) -> str:
    model = make(SIZES[name], seed=7)
    trace(model, SIZES[name], path)
    state = {key: tensor for key, tensor in torch.jit.load(path).state_dict().items() if tensor.is_floating_point()}
    theirs = reference(state)
    size = SIZES[name]["image_resolution"]
    image = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    text = numpyclip.tokenize(["a photo of a cat", "two dogs on a beach, at night, in the rain, with umbrellas"])
    start = time.perf_counter()
    ours, _ = numpyclip.load(path)
    seconds = time.perf_counter() - start
    cells = [f"{path.stat().st_size / 2**20:.0f} MiB", f"{seconds:.1f} s"]
    with torch.no_grad():
        for mine, reference_output in (
            (ours.encode_image(image), theirs.encode_image(torch.from_numpy(image).double()).numpy()),
            (ours.encode_text(text), theirs.encode_text(torch.from_numpy(text)).numpy()),
        ):
            error = np.abs(mine - reference_output).max() / np.abs(reference_output).max()
            lengths = np.linalg.norm(mine.astype(float), axis=1) * np.linalg.norm(reference_output, axis=1)
            cosine = ((mine * reference_output).sum(axis=1) / lengths).min()
            cells += [f"{error:.1e}", f"{1 - cosine:.0e}"]
    return " | ".join([name, *cells])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(SIZES), metavar="MODEL", help=", ".join(SIZES))
    names = parser.parse_args().models
    print("model | file | load | image: max error / max | 1 - cosine | text: max error / max | 1 - cosine")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, "model.pt")
            print(compare(name, path), flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
