"""Write the attributions of the embedded model, a part of NOTICE, from sources.toml and the manifest.

    python notices.py

Replaces what lies between its two lines in NOTICE.
"""

import json
import re
from pathlib import Path

from sources import HERE, trained_on

NOTICE = Path(__file__).parents[1] / "NOTICE"
FIRST = "The weights were trained from scratch on the drawings and texts below."
LAST = "The only texts in training were these:"


def lines() -> list[str]:
    counts = json.loads((HERE / "manifest.json").read_text("utf-8"))
    rows = []
    for drawn in trained_on():
        where = f" ({drawn.url})" if drawn.url else ""
        rows.append(f"- {drawn.credit}{where}: {counts[drawn.name]['drawings']:,} drawings, {drawn.licence}")
    return rows


def main() -> None:
    text = NOTICE.read_text("utf-8")
    begin, end = text.index(FIRST), text.index(LAST)
    head = re.match(r".*?\n\n", text[begin:], re.DOTALL)
    assert head is not None
    NOTICE.write_text(text[: begin + head.end()] + "\n".join(lines()) + "\n\n" + text[end:], "utf-8")


if __name__ == "__main__":
    main()
