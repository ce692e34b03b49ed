"""Options that mean the same in every command, and the model that they ask for."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from numpyclip.cli.commands import COMMANDS

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP

DEFAULT_MODEL = "ViT-B/32"


def add_verb(verbs: Any, name: str, examples: str, summary: str | None = None) -> argparse.ArgumentParser:
    """Add a command whose help ends in examples to paste."""
    summary = summary or COMMANDS[name]
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an option that is added later must not change what a script says
    )
    verb.set_defaults(verb=verb)
    return verb


def add_renamed_option(container: Any, *names: str, old: str, **settings: Any) -> None:
    """Add an option that had another name, which is taken for one version more; `RENAMED` has it, too."""
    option = container.add_argument(*names, **settings)
    hidden = {"dest": option.dest, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    container.add_argument(old, **{**settings, **hidden})


def add_model_options(verb: argparse.ArgumentParser, batch_size: int = 32) -> None:
    """Add what says which model is used, and how many inputs it computes at once."""
    verb.add_argument(
        "-m",
        "--model",
        default=os.environ.get("NUMPYCLIP_MODEL") or DEFAULT_MODEL,
        help="a name listed by `numpyclip models`, or hf-hub:organization/name, or a file or folder of weights "
        f"(default: $NUMPYCLIP_MODEL, else {DEFAULT_MODEL})",
    )
    add_pretrained_option(verb)
    add_activation_option(verb)
    add_folder_option(verb)
    verb.add_argument(
        "--batch-size",
        type=positive,
        default=batch_size,
        metavar="N",
        help="inputs read at once (default: %(default)s)",
    )
    verb.add_argument(
        "--low-memory", action="store_true", help="keep the weights as small as in the file; slower for few inputs"
    )


def add_pretrained_option(verb: argparse.ArgumentParser, model: str = "--model") -> None:
    """Add which weights of an architecture are meant."""
    verb.add_argument(
        "--pretrained",
        metavar="TAG",
        help=f"weights of OpenCLIP's architecture {model}: a tag of `numpyclip models --all`, or a file or folder",
    )


def add_activation_option(verb: argparse.ArgumentParser) -> None:
    """Add what some files do not tell."""
    verb.add_argument(
        "--activation",
        choices=["quick_gelu", "gelu"],
        help="for a file of weights that does not record it: quick_gelu (OpenAI), gelu (LAION and most others)",
    )


def add_folder_option(verb: argparse.ArgumentParser) -> None:
    """Add where downloaded models are."""
    verb.add_argument(
        "--download-root",
        metavar="FOLDER",
        help="where downloaded models are (default: $CLIP_DIR, else ~/.cache/clip; those of the hub: as $HF_HOME says)",
    )


def add_orientation_option(verb: argparse.ArgumentParser) -> None:
    """Add whether EXIF data turns pictures."""
    verb.add_argument(
        "--ignore-orientation",
        action="store_false",
        dest="orient",
        help="ignore the EXIF orientation of images",
    )


def add_decoding_option(verb: argparse.ArgumentParser, old: str | None = None) -> None:
    """Add whether large JPEG files are decoded whole; `old` is what the option was called before."""
    settings: dict[str, Any] = {"action": "store_false", "dest": "draft"}
    settings["help"] = "decode large JPEG files whole, not at a reduced size that is enough"
    if old is None:
        verb.add_argument("--full-decode", **settings)
    else:
        add_renamed_option(verb, "--full-decode", old=old, **settings)


def add_picture_options(verb: argparse.ArgumentParser, old: str | None = None) -> None:
    """Add how pictures are read, and where embeddings of them are that need not be computed again."""
    add_orientation_option(verb)
    add_decoding_option(verb, old)
    add_index_options(verb)


def add_index_options(verb: argparse.ArgumentParser) -> None:
    """Add where embeddings of pictures are that need not be computed again."""
    verb.add_argument(
        "--store",
        metavar="PLACE",
        help="take embeddings that this index has (default: $NUMPYCLIP_INDEX, else where numpyclip index writes)",
    )
    verb.add_argument("--no-index", action="store_true", help="compute all embeddings, also those that an index has")


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def load_model(arguments: argparse.Namespace) -> CLIP:
    """Load the model that was asked for."""
    from numpyclip.loader import load

    model, _ = load(
        arguments.model,
        pretrained=arguments.pretrained,
        download_root=arguments.download_root,
        activation=arguments.activation,
        low_memory=arguments.low_memory,
    )
    return model


def model_name(arguments: argparse.Namespace) -> str:
    """Return the name of the model that was asked for, as results record it: with its tag, as OpenCLIP writes them."""
    return arguments.model if arguments.pretrained is None else f"{arguments.model}:{arguments.pretrained}"
