"""The fenced blocks of a page: in which language they are, whether they are run, and what they are said to print.

A block of Python prints what follows `# prints` in it, a block of shell commands (`sh`) the block of `text` after it, a
request (`http`) the block of `json` or `http` right after it. `...` in an output stands for anything. The blocks of a
page run in their order, as a reader would type them: see `tests/page_session.py`.

Comments before a block: `<!-- not run: REASON -->`, with one of `REASONS`, and `<!-- needs NAME NAME -->` with the
packages and programs that must be installed for it.
"""

import re
import shutil
import textwrap
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("[!.]*/README.md"))]
REASONS = {
    "a download": "needs a published model or the network",
    "a service": "needs systemd, Docker, a cluster, another program",
    "your files": "names files of the reader",
    "a fragment": "no program by itself, such as a part of a config or of a log",
    "endless": "runs until it is stopped",
}
EXECUTED = ("python", "sh", "http", "js")
PARSED = ("json", "toml", "yaml", "ini")
OUTPUTS = ("", "text", "json", "http")

_BLOCK = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>[^\s`{]*)[^\n`]*\n(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.DOTALL | re.MULTILINE,
)
_COMMENTS = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)*\Z", re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run:? ?(.*?) ?-->", re.DOTALL)
_NEEDS = re.compile(r"<!-- needs ([\w ]+) -->")
_PRINTS = re.compile(r"^# prints\n", re.MULTILINE)
_PIECE = re.compile(r"(?P<any>\.\.\.)|(?P<number>-?\d+\.(?:\d+|(?!\.))(?:e[+-]?\d+)?)|(?P<space>\s+)")
_ANY_NUMBER = r"(-?\d+\.\d*(?:e[+-]?\d+)?)"


@dataclass(frozen=True)
class Output:
    """What a block is said to print: the characters of the page from `start` to `end`, without their indentation."""

    language: str
    text: str
    start: int
    end: int


@dataclass
class Block:
    """A fenced block of a page. `reason` is why it is not run."""

    language: str
    code: str
    line: int
    indent: str
    reason: str | None
    needs: tuple[str, ...]
    output: Output | None = None

    @property
    def runs(self) -> bool:
        return self.reason is None and self.language in EXECUTED

    @property
    def missing(self) -> list[str]:
        """The packages and programs that it needs and that are not installed."""
        return [name for name in self.needs if find_spec(name) is None and shutil.which(name) is None]


def blocks(page: str) -> list[Block]:
    """All blocks of a page, each with its output, which is no block of its own."""
    found: list[Block] = []
    end = 0
    for match in _BLOCK.finditer(page):
        between, language, code = page[end : match.start()], match["language"], textwrap.dedent(match["body"])
        end = match.end()
        if found and found[-1].output is None and _is_output(found[-1], language, code, between):
            found[-1].output = Output(language, code, *match.span("body"))
            continue
        comments = _COMMENTS.search(between)
        comment = comments[0] if comments else ""
        reason, needs = _NOT_RUN.search(comment), _NEEDS.search(comment)
        line = page.count("\n", 0, match.start()) + 1
        block = Block(
            language, code, line, match["indent"], reason and reason[1], tuple(needs[1].split()) if needs else ()
        )
        if language == "python" and (prints := _PRINTS.search(code)):
            block.code, text = code[: prints.start()], code[prints.end() :]
            start = match.end("body") - len(textwrap.indent(text, block.indent))
            block.output = Output(language, text, start, match.end("body"))
        found.append(block)
    return found


def _is_output(block: Block, language: str, text: str, between: str) -> bool:
    """Whether a block is what the one before prints: text at once or after a paragraph, other languages at once."""
    words = between.strip()
    if block.language not in ("sh", "http", "js") or language not in OUTPUTS or re.search(r"<!--|^#|\n\n", words, re.M):
        return False
    return language in ("", "text") or (not words and (language != "http" or text.startswith("HTTP/")))


def agrees(printed: str, output: Output) -> bool:
    """Whether what was printed is what the page says, but for spaces and the last digits of numbers."""
    expected = output.text.strip()
    if output.language in ("json", "http"):
        expected, printed = re.sub(r"\s", "", expected), re.sub(r"\s", "", printed)
    pattern, numbers, end = "", [], 0
    for piece in _PIECE.finditer(expected):
        pattern += re.escape(expected[end : piece.start()])
        end = piece.end()
        if piece["number"]:
            numbers.append(float(piece["number"]))
        pattern += ".*?" if piece["any"] else _ANY_NUMBER if piece["number"] else r"\s+"
    found = re.fullmatch(pattern + re.escape(expected[end:]), printed.strip(), re.DOTALL)
    return found is not None and [float(each) for each in found.groups()] == pytest.approx(numbers, rel=0.01, abs=0.01)
