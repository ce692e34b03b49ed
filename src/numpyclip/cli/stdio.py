"""`numpyclip stdio`: requests and answers as lines of JSON, for programs of any language."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from numpyclip.cli.options import add_decoding_option, add_file_options, decode_options
from numpyclip.cli.outputs import write
from numpyclip.cli.stores import add_store_options, load_for_requests, place_of

EXAMPLES = """\
  echo '{"id": 1, "command": "search", "query": "a dog", "n": 5}' | numpyclip stdio
  echo '{"id": 2, "command": "embed", "text": ["a dog", "a cat"]}' | numpyclip stdio -m tiny
  echo '{"id": 3, "command": "classify", "image": "a.jpg", "labels": ["dog", "cat"]}' | numpyclip stdio

One JSON object per line on stdin, and for each one on stdout, in the same order, with the same "id"; an error is
{"id": ..., "error": {"type": ..., "message": ...}}. The model stays in memory until stdin is closed.

  search     query, near (IDs of results), image (paths), not, n, in; folder, after, before, camera, lens, tag,
             album, favourite, rating, within, around, place; strict: nothing where the best is no better than chance
  embed      text, or image (paths): "embeddings", null for an image that cannot be read, and "errors"
  classify   image (paths), labels, template: "predictions", best first
  describe   what is in the index"""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_decoding_option(command)
    add_file_options(command)
    add_store_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Load the model, and answer until stdin ends."""
    from numpyclip.dispatch.json_lines import JSONLines
    from numpyclip.dispatch.session import Session
    from numpyclip.index import Index

    place = place_of(arguments)
    model = load_for_requests(arguments)
    session = Session(lambda: Index(place, model), model, decode_options(arguments), arguments.batch_size)
    with closing(session):
        for answer in JSONLines(session).answers(sys.stdin.buffer):
            write(answer + "\n")
    return 0
