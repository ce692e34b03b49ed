"""The commands of a block of a shell, which exist whether the block is run or not: options, extras, routes, scripts."""

import importlib.metadata
import itertools
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

import pytest

from numpyclip.cli import parse
from numpyclip.cli.commands import COMMANDS, RENAMED
from tests.pages import ROOT

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_HERE_DOCUMENT = re.compile(r"(<<-?\s*['\"]?(\w+)['\"]?[^\n]*\n).*?^\s*\2$", re.DOTALL | re.MULTILINE)
_OPERATORS = set("();|&\n<>")
_EXTRAS = re.compile(r"(?:numpyclip|\.)\[([\w,-]+)\]")
_PYTHON = re.compile(r"(?:.*/)?python3?(?:\.\d+)?")
_DATA = re.compile(r"-d|-F|--data\b.*|--form|--json")


def commands(code: str) -> Iterator[list[str]]:
    """The words of each command of a block, without redirections."""
    plain = _COMMENT.sub("", _HERE_DOCUMENT.sub(r"\1", code).replace("\\\n", " "))
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="();|&\n<>")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    redirected = False
    for word in lexer:
        if not _OPERATORS.issuperset(word):
            if not redirected:
                words.append(word)
            redirected = False
        elif not (redirected := "<" in word or ">" in word):
            yield words
            words = []
    yield words


def problems(code: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the commands of a block name that does not exist."""
    return [problem for words in commands(code) if words for problem in _problems(words, capsys)]


def _problems(words: list[str], capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    arguments = _of_numpyclip(words)
    if arguments is not None:
        yield from command_problems(arguments, capsys)
    elif "pip" in {word.rpartition("/")[2] for word in words}:
        known = set(importlib.metadata.metadata("numpyclip").get_all("Provides-Extra") or ())
        extras = {extra for word in words for found in _EXTRAS.findall(word) for extra in found.split(",")}
        yield from (f"no extra is {extra}" for extra in extras - known)
    elif words[0] == "curl":
        yield from _curl_problems(words[1:])
    else:
        yield from _python_problems(words)


def _python_problems(words: list[str]) -> Iterator[str]:
    """Which scripts and modules of the project are not there."""
    for python, script in itertools.pairwise(words):
        module = python == "-m" and script.startswith("tools.")
        if module and find_spec(script) is None:
            yield f"no module is {script}"
        is_ours = _PYTHON.fullmatch(python) and script.startswith(("benchmarks/", "tools/", "examples/"))
        if is_ours and not (ROOT / script).is_file():
            yield f"no script is {script}"


def _of_numpyclip(words: list[str]) -> list[str] | None:
    """The arguments of `numpyclip` in a command such as `A=1 numpyclip ...` or `docker run ... numpyclip ...`."""
    first = next((place for place, word in enumerate(words) if not re.match(r"\w+=", word)), 0)
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        is_named = word.rpartition("/")[2] == "numpyclip"
        if is_named and (place == first or words[place - 1] == "-m" or following in COMMANDS):
            return words[place + 1 :]
    return None


def command_problems(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Why `numpyclip` refuses its arguments, or that they are of an older version."""
    text = shlex.join(["numpyclip", *arguments])
    try:
        parse(arguments)
    except SystemExit as end:
        if end.code:
            yield f"{text}: {capsys.readouterr().err}"
    old = RENAMED.get(arguments[0] if arguments else "", {}).keys() & {word.partition("=")[0] for word in arguments}
    yield from (f"{text}: {option} has another name" for option in old)


def _curl_problems(words: list[str]) -> Iterator[str]:
    named = [words[place + 1] for place, word in enumerate(words) if word in ("-X", "--request")]
    method = named[0] if named else "POST" if any(_DATA.fullmatch(word) for word in words) else "GET"
    for url in map(urlsplit, words):
        is_ours = url.scheme in ("http", "https") and url.hostname in ("127.0.0.1", "localhost")
        if is_ours and not is_route(method, url.path or "/"):
            yield f"no route is {method} {url.path}"


def is_route(method: str, path: str) -> bool:
    """Whether the server answers a request."""
    routing = pytest.importorskip("starlette.routing")
    routes = pytest.importorskip("numpyclip.server.app")._ROUTES
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is routing.Match.FULL for route in routes)
