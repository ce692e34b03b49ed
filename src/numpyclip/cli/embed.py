"""`numpyclip embed`: embed images or texts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.batch.job import BATCH_SIZE
from numpyclip.cli.commands import add_command
from numpyclip.cli.inputs import progress
from numpyclip.cli.options import (
    add_embedding_options,
    add_model_options,
    add_views_option,
    load_model,
    model_name,
    positive,
)
from numpyclip.cli.outputs import check_output, counted, output_path, print_json, say
from numpyclip.cli.parts import add_parts_options, embed_parts, refuse_options
from numpyclip.cli.rows import EmbeddedRows
from numpyclip.destinations.parquet_parts import write_parquet
from numpyclip.destinations.row import VIEW
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.escaping import json_text
from numpyclip.file_systems import is_url
from numpyclip.sources.columns import CAPTION
from numpyclip.sources.places import PARQUET

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpyclip.destinations.row import OutputRow
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.model.ops import Array

    _Named: TypeAlias = tuple[str, Array, str | None]  # a path or text, its embedding, and which view that is of

EXAMPLES = """\
  numpyclip embed images photos/ -o photos.npz
  numpyclip embed images a.jpg b.png -o vectors.npy
  numpyclip embed texts "a dog" "a cat"
  find . -name "*.jpg" | numpyclip embed images - > photos.jsonl
  numpyclip embed texts --from captions.txt -o captions.npz
  numpyclip embed images "shards/{00000..00999}.tar" -o embeddings/ --workers 8
  numpyclip embed images s3://bucket/photos.parquet -o s3://bucket/embeddings --on ray

Sources are images and folders; webdataset archives (.tar), .parquet files and lists (.txt); globs and URLs of them.
A TEXT is a source if it is a URL, ends in one of these suffixes and is there, or is a folder that ends in /.

All vectors have unit length, so that products of them are cosines. Without -o, and to .jsonl, one JSON object
per line: {"path" or "text": ..., "embedding": [...]}. To .npz: "embeddings" (n, d), "names", "model" and "fingerprint",
a JSON object that is equal for comparable vectors (numpyclip.Fingerprint reads it).
To .npy: the vectors alone, in the order of the input, without images that could not be read. To .parquet: a row for
every input, with columns "key", "embedding", "error", and those of the source.

To a folder (which ends in /, or is there) or another URL: parts with these columns, each of a part of the input,
computed by all cores or a cluster. It is resumable: the same command continues, and parts are written atomically.
--json prints a summary.

With --views each view of an image is a row, named in "view" (.npz: "views"), such as crop, pad, left or top.

The exit status is 3 if this run could not embed some inputs, 2 if it could embed none. What an earlier run could not
is in the column "error"."""

_SUFFIXES = (".npy", ".npz", ".jsonl", PARQUET)


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    kinds = command.add_subparsers(metavar="{images,texts}", dest="kind", required=True)
    images = add_command(kinds, "images", "Embed images.", EXAMPLES)
    images.add_argument("items", metavar="SOURCE", nargs="*", help="an image, a folder, ..., or - for sources on stdin")
    texts = add_command(kinds, "texts", "Embed texts.", EXAMPLES)
    texts.add_argument(
        "items", metavar="TEXT", nargs="*", help="a text, or a file of texts, or - for one per line on stdin"
    )
    texts.add_argument("--truncate", action="store_true", help="cut texts that are too long, instead of failing")
    for kind in (images, texts):
        what = kind.prog.split()[-1]
        kind.add_argument("--from", metavar="FILE", dest="list_file", help=f"a list of more {what}, one per line")
        kind.add_argument("--limit", type=positive, metavar="N", help="take the first N inputs only")
        kind.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            type=_output,
            help="write .npy, .npz, .jsonl or .parquet, or parts in a folder or at a URL",
        )
        kind.add_argument("--dtype", choices=("float32", "float16"), help="of embeddings in parquet (default: float32)")
        kind.add_argument("--column", metavar="NAME", help=f"of {what}, in parquet files and .json")
        kind.add_argument(
            "--carry", type=_names, metavar="A,B", help="metadata columns of the source to carry along (default: all)"
        )
        kind.add_argument("--json", action="store_true", help="print JSON lines (the default without -o), or a summary")
        add_parts_options(kind)
    add_views_option(images)
    add_embedding_options(images, add_model_options)  # what it writes depends on no index
    add_model_options(texts, BATCH_SIZE["texts"])


def run(arguments: argparse.Namespace) -> int:
    """Embed images or texts, and print or write the vectors."""
    if not arguments.items and arguments.list_file is None:
        raise InputError("nothing to embed: name images or texts, or pass --from FILE, or - for standard input.")
    if arguments.list_file == "-":
        arguments.items, arguments.list_file = [*arguments.items, "-"], None
    output: Path | str | None = arguments.output
    if isinstance(output, str) and not output.endswith(PARQUET):
        return embed_parts(arguments)
    if arguments.json and output is not None:
        raise InputError(
            "--json: not allowed with argument --output, unless that is a folder, which ends in /, or a URL of one."
        )
    is_parquet = output is not None and str(output).endswith(PARQUET)
    refuse_options(arguments, () if is_parquet else ("dtype", "carry"))
    check_output(output if isinstance(output, Path) else None, [*arguments.items, arguments.list_file])
    model = load_model(arguments)
    embedded = EmbeddedRows(model, arguments, is_parquet=is_parquet)
    rows = progress(embedded, arguments.kind.removesuffix("s"), printing=output is None)
    if is_parquet:
        dtype, fingerprint = arguments.dtype or "float32", model.fingerprint.to_json()
        some = _some(rows, str(output))
        write_parquet(str(output), some, dtype, model.config.embed_dim, fingerprint, arguments.kind)
    else:
        _save(arguments, model, rows)
    if output is not None:
        noun = "view" if _has_views(arguments) else arguments.kind.removesuffix("s")
        say(f"{output}: {counted(embedded.embedded, noun)}")
    return embedded.status


def _save(arguments: argparse.Namespace, model: CLIP, rows: Iterable[OutputRow]) -> None:
    """Print JSON lines as they come, or write one file atomically."""
    output: Path | None = arguments.output
    key = "path" if arguments.kind == "images" else "text"
    embedded = _named(rows, arguments.kind, has_views=_has_views(arguments))
    if output is None:
        for row in embedded:
            print_json(_record(key, *row))
        return
    with atomic_file(output) as file:
        if output.suffix == ".jsonl":
            for row in embedded:
                file.write((json_text(_record(key, *row)) + "\n").encode("ascii"))
        else:
            _write_arrays(file, output.suffix, embedded, model_name(arguments), model)
        if not file.tell():
            raise _nothing(output)


def _some(rows: Iterable[OutputRow], output: str) -> Iterator[OutputRow]:
    """Iterate over rows; at the end NumPyCLIPError if there were none."""
    row = None
    for row in rows:
        yield row
    if row is None:
        raise _nothing(output)


def _nothing(output: Path | str) -> NumPyCLIPError:
    return NumPyCLIPError(f"{output}: not written, there is nothing to put into it.")


def _has_views(arguments: argparse.Namespace) -> bool:
    return getattr(arguments, "views", None) is not None


def _named(rows: Iterable[OutputRow], kind: str, *, has_views: bool) -> Iterator[_Named]:
    """Iterate over paths or texts, embeddings, where there are any, and views of images, if they were asked for."""
    for row in rows:
        if row.embedding is not None:
            name = row.key if kind == "images" else row.columns[CAPTION]
            yield name, row.embedding, row.columns[VIEW] if has_views else None


def _write_arrays(file: IO[bytes], suffix: str, embedded: Iterable[_Named], model_name: str, model: CLIP) -> None:
    rows = list(embedded)
    if not rows:
        return
    embeddings = np.stack([vector for _, vector, _ in rows])
    if suffix == ".npy":
        np.save(file, embeddings)
    else:
        names = np.array([name for name, _, _ in rows], dtype=np.str_)
        about: dict[str, Any] = {
            "names": names,
            "model": np.array(model_name),
            "fingerprint": np.array(model.fingerprint.to_json()),
        }
        if rows[0][2] is not None:
            about["views"] = np.array([view for _, _, view in rows], dtype=np.str_)
        np.savez(file, embeddings=embeddings, **about)


def _record(key: str, name: str, vector: Array, view: str | None) -> dict[str, Any]:
    numbers = [float(str(number)) for number in vector]  # the fewest digits of a float32
    return {key: name, **({} if view is None else {VIEW: view}), "embedding": numbers}


def _output(text: str) -> Path | str:
    """Read where to write: a file, or as a string a URL, or the folder of parts."""
    if is_url(text) and text.endswith(_SUFFIXES) and not text.endswith(PARQUET):
        raise argparse.ArgumentTypeError(f"{text!r}: a single file at a URL ends in .parquet")
    if is_url(text) or text.endswith(("/", os.sep)) or (Path(text).is_dir() and not text.endswith(_SUFFIXES)):
        return text
    try:
        return output_path(*_SUFFIXES)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; a folder of parts ends in /") from error


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
