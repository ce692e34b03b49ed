"""`numpyclip embed`: images or texts into vectors."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from numpyclip.atomic import atomic_file
from numpyclip.cli.commands import add_command
from numpyclip.cli.inputs import EmbeddedPictures, NamedEmbedding, paths_in, progress, texts_in, with_stdin
from numpyclip.cli.options import add_embedding_options, add_model_options, load_model, model_name
from numpyclip.cli.outputs import check_output, output_path, print_json
from numpyclip.errors import InputError, NumPyCLIPError, TextTooLongError
from numpyclip.escaping import json_text
from numpyclip.runtime.chunks import batched

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.model.ops import Array

EXAMPLES = """\
  numpyclip embed images photos/ -o photos.npz
  numpyclip embed images a.jpg b.png -o vectors.npy
  numpyclip embed texts "a dog" "a cat"
  find . -name "*.jpg" | numpyclip embed images - > photos.jsonl
  numpyclip embed texts --from captions.txt -o captions.npz

All vectors have unit length, so that products of them are cosines. Without -o, and to .jsonl, one JSON object
per line: {"path" or "text": ..., "embedding": [...]}. To .npz: "embeddings" (n, d), "names", "model" and "fingerprint",
a JSON object that is equal for comparable vectors (numpyclip.Fingerprint reads it).
To .npy: the vectors alone, in the order of the input, without images that could not be read."""

_SUFFIXES = (".npy", ".npz", ".jsonl")


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    kinds = command.add_subparsers(metavar="{images,texts}", dest="kind", required=True)
    images = add_command(kinds, "images", "Turn images into vectors.", EXAMPLES)
    images.add_argument("items", metavar="PICTURE", nargs="*", help="an image, a folder, or - for paths on stdin")
    texts = add_command(kinds, "texts", "Turn texts into vectors.", EXAMPLES)
    texts.add_argument("items", metavar="TEXT", nargs="*", help="a text, or - for one a line on stdin")
    texts.add_argument("--truncate", action="store_true", help="cut texts that are too long, instead of failing")
    for kind in (images, texts):
        kind.add_argument("--from", metavar="FILE", dest="list_file", help="take more from a file, one a line")
        target = kind.add_mutually_exclusive_group()
        target.add_argument(
            "-o", "--output", metavar="FILE", type=output_path(*_SUFFIXES), help="write .npy, .npz or .jsonl"
        )
        target.add_argument("--json", action="store_true", help="print JSON lines (the default without -o)")
    add_embedding_options(images)
    add_model_options(texts, batch_size=1024)


def run(arguments: argparse.Namespace) -> int:
    """Embed images or texts, and print or write the vectors."""
    if not arguments.items and arguments.list_file is None:
        raise InputError("nothing to embed: name images or texts, or pass --from FILE, or - for standard input.")
    check_output(arguments.output, [*arguments.items, arguments.list_file])
    read = paths_in if arguments.kind == "images" else texts_in
    items = chain(with_stdin(arguments.items, read), read(arguments.list_file) if arguments.list_file else ())
    model = load_model(arguments)
    if arguments.kind == "images":
        pictures = EmbeddedPictures(model, arguments, items)
        _save(arguments, model, "path", progress(pictures, "image", printing=not arguments.output))
        return pictures.status
    texts = _embed_texts(model, items, arguments)
    _save(arguments, model, "text", progress(texts, "text", printing=not arguments.output))
    return 0


def _embed_texts(model: CLIP, items: Iterable[str], arguments: argparse.Namespace) -> Iterator[NamedEmbedding]:
    for batch in batched(items, arguments.batch_size):
        try:
            embeddings = model.embed_texts(batch, len(batch), truncate=arguments.truncate)
        except TextTooLongError as error:
            raise TextTooLongError(f"{error} To cut such texts, pass --truncate.") from error
        yield from zip(batch, embeddings, strict=True)


def _save(arguments: argparse.Namespace, model: CLIP, key: str, embedded: Iterable[NamedEmbedding]) -> None:
    """Print JSON lines as they come, or write one file atomically."""
    output: Path | None = arguments.output
    if output is None:
        for name, vector in embedded:
            print_json(_record(key, name, vector))
        return
    with atomic_file(output) as file:
        if output.suffix == ".jsonl":
            for name, vector in embedded:
                file.write((json_text(_record(key, name, vector)) + "\n").encode("ascii"))
        else:
            _write_arrays(file, output.suffix, embedded, model_name(arguments), model)
        if not file.tell():
            raise NumPyCLIPError(f"{output}: not written, there is nothing to put into it.")


def _write_arrays(
    file: IO[bytes], suffix: str, embedded: Iterable[NamedEmbedding], model_name: str, model: CLIP
) -> None:
    rows = list(embedded)
    if not rows:
        return
    embeddings = np.stack([vector for _, vector in rows])
    if suffix == ".npy":
        np.save(file, embeddings)
    else:
        names = np.array([name for name, _ in rows], dtype=np.str_)
        fingerprint = np.array(model.fingerprint.to_json())
        np.savez(file, embeddings=embeddings, names=names, model=np.array(model_name), fingerprint=fingerprint)


def _record(key: str, name: str, vector: Array) -> dict[str, Any]:
    return {key: name, "embedding": [float(str(number)) for number in vector]}  # the fewest digits of a float32
