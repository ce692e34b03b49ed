"""Run the examples of pages again, and write what they print beside them: of the embedded model, after a training.

    python tools/update_examples.py docs/tasks.md ...

A block of shell commands that another block follows at once prints that; a block of Python prints what stands behind
`# prints`. Examples run one after the other, as a reader would type them, in a copy of `docs`. The text around them
says what came of them, and is left to a reader.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BODY = r"((?!```).)*"
_EXAMPLE = re.compile(
    rf"```sh\n(?P<shell>{_BODY})```\n+```\n(?P<output>{_BODY})```|```python\n(?P<python>{_BODY})```", re.DOTALL
)
_PRINTS = "# prints\n"


def updated(page: str, folder: Path) -> str:
    """Return a page with what its examples print in a folder."""

    def run(*command: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True, check=True
        )
        return ended.stdout

    def example(match: re.Match[str]) -> str:
        whole = match[0]
        if match["shell"]:
            start, end = (position - match.start() for position in match.span("output"))
            return whole[:start] + run("bash", "-ec", match["shell"]) + whole[end:]
        code, prints, _ = match["python"].partition(_PRINTS)
        if not prints:
            return whole
        lines = run(sys.executable, "-c", code).splitlines()
        return f"```python\n{code}{prints}" + "".join(f"# {line}\n" for line in lines) + "```"

    return _EXAMPLE.sub(example, page)


def main() -> None:
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    for page in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "docs", Path(folder) / "docs")
            page.write_text(updated(page.read_text("utf-8"), Path(folder)), "utf-8")


if __name__ == "__main__":
    main()
