"""`numpyclip convert`: convert a model for another library, or to int8."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from numpyclip.cli.options import add_activation_option, add_weights_options, load_model
from numpyclip.cli.outputs import print_columns, print_json
from numpyclip.errors import InputError
from numpyclip.saving.save import DTYPES, FORMATS

EXAMPLES = """\
  numpyclip convert ViT-B/32 vit-b-32
  numpyclip convert finetune.pt for-transformers --format transformers --activation gelu
  numpyclip convert ViT-L/14 small --format int8
  numpyclip convert laion/ half/ --dtype float16 --json

Writes a new folder atomically, and prints how far the embeddings of 32 texts and 16 generated images are from those
of the source: the cosine loss (1 minus the cosine), median and worst; or why that cannot be measured.

open_clip: open_clip_config.json and open_clip_model.safetensors, which OpenCLIP loads as local-dir:FOLDER.
transformers: config.json and model.safetensors, for CLIPModel or SiglipModel. int8: the layout of the source, with
int8 matrices, which NumPyCLIP alone reads; --dtype is then that of the other tensors. What a format cannot
express is an error, and nothing is written. The fingerprint may differ from that of the source: it also names how
each library prepares images and texts. An index made with one can be searched with the other if the weights are the
same after rounding to float16."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("items", nargs="*", metavar="SRC DST", help="a model, by name or path, and the new folder")
    command.add_argument("--format", choices=FORMATS, default="open_clip", help="layout (default: %(default)s)")
    command.add_argument("--dtype", choices=DTYPES, default="float32", help="of the weights (default: %(default)s)")
    command.add_argument("--force", action="store_true", help="replace a model that was saved in DST before")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_weights_options(command, "SRC")
    add_activation_option(command)
    command.set_defaults(low_memory=True, truncate_dim=None)  # prepared weights would not be used again


def run(arguments: argparse.Namespace) -> int:
    """Save the model, load what was saved, and compare."""
    from numpyclip.loader import load
    from numpyclip.saving.loss import CosineLoss, compare
    from numpyclip.saving.save import save

    if len(arguments.items) != 2:
        raise InputError(f"got {len(arguments.items)} names; expected two: the model, and the folder to write.")
    source, folder = arguments.items
    arguments.model = source
    model = load_model(arguments)
    save(model, folder, arguments.format, dtype=arguments.dtype, overwrite=arguments.force)
    saved, _ = load(folder, low_memory=True)
    losses = compare(model, saved)
    size = sum(file.stat().st_size for file in Path(folder).iterdir())
    if arguments.json:
        facts = {
            "source": source,
            "path": folder,
            "format": arguments.format,
            "dtype": arguments.dtype,
            "bytes": size,
        }
        cosine_loss = {
            kind: dataclasses.asdict(loss) if isinstance(loss, CosineLoss) else {"error": str(loss)}
            for kind, loss in losses.items()
        }
        fingerprint = dataclasses.asdict(saved.fingerprint)
        print_json({**facts, "cosine_loss": cosine_loss, "fingerprint": fingerprint})
        return 0
    print_columns(f"{folder}: {arguments.format}, {arguments.dtype}, {size / 1e6:.1f} MB")
    for kind, loss in losses.items():
        if isinstance(loss, CosineLoss):
            print_columns(f"cosine loss of {kind:<9} median {loss.median:.1e}, worst {loss.worst:.1e}")
        else:
            print_columns(f"cosine loss of {kind:<9} not measured: {loss}")
    print_columns(f"fingerprint: {saved.fingerprint}")
    return 0
