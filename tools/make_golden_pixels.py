"""Make tests/golden/pixels*: small pictures with the pixels that the libraries' own transforms make of them.

    python tools/make_golden_pixels.py          (needs openai/CLIP, open_clip, transformers, PyTorch and torchvision)

Pillow resizes differently since version 13 (it runs the cheaper of the two passes first), and refuses other
modes before version 11.  So the results are recorded once for each range of versions that gives the same; run
this with a Pillow of each (10.0 has bugs of its own and is not one of them), such as

    pip install --target pillow10 pillow==10.1.0 && PYTHONPATH=pillow10 python tools/make_golden_pixels.py

The same libraries give the same bytes.

pixels.npz holds the pictures: `cases` is JSON, `pictures` their bytes end to end; and `normalized`, the pixels
of the first case, which Pillow has no part in.  pixels-pillow*.json holds the sha256 of the float32 pixels of
each case, or null where the reference refuses the picture: as "sha256" those of openai/CLIP, and under "profiles"
the beginnings of those of open_clip and transformers with the options of `profiles`.
"""

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import PIL
import torch
import torchvision
import transformers
from clip.clip import _transform
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
SEED = 20210226
BYTE_MODES = ["L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"]
MODES = ["1", *BYTE_MODES, "I", "F", "I;16", "I;16L", "I;16B", "I;16N"]
SIZES = [(37, 23), (23, 37), (16, 16), (5, 9)]  # smaller both ways, as it is, larger
# One pixel wide or high, far from square; offsets of the crop that end in .5, after an even and an odd number;
# long sides that `int` rounds down from almost one more; and where the order of the two passes differs.
SHAPES = [(1, 1), (2, 1), (1, 40), (40, 1), (3, 200), (200, 3), (15, 16), (17, 16), (16, 17), (18, 16)]
SHAPES += [(16, 19), (19, 16), (16, 21), (21, 16), (49, 99), (99, 49), (50, 101), (33, 100), (100, 33), (64, 64)]
SHAPES += [(61, 151), (151, 61)]
SIDES = (16, 31, 32)
# Tiles of noise, repeated, at the models' own sizes.
LARGE = [("RGB", (23, 227), (12, 3)), ("RGB", (227, 23), (3, 12)), ("L", (64, 48), (10, 10))]
LARGE += [("RGBA", (17, 13), (40, 9)), ("P", (31, 17), (9, 30)), ("RGB", (32, 28), (8, 7)), ("RGB", (9, 5), (1, 1))]
LARGE += [("CMYK", (15, 16), (15, 15)), ("LA", (1, 30), (1, 3)), ("1", (450, 300), (1, 1))]


def samples(rng: np.random.Generator, mode: str, count: int) -> bytes:
    """Return `count` bytes of noise; beyond eight bits, values around 0..255, since RGB clips there."""
    if mode == "I":
        return rng.integers(-100, 500, count // 4).astype("<i4").tobytes()
    if mode == "F":
        return rng.uniform(-100, 500, count // 4).astype("<f4").tobytes()
    if mode.startswith("I;16"):
        return rng.integers(0, 500, count // 2).astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    return rng.integers(0, 256, count, dtype=np.uint8).tobytes()


def picture(rng: np.random.Generator, mode: str, size: tuple[int, int], n: int) -> tuple[dict[str, Any], bytes]:
    data = samples(rng, mode, len(Image.new(mode, size).tobytes()))
    case: dict[str, Any] = {"mode": mode, "size": size, "repeat": (1, 1), "n": n, "bytes": len(data)}
    if mode in ("P", "PA"):
        case["palette"] = samples(rng, "P", 768).hex()
    return case, data


def all_values() -> tuple[dict[str, Any], bytes]:
    """All 256 values in all three channels, in a picture that need not be resized."""
    data = bytes(value for value in range(256) for _ in range(3))
    return {"mode": "RGB", "size": (16, 16), "repeat": (1, 1), "n": 16, "bytes": len(data)}, data


def transparent(rng: np.random.Generator) -> list[tuple[dict[str, Any], bytes]]:
    """Pictures of which one colour, or each colour of a palette in part, is transparent."""
    alphas = samples(rng, "L", 200).hex()
    made = [(picture(rng, mode, (37, 23), 16), value) for mode, value in [("L", 7), ("P", 7), ("P", alphas)]]
    made.append((picture(rng, "RGB", (37, 23), 16), [1, 2, 3]))
    return [({**case, "transparency": value}, data) for (case, data), value in made]


def pictures() -> list[tuple[dict[str, Any], bytes]]:
    rng = np.random.default_rng(SEED)
    made = [all_values(), *transparent(rng)]
    made += [picture(rng, mode, size, 16) for mode in MODES for size in SIZES]
    made += [picture(rng, "RGB", size, SIDES[i % 3]) for i, size in enumerate(SHAPES)]
    made += [picture(rng, "L", size, SIDES[(i + 1) % 3]) for i, size in enumerate(SHAPES)]
    for mode, size, repeat in LARGE:
        case, data = picture(rng, mode, size, 224)
        made.append(({**case, "repeat": repeat}, data))
    return made


def build(case: dict[str, Any], data: bytes) -> Image.Image:
    """Make a picture of a case; tests/images/test_preprocess.py does the same."""
    width, height = case["size"]
    across, down = case["repeat"]
    if (across, down) != (1, 1):  # modes of whole bytes
        data = np.tile(np.frombuffer(data, np.uint8).reshape(height, width, -1), (down, across, 1)).tobytes()
    image = Image.frombytes(case["mode"], (width * across, height * down), data)
    if "palette" in case:
        image.putpalette(bytes.fromhex(case["palette"]))
    if "transparency" in case:
        value = case["transparency"]
        kinds = {str: bytes.fromhex, list: tuple, int: int}
        image.info["transparency"] = kinds[type(value)](value)
    return image


Transform = Callable[[Image.Image], np.ndarray]
HALF = (0.5, 0.5, 0.5)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def openai(n: int) -> Transform:
    return lambda image: _transform(n)(image).numpy()


def of_open_clip(n: int | tuple[int, int], **options: Any) -> Transform:
    return lambda image: image_transform_v2(PreprocessCfg(n, **options), is_train=False)(image).numpy()


def of_transformers(processor: type, **options: Any) -> Transform:
    return lambda image: processor(**options)(image, return_tensors="np")["pixel_values"][0]


def of_clip(n: int, short_side: int, **options: Any) -> Transform:
    sides = {"size": {"shortest_edge": short_side}, "crop_size": {"height": n, "width": n}}
    return of_transformers(CLIPImageProcessorPil, **sides, **options)


def profiles(n: int) -> dict[str, Transform]:
    """Return what published models use, and the options that none does yet, as in tests/images/test_preprocess.py."""
    square = {"height": n, "width": n}
    return {
        "open_clip": of_open_clip(n),
        "open_clip bilinear": of_open_clip(n, interpolation="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3),
        "open_clip squash": of_open_clip(n, resize_mode="squash", mean=HALF, std=HALF),
        "open_clip squash bilinear": of_open_clip(n, resize_mode="squash", interpolation="bilinear", **IMAGENET),
        "open_clip longest": of_open_clip(n, resize_mode="longest"),
        "open_clip longest filled": of_open_clip(n, resize_mode="longest", interpolation="bilinear", fill_color=7),
        "open_clip wide": of_open_clip((n, n + 9), interpolation="bilinear"),  # which open_clip then overlooks
        "open_clip tall longest": of_open_clip((2 * n, n), resize_mode="longest", fill_color=7),
        "open_clip wide squash": of_open_clip((n, 2 * n), resize_mode="squash", interpolation="bilinear"),
        "transformers": of_clip(n, n),
        "transformers larger": of_clip(n, n + 5, resample=2),
        "transformers smaller": of_clip(n, n - 3),
        "transformers squash": of_transformers(SiglipImageProcessorPil, size=square),
        "transformers squash bilinear": of_transformers(SiglipImageProcessorPil, size=square, resample=2),
        "transformers nearest": of_clip(n, n, resample=0, do_normalize=False),
        "transformers lanczos": of_clip(n, n, resample=1, do_rescale=False),
        "transformers box": of_clip(n, n, resample=4, rescale_factor=1 / 127.5),
        "transformers hamming": of_clip(n, n, resample=5, image_mean=0.5, image_std=0.25),
        "transformers crop": of_transformers(CLIPImageProcessorPil, do_resize=False, crop_size=square),
        "transformers wide crop": of_transformers(
            CLIPImageProcessorPil, size={"shortest_edge": n}, crop_size={"height": n, "width": n + 9}
        ),
        "transformers squash and crop": of_transformers(
            CLIPImageProcessorPil, size={"height": n + 3, "width": 2 * n}, crop_size={"height": n, "width": n - 3}
        ),
    }


def pixels(transform: Transform, case: dict[str, Any], data: bytes) -> np.ndarray | None:
    try:
        return transform(build(case, data))
    except ValueError:
        return None


def digest(made: np.ndarray | None) -> str | None:
    assert made is None or made.dtype == np.float32
    return None if made is None else hashlib.sha256(np.ascontiguousarray(made).tobytes()).hexdigest()


def pillow_range() -> int:
    """Return the first of the major versions that give the same results as the installed one."""
    major = int(PIL.__version__.split(".")[0])
    return 10 if major < 11 else 11 if major < 13 else major


def main() -> None:
    made = pictures()
    results = [pixels(openai(case["n"]), case, data) for case, data in made]
    np.savez_compressed(
        GOLDEN / "pixels.npz",
        cases=np.array(json.dumps([case for case, _ in made])),
        pictures=np.frombuffer(b"".join(data for _, data in made), np.uint8),
        normalized=results[0],
    )
    others: dict[str, list[str | None]] = {name: [] for name in profiles(16)}
    for case, data in made:
        for name, transform in profiles(case["n"]).items():
            whole = digest(pixels(transform, case, data))
            others[name].append(whole and whole[:16])
    golden = {
        "reference": "openai/CLIP, clip.clip._transform",
        "versions": {
            module.__name__: module.__version__ for module in (PIL, torchvision, torch, open_clip, transformers)
        },
        "seed": SEED,
        "sha256": [digest(result) for result in results],
        "profiles": others,
    }
    target = GOLDEN / f"pixels-pillow{pillow_range()}.json"
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="ascii")
    refused = [case["mode"] for (case, _), result in zip(made, results, strict=True) if result is None]
    print(f"{target}: {len(made)} pictures, {len(refused)} refused {sorted(set(refused))}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # Pillow's, of transparency that is dropped
    main()
