"""Run the blocks of pages again, and write what they print into the pages: of the embedded model, after a training.

    python -m tools.update_examples docs/guides/classify.md ...

`tests/pages.py` says what a block is. They run in a copy of `docs` and `examples`. An output that still
agrees stays as it is; one that does not is written in full, also where the page had `...`. The text around them says
what came of them, and is left to a reader.
"""

import argparse
import os
import tempfile
import textwrap
from pathlib import Path

from tests.page_session import Session, checkout
from tests.pages import ROOT, agrees, blocks


def updated(page: str) -> str:
    """Return a page with what its blocks print in the current folder."""
    end, parts = 0, []
    with Session() as session:
        for block in blocks(page):
            if not block.runs or block.missing:
                continue
            printed = session.run(block)
            if block.output is not None and not agrees(printed, block.output):
                parts += [page[end : block.output.start], textwrap.indent(printed, block.indent)]
                end = block.output.end
    return "".join([*parts, page[end:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    for page in [page.resolve() for page in parser.parse_args().pages]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= checkout(Path(folder))
            os.chdir(folder)
            page.write_text(updated(page.read_text("utf-8")), "utf-8")
            os.chdir(ROOT)


if __name__ == "__main__":
    main()
