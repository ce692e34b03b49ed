"""`numpyclip embed`: pictures or texts into vectors."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from numpyclip.cli.inputs import Embedded, ReadablePictures, lines, picture_paths, progress
from numpyclip.cli.options import add_batch_option, add_model_options, add_verb, load_model
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.model.run import batched

if TYPE_CHECKING:
    from numpyclip.model.clip import CLIP
    from numpyclip.model.ops import Array

_EXAMPLES = """\
  numpyclip embed images photos/ -o photos.npz
  numpyclip embed images a.jpg b.png -o vectors.npy
  numpyclip embed texts "a dog" "a cat"
  find . -name "*.jpg" | numpyclip embed images - > photos.jsonl
  numpyclip embed texts --from captions.txt -o captions.npz

All vectors have unit length, so that products of them are cosines. Without -o, and to .jsonl, one JSON object
per line: {"input": path or text, "embedding": [...]}. To .npz: "embeddings" (n, d), "names" and "model".
To .npy: the vectors alone, in the order of the input, without pictures that could not be read."""

_SUFFIXES = (".npy", ".npz", ".jsonl")


def add_to(verbs: Any) -> None:
    """Add the command to the parser."""
    verb = add_verb(verbs, "embed", "Turn pictures or texts into vectors of unit length.", _EXAMPLES)
    verb.add_argument("kind", choices=["images", "texts"], help="what is embedded")
    verb.add_argument(
        "items", metavar="ITEM", nargs="*", help="pictures and folders, or texts; - for one a line on stdin"
    )
    verb.add_argument("--from", metavar="FILE", dest="list_file", help="take more items from a file, one a line")
    verb.add_argument("-o", "--output", metavar="FILE", type=Path, help="write .npy, .npz or .jsonl")
    verb.add_argument("--truncate", action="store_true", help="cut texts that are too long, instead of failing")
    verb.add_argument("--json", action="store_true", help="print JSON lines (what happens without -o anyway)")
    verb.add_argument("--ignore-orientation", action="store_true", help="do not turn pictures as their EXIF data says")
    add_batch_option(verb)
    add_model_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Embed everything that was named; print it, or write it to one file."""
    output: Path | None = arguments.output
    if output is not None and output.suffix not in _SUFFIXES:
        raise InputError(f"--output: found '{output}'; expected a name that ends in {', '.join(_SUFFIXES)}.")
    if not arguments.items and arguments.list_file is None:
        raise InputError("nothing to embed: name pictures or texts, or pass --from FILE, or - for standard input.")
    model = load_model(arguments)
    items = _items(arguments)
    if arguments.kind == "images":
        pictures = ReadablePictures(
            model, picture_paths(items), arguments.batch_size, orient=not arguments.ignore_orientation
        )
        _save(progress(pictures, "picture"), output, model, arguments.model)
        return 3 if pictures.failed else 0
    _save(progress(_embed_texts(model, items, arguments), "text"), output, model, arguments.model)
    return 0


def _items(arguments: argparse.Namespace) -> Iterator[str]:
    yield from arguments.items
    if arguments.list_file is not None:
        yield from lines(arguments.list_file)


def _embed_texts(model: CLIP, items: Iterable[str], arguments: argparse.Namespace) -> Iterator[Embedded]:
    texts = (text for item in items for text in (lines("-") if item == "-" else [item]))
    for batch in batched(texts, arguments.batch_size):
        yield from zip(batch, model.embed_texts(batch, len(batch), truncate=arguments.truncate), strict=True)


def _save(embedded: Iterable[Embedded], output: Path | None, model: CLIP, model_name: str) -> None:
    """Print JSON lines as they come, or write one file, whole or not at all."""
    if output is None:
        for name, vector in embedded:
            print(_json_line(name, vector), flush=True)
        return
    with _written_whole(output) as file:
        if output.suffix == ".jsonl":
            for name, vector in embedded:
                file.write((_json_line(name, vector) + "\n").encode("utf-8", "surrogateescape"))
            return
        names, vectors = [], []
        for name, vector in embedded:
            names.append(name)
            vectors.append(vector)
        embeddings = np.stack(vectors) if vectors else np.empty((0, model.config.embed_dim), np.float32)
        if output.suffix == ".npy":
            np.save(file, embeddings)
        else:
            np.savez(file, embeddings=embeddings, names=np.array(names, dtype=np.str_), model=np.array(model_name))


def _json_line(name: str, vector: Array) -> str:
    numbers = ", ".join(map(str, vector))  # as few digits as tell float32 numbers apart
    return f'{{"input": {json.dumps(name, ensure_ascii=False)}, "embedding": [{numbers}]}}'


@contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name when it is complete; after any error there is none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise NumPyCLIPError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        part.unlink(missing_ok=True)
