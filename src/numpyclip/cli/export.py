"""`numpyclip export`: write a model as ONNX graphs, for an engine or another program."""

from __future__ import annotations

import argparse
from pathlib import Path

from numpyclip.arguments import PRECISIONS
from numpyclip.cli.options import (
    add_activation_option,
    add_text_model_option,
    add_weights_options,
    load_model,
    positive,
)
from numpyclip.cli.outputs import print_columns, print_json
from numpyclip.errors import InputError
from numpyclip.layouts.export import LAYOUTS, export

EXAMPLES = """\
  numpyclip export ViT-B/32 vit-b-32-onnx
  numpyclip export hf-hub:timm/ViT-B-16-SigLIP siglip --layout immich
  numpyclip export ViT-B-32 web --pretrained laion2b_s34b_b79k --layout transformers.js --precision int8
  numpyclip export finetune.pt graphs --activation gelu --json

Writes a new folder atomically, and prints its files.

open: graphs and a description, which NumPyCLIP loads by the folder's name with an engine. immich: a folder of the
cache of Immich's machine learning. transformers.js: for CLIPTextModelWithProjection and CLIPVisionModelWithProjection,
or SiglipTextModel and SiglipVisionModel. What a layout cannot express is an error, and nothing is written.

Needs the package onnx: pip install "numpyclip[onnx]"."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "items", nargs="*", metavar="MODEL FOLDER", help="a model, by name or path, and the new folder"
    )
    command.add_argument(
        "--layout", choices=LAYOUTS, default="open", help="which program loads it (default: %(default)s)"
    )
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the graphs (default: %(default)s)",
    )
    command.add_argument("--force", action="store_true", help="replace a model that was exported to FOLDER before")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_weights_options(command, "MODEL")
    add_text_model_option(command)
    add_activation_option(command)
    command.add_argument(
        "--truncate-dim", type=positive, metavar="N", help="keep the first N dimensions of embeddings (Matryoshka)"
    )
    command.set_defaults(low_memory=True)  # prepared weights would not be used again


def run(arguments: argparse.Namespace) -> int:
    """Export the model."""
    if len(arguments.items) != 2:
        raise InputError(f"got {len(arguments.items)} names; expected two: the model, and the folder to write.")
    arguments.model, folder = arguments.items
    model = load_model(arguments)
    export(model, folder, layout=arguments.layout, precision=arguments.precision, overwrite=arguments.force)
    files = {file.relative_to(folder).as_posix(): file.stat().st_size for file in _files(Path(folder))}
    if arguments.json:
        facts = {"source": arguments.model, "path": folder, "layout": arguments.layout}
        print_json({**facts, "precision": arguments.precision, "files": files})
        return 0
    for name, size in files.items():
        print_columns(f"{size / 1e6:.1f} MB", name)
    return 0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
