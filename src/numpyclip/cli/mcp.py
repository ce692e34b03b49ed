"""`numpyclip mcp`: tools for assistants, by the Model Context Protocol."""

from __future__ import annotations

import argparse
import copy
import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

from numpyclip.cli.options import add_file_options, decode_options
from numpyclip.cli.outputs import say
from numpyclip.cli.stores import add_store_options, load_remembered, open_made

if TYPE_CHECKING:
    from numpyclip.index import Index

EXAMPLES = """\
  numpyclip mcp
  numpyclip mcp --store photos.index

It is started by an assistant, whose configuration names it: {"command": "numpyclip", "args": ["mcp"]}. The tools
search, similar and describe read the index and send thumbnails of its images; nothing is changed, no other file is
read, and nothing is fetched. Needs: pip install "numpyclip[mcp]"."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_file_options(command)
    add_store_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Answer an assistant until it closes stdin; the model is loaded when it is first needed."""
    from numpyclip import __version__
    from numpyclip.dispatch.mcp_server import serve
    from numpyclip.dispatch.session import Session

    def open_index() -> Index:
        from numpyclip.index import Index

        store = open_made(arguments)
        try:
            return Index(store, load_remembered(copy.copy(arguments), store))
        except BaseException:
            store.close()
            raise

    signal.signal(signal.SIGINT, _interrupted)
    with closing(
        Session(open_index, options=decode_options(arguments, draft=True), batch_size=arguments.batch_size)
    ) as session:
        serve(session, __version__)
    return 0


def _interrupted(*_: object) -> None:
    """End at once: Python would wait for the thread that reads stdin."""
    say("interrupted")
    os._exit(130)
