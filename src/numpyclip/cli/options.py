"""Options that mean the same in every command, and the model that they ask for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from numpyclip.arguments import ENGINE_NAMES, ENGINE_OPTIONS, PRECISIONS
from numpyclip.errors import InputError
from numpyclip.images.decode_options import MAX_PIXELS, DecodeOptions
from numpyclip.images.views import VIEWS, View, checked_views
from numpyclip.weights.activations import ACTIVATIONS

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP

DEFAULT_MODEL = "ViT-B/32"
USUAL_MODEL = f"$NUMPYCLIP_MODEL, else {DEFAULT_MODEL}"
Options: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"  # of a command, or a group of them


def add_pictures(command: argparse.ArgumentParser, verb: str, metavar: str = "IMAGE", more: str = "") -> None:
    """Add the images that a command is about, of which there must be some, and what follows them."""
    what = "an image, a folder, or - for paths on stdin"
    command.add_argument("items", metavar=metavar, nargs="*", help=f"{what}; then {more}" if more else what)
    command.set_defaults(nothing=f"nothing to {verb}: name an image or a folder, or - for paths on standard input.")


def add_views_option(options: Options, default: str = "crop") -> None:
    """Add which views of an image are embedded."""
    options.add_argument(
        "--views",
        type=views,
        metavar="A,B",
        help="views to embed: crop (what the model was trained to see), pad, squash (the whole image), "
        f"tiles (that cover an image longer than 1.3 times its width or height; default: {default})",
    )


def views(text: str) -> tuple[View, ...]:
    """Parse names of views."""
    try:
        return checked_views(text.split(","))
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{text!r} names no views; expected some of {','.join(VIEWS)}") from error


def add_model_options(
    command: argparse.ArgumentParser, batch_size: int = 32, usual: str = USUAL_MODEL, several: str = ""
) -> None:
    """Add the model, of which the `usual` one is the default, and how it is run."""
    group = add_model_choice(command, usual, several)
    add_engine_options(group)
    group.add_argument(
        "--batch-size", type=positive, default=batch_size, metavar="N", help="inputs in a batch (default: %(default)s)"
    )
    group.add_argument(
        "--low-memory", action="store_true", help="keep the weights in the dtype of the file; slower for few inputs"
    )


def add_models_of_indexes(command: argparse.ArgumentParser, several: str = "") -> None:
    """Add the model, which by default is the one that the index was made with, and how it is run.

    `several` says what more than one is for, if that is possible.
    """
    add_model_options(command, usual=f"that of the index, else {USUAL_MODEL}", several=several)
    command.set_defaults(usual_model=command.get_default("model"), model=None)


def add_model_choice(command: argparse.ArgumentParser, usual: str = USUAL_MODEL, several: str = "") -> Options:
    """Add the model."""
    group = command.add_argument_group("model")
    group.add_argument(
        "-m",
        "--model",
        action="append" if several else "store",
        default=os.environ.get("NUMPYCLIP_MODEL") or DEFAULT_MODEL,
        help="a name listed by `numpyclip models`, or hf-hub:organization/name, or a file or folder of weights "
        f"(default: {usual}){several}",
    )
    add_weights_options(group)
    add_text_model_option(group)
    add_activation_option(group)
    group.add_argument(
        "--truncate-dim",
        type=positive,
        metavar="N",
        help="keep the first N dimensions of embeddings, for models trained for it (Matryoshka)",
    )
    return group


def add_weights_options(options: Options, model: str = "--model") -> None:
    """Add which weights of an architecture are meant, and the folder of downloaded ones."""
    options.add_argument(
        "--pretrained",
        metavar="TAG",
        help=f"weights of OpenCLIP's architecture {model}: a tag of `numpyclip models --all`, or a file or folder",
    )
    options.add_argument(
        "--download-root",
        metavar="FOLDER",
        help="folder of downloaded models (default: $CLIP_DIR, else ~/.cache/clip; for hf-hub: names as $HF_HOME says)",
    )


def add_engine_options(options: Options) -> None:
    """Add what computes embeddings, where, and how precisely."""
    options.add_argument(
        "--engine",
        choices=ENGINE_NAMES,
        help="what computes embeddings (default: an installed engine that has --device and --precision; where neither "
        "is given, $NUMPYCLIP_ENGINE, else numpy); `numpyclip engines` compares them",
    )
    options.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of an engine's products; int8 rounds weights, and with some engines the inputs of layers; embeddings are "
        "comparable (default: float32)",
    )
    options.add_argument(
        "--device", metavar="DEVICE", help="of an engine: cpu, cuda, cuda:1, gpu, coreml, ... (default: cpu)"
    )


def add_text_model_option(options: Options) -> None:
    """Add the text tower of another model."""
    options.add_argument(
        "--text-model",
        metavar="MODEL",
        help="embed texts with the text tower of this model, trained to match --model, such as "
        "hf-hub:M-CLIP/XLM-Roberta-Large-Vit-B-32",
    )


def add_activation_option(options: Options) -> None:
    """Add the activation, which some files do not record."""
    options.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        help="for a file of weights that does not record it: quick_gelu (OpenAI), gelu (LAION and most others), "
        "gelu_tanh (its approximation, as in SigLIP)",
    )


def add_orientation_option(options: Options) -> None:
    """Add whether the EXIF orientation is applied."""
    options.add_argument(
        "--ignore-orientation", action="store_false", dest="orient", help="ignore the EXIF orientation of images"
    )


def add_decoding_option(options: Options) -> None:
    """Add whether large JPEG files are decoded at full size."""
    options.add_argument(
        "--full-decode",
        action="store_false",
        dest="draft",
        help="decode large JPEG files at full size, not at a sufficient reduced size",
    )


def add_file_options(options: Options) -> None:
    """Add which image files are refused, and how RAW files are read; every command that decodes images has these."""
    options.add_argument(
        "--max-pixels",
        type=pixels,
        default=MAX_PIXELS,
        metavar="N",
        help="refuse images with more pixels, such as 400M, before they are decoded (default: 250M)",
    )
    options.add_argument(
        "--strict-files",
        action="store_true",
        help="refuse truncated image files, also if nearly all of the image is there",
    )
    options.add_argument(
        "--develop-raw",
        action="store_true",
        help="develop RAW files, which takes seconds each, instead of reading their previews",
    )


def file_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `add_file_options`, for functions that have the same."""
    return {name: getattr(arguments, name) for name in ("max_pixels", "strict_files", "develop_raw")}


def decode_options(arguments: argparse.Namespace, *, draft: bool | None = None) -> DecodeOptions:
    """Return how images are decoded; `draft` and applying the orientation where the command has no such option."""
    return DecodeOptions(
        orient=getattr(arguments, "orient", True),
        draft=arguments.draft if draft is None else draft,
        **file_options(arguments),
    )


def add_index_options(options: Options) -> None:
    """Add the index whose embeddings are taken instead of computing them again."""
    options.add_argument(
        "--store",
        metavar="PLACE",
        help="reuse embeddings of this index (default: $NUMPYCLIP_INDEX, else where numpyclip index writes)",
    )
    options.add_argument("--no-index", action="store_true", help="compute all embeddings; reuse none of an index")


def add_embedding_options(
    command: argparse.ArgumentParser, add_models: Callable[[argparse.ArgumentParser], None] = add_models_of_indexes
) -> None:
    """Add all options of `numpyclip.cli.inputs.EmbeddedPictures`: how images are read and embedded."""
    group = command.add_argument_group("images")
    add_orientation_option(group)
    add_decoding_option(group)
    add_file_options(group)
    add_index_options(group)
    add_models(command)


def positive(text: str) -> int:
    """Parse an integer of at least 1."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive integer; expected 1 or more")
    return int(text)


def pixels(text: str) -> int:
    """Parse a number of pixels: 250M, or 250000000."""
    number, scale = (text[:-1], 1_000_000) if text.upper().endswith("M") else (text, 1)
    if not (number.isdecimal() and int(number) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of pixels; expected one such as 250M or 250000000")
    return int(number) * scale


def load_model(arguments: argparse.Namespace) -> CLIP:
    """Load the model that was asked for."""
    from numpyclip.loader import load

    model, _ = load(arguments.model, **load_options(arguments))
    return model


def load_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `numpyclip.load` besides the name of the model that was asked for."""
    return {
        "pretrained": arguments.pretrained,
        "download_root": arguments.download_root,
        "activation": arguments.activation,
        "low_memory": arguments.low_memory,
        "truncate_dim": arguments.truncate_dim,
        "text_model": getattr(arguments, "text_model", None),
        **engine_options(arguments),
    }


def engine_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `numpyclip.load` that say what computes embeddings.

    ``$NUMPYCLIP_ENGINE`` counts where none of them is given, and is refused as `--engine` would be.
    """
    if "engine" not in arguments:  # nothing is embedded
        return {}
    given = {name: value for name in ENGINE_OPTIONS if (value := getattr(arguments, name)) is not None}
    return given or ({"engine": usual} if (usual := os.environ.get("NUMPYCLIP_ENGINE")) else {})


def model_name(arguments: argparse.Namespace) -> str:
    """Return the name of the model that was asked for, as results record it: with its tag, as OpenCLIP writes them."""
    return arguments.model if arguments.pretrained is None else f"{arguments.model}:{arguments.pretrained}"
