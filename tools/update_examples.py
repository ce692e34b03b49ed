"""Run the examples of pages again, and write what they print beside them: of the embedded model, after a training.

    python -m tools.update_examples docs/guides/tag.md ...

`tests/pages.py` says what an example is. They run in a copy of `docs`. The text around them says what came of them, and
is left to a reader.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.pages import ROOT, examples, run


def updated(page: str) -> str:
    """Return a page with what its examples print in the current folder."""
    session: dict[str, Any] = {}
    end, parts = 0, []
    for example in examples(page, "python", "sh"):
        if example.missing:
            continue
        printed = run(example, session)
        if example.printed is not None:
            parts += [page[end : example.start], printed]
            end = example.end
    return "".join([*parts, page[end:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    for page in [page.resolve() for page in parser.parse_args().pages]:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "docs", Path(folder) / "docs")
            os.chdir(folder)
            page.write_text(updated(page.read_text("utf-8")), "utf-8")
            os.chdir(ROOT)


if __name__ == "__main__":
    main()
