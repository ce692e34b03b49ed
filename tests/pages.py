"""The examples of a page: what its blocks of code are said to print, and what they do print.

A block of Python prints what follows `# prints` in it, a block of shell commands the block that follows it at once.
The blocks of a page run in their order, as a reader would type them: Python in one session, everything in one folder.
A comment `<!-- needs PACKAGE PACKAGE -->` before a block names what must be installed for it.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOME = "/home/me"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BODY = r"(?:(?!```).)*?"
_EXAMPLE = re.compile(
    r"(?P<skip><!-- not run:[^>]*-->\n+)?(?:<!-- needs (?P<needs>[\w ]+) -->\n+)?"
    rf"```python\n(?P<python>{_BODY})(?:# prints\n(?P<comment>{_BODY}))?```"
    rf"|```sh\n(?P<sh>{_BODY})```\n+```\n(?P<block>{_BODY})```",
    re.DOTALL,
)
_NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Example:
    """A block of code, and what the page says it prints: the characters from `start` to `end`, or None."""

    language: str
    code: str
    start: int
    end: int
    printed: str | None
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


def examples(page: str, *languages: str) -> Iterator[Example]:
    """All blocks in some languages ("python", "sh"), but for those under a comment `<!-- not run: why -->`."""
    for match in _EXAMPLE.finditer(page):
        language, output = ("sh", "block") if match["sh"] else ("python", "comment")
        if language in languages and not match["skip"]:
            needs = tuple((match["needs"] or "").split())
            yield Example(language, match[language], *match.span(output), match[output], needs)


def run(example: Example, session: dict[str, Any]) -> str:
    """What an example prints in the current folder, which pages call HOME, written as the page writes it."""
    if example.language == "sh":
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where `numpyclip` is
        command, environment = ["bash", "-ec", example.code], {**os.environ, "PATH": path}
        process = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True
        )
        return process.stdout.replace(str(Path.cwd()), HOME)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example.code, "the page", "exec"), session)
    lines = printed.getvalue().replace(str(Path.cwd()), HOME).splitlines()
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def tokens(output: str) -> tuple[list[str], list[float]]:
    """The words and the numbers of an output apart: spaces do not count, nor do the last digits of numbers."""
    return _NUMBER.sub("#.", output).split(), [float(number) for number in _NUMBER.findall(output)]
