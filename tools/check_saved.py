"""Load what NumPyCLIP saved with the libraries that it was saved for, and compare.

Needs PyTorch, open_clip and transformers:

    python tools/check_saved.py [FILE or FOLDER or NAME ...]

Without arguments: small models of the kinds whose names change, from the tests and made here. The libraries compute in
float64 from the saved numbers, NumPyCLIP in float32 from the model before it was saved; one line per model and format
says how far apart they are, and that tokens, pixels and NumPyCLIP's own copy are the same.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import open_clip
import torch
import transformers
from PIL import Image

import numpyclip
from numpyclip import CLIP, Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import PoolConfig, StemConfig, VisionTransformerConfig
from numpyclip.runtime.towers import expected_tensors
from numpyclip.saving.loss import TEXTS, generate_pictures
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.weights.checkpoint import Checkpoint

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
SMALL = ("tiny", "checkpoints/vit-torchscript.pt", "checkpoints/vit-legacy.pt", "checkpoints/resnet-torchscript.pt")
FOLDERS = ("checkpoints/open_clip", "families/open_clip-clipa")

Encoders = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]


def siglip() -> CLIP:
    """Make a model of SigLIP's kind: no class token, pooled by a query; texts see all tokens, the last one speaks."""
    sizes = {"layers": 2, "heads": 4, "activation": "gelu_tanh", "eps": 1e-6}
    config = CLIPConfig(
        family="openai",
        embed_dim=48,
        vision=VisionTransformerConfig(
            **sizes,
            width=48,
            mlp_width=80,
            image_size=32,
            patch_size=8,
            stem=StemConfig(patch_bias=True),
            class_token=False,
            norm_before=False,
            pool=PoolConfig(kind="map"),
            projection=None,
        ),
        text=TextConfig(
            **sizes, width=32, mlp_width=72, context_length=20, vocab_size=49408, causal=False, pool="last"
        ),
        preprocess=Preprocess(32, "transformers", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", "squash"),
        sigmoid=True,
    )
    random = np.random.default_rng(5)
    arrays = {"text_projection.weight": np.empty(0), "text_projection.bias": np.empty(0)}
    for name, shape in expected_tensors(Checkpoint(Path("siglip"), arrays), config):
        numbers = random.standard_normal(shape) * (1 if len(shape) < 2 else shape[-1] ** -0.5)
        is_norm = name.endswith("weight") and len(shape) == 1
        arrays[name] = np.array(numbers * 0.2 + 1 if is_norm else numbers, np.float32)
    return CLIP.read(Checkpoint(Path("siglip"), arrays), config, default_tokenizer)


def models(names: list[str]) -> Iterator[tuple[str, CLIP]]:
    for name in names or [*SMALL, *FOLDERS]:
        place = name if names or name == "tiny" else GOLDEN / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield str(name), numpyclip.load(place)[0]
    if not names:
        yield "siglip", siglip()


def load_open_clip(folder: Path, dtype: str) -> tuple[Encoders, list[str]]:
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    model.double().eval()
    for part in model.modules():
        if hasattr(part, "get_cast_dtype"):
            part.get_cast_dtype = lambda: torch.float64
    ours, _ = numpyclip.load(folder)
    photo = Image.fromarray(generate_pictures(90)[0][:, :61])
    same_pixels = np.array_equal(preprocess(photo).numpy(), ours.preprocess(photo))
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    same_ids = np.array_equal(tokenizer(list(TEXTS)).numpy(), ours.tokenize(TEXTS, truncate=True))
    return (
        lambda image: model.encode_image(torch.from_numpy(image).double()).numpy(),
        lambda text: model.encode_text(torch.from_numpy(text).long()).numpy(),
    ), [f"pixels {'same' if same_pixels else 'DIFFER'}", f"ids {'same' if same_ids else 'DIFFER'}"]


def load_transformers(folder: Path, dtype: str) -> tuple[Encoders, list[str]]:
    model, report = transformers.AutoModel.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    if any(report.values()):
        raise SystemExit(f"{folder}: {report}")
    found = {str(parameter.dtype) for parameter in model.parameters()}
    model.double().eval()
    # softmax is computed in float32 there, whatever the model's own format is
    torch.nn.functional.softmax, softmax = (lambda x, dim, dtype=None: softmax(x, dim)), torch.nn.functional.softmax
    processor = transformers.AutoProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = tokenizer(list(TEXTS))["input_ids"]
    ours = default_tokenizer()(TEXTS, 77)
    same_ids = all(row == expected[: len(row)].tolist() for row, expected in zip(theirs, ours, strict=True))
    kinds = f"{type(model).__name__} in {', '.join(found)}, {type(processor.image_processor).__name__}"
    return (
        lambda image: model.get_image_features(torch.from_numpy(image).double()).pooler_output.numpy(),
        lambda text: model.get_text_features(torch.from_numpy(text).long()).pooler_output.numpy(),
    ), [kinds, f"{type(tokenizer).__name__} ids {'same' if same_ids else 'DIFFER'}"]


def distance(ours: np.ndarray, theirs: np.ndarray) -> str:
    return f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.1e}"


def compare(name: str, model: CLIP, format: str, dtype: str) -> str:
    load = load_open_clip if format == "open_clip" else load_transformers
    size, text = model.config.vision.image_size, model.config.text
    image = np.random.default_rng(0).standard_normal((3, 3, size, size)).astype(np.float32)
    ids = np.zeros((4, text.context_length), np.int64)
    for row, length in zip(ids, (2, 5, 9, text.context_length), strict=True):
        row[:length] = np.random.default_rng(length).integers(1, text.vocab_size - 2, length)
        row[length - 1] = text.vocab_size - 1
    with tempfile.TemporaryDirectory() as parent:
        try:
            folder = numpyclip.save(model, Path(parent, "saved"), format, dtype=dtype)
        except numpyclip.UnsupportedCheckpointError as error:
            return f"{name} | {format} {dtype} | refused: {str(error).split(': ', 1)[-1]}"
        with torch.no_grad():
            (encode_image, encode_text), notes = load(folder, dtype)
            theirs = encode_image(image), encode_text(ids)
        cells = [distance(model.encode_image(image), theirs[0]), distance(model.encode_text(ids), theirs[1])]
        try:
            copy, _ = numpyclip.load(folder)
            cells.append(f"own copy {distance(copy.encode_image(image), theirs[0])}")
            cells.append(distance(copy.encode_text(ids), theirs[1]))
        except numpyclip.CheckpointError as error:
            cells.append(f"own copy: {str(error)[-60:]}")
    return " | ".join([name, f"{format} {dtype}", *cells, *notes])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a file, folder or name")
    given = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    print("model | saved as | pictures, texts: max error / max | own copy, the same | notes")
    for name, model in models(given.models):
        for format in ("open_clip", "transformers"):
            for dtype in ("float32", "float16", "bfloat16"):
                print(compare(name, model, format, dtype), flush=True)


if __name__ == "__main__":
    main()
