"""Run the examples of pages again, and write what they print beside them: of the embedded model, after a training.

    python -m tools.update_examples docs/tasks.md ...

`tests/pages.py` says what an example is. They run in a copy of `docs`. The text around them says what came of them, and
is left to a reader.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.pages import ROOT, examples, run


def updated(page: str) -> str:
    """Return a page with what its examples print in the current folder."""
    session: dict[str, Any] = {}
    end, parts = 0, []
    for example in examples(page, "python", "sh"):
        printed = run(example, session)
        if example.printed is not None:
            parts += [page[end : example.start], printed]
            end = example.end
    return "".join([*parts, page[end:]])


def main() -> None:
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    for page in [Path(name).resolve() for name in sys.argv[1:]]:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "docs", Path(folder) / "docs")
            os.chdir(folder)
            page.write_text(updated(page.read_text("utf-8")), "utf-8")
            os.chdir(ROOT)


if __name__ == "__main__":
    main()
