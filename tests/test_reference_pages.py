"""What docs/reference says of commands, settings and requests is made from the code, and complete."""

import argparse
import ast
import re
from collections.abc import Iterator

import pytest
from tools import make_reference as tool

from numpyclip.cli.commands import COMMANDS
from numpyclip.cli.configuration import settings
from numpyclip.runtime.threads import thread_variables
from tests.test_messages import MODULES, texts, tree

VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Za-z0-9]+)+")
PUT_TOGETHER = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NO_PROXY", *thread_variables(1)}  # the last by urllib


@pytest.mark.parametrize("name", tool.PAGES)
def test_the_page_is_made_from_the_code(name: str) -> None:
    if name == "http-api.md":
        pytest.importorskip("starlette")
    page = (tool.FOLDER / name).read_text("utf-8")
    assert page == tool.PAGES[name](page), "run: python -m tools.make_reference"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_of_a_command_is_there_with_a_meaning(name: str) -> None:
    command = tool.command_parser(name)
    rows = [line for part in tool.command_section(command, 2) for line in part.splitlines() if line[0:1] == "|"]
    for each in (command, *tool.commands_of(command).values()):
        for action in each._actions:
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                what = tool.written(action) if action.option_strings else tool.placeholder(action)
                escaped = what.replace("|", r"\|")
                found = [row for row in rows if row.startswith(f"| `{escaped}` | ")]
                assert bool(found) == (action.help != argparse.SUPPRESS), what
                assert not [row for row in found if row.endswith("|  |") or "%(" in row]


def test_every_option_of_the_server_has_a_meaning() -> None:
    rows = [tool.setting_row(setting) for setting in settings(tool.command_parser("serve"))]
    assert len(rows) > 30
    assert not [row for row in rows if not row[-1] or "default" in row[-1] or "%(" in row[-1]]


def test_every_environment_variable_that_the_package_reads_is_there() -> None:
    page = (tool.FOLDER / "settings.md").read_text("utf-8").partition("\n## Folders")[0]
    read = {name for name in variables() if not name.startswith("NUMPYCLIP_SERVE") and f"{name}_THREADS" not in page}
    assert {*re.findall(r"`([A-Z]\w+)`", page)} == read | PUT_TOGETHER


def variables() -> Iterator[str]:
    """Names that strings have behind a dollar sign, or that are looked up in the environment."""
    for path in MODULES:
        for _, text in texts(path):
            yield from re.findall(r"\$([A-Z][A-Z_]{3,})\b(?!\.BIN)", text)
        if "environ" not in path.read_text("utf-8"):
            continue
        for node in ast.walk(tree(path)):
            looked_up: list[ast.expr] = []
            if isinstance(node, ast.Call) and re.fullmatch(r".*environ(ment)?\.(get|pop)", ast.unparse(node.func)):
                looked_up = node.args[:1]
            elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]).endswith("environment"):
                looked_up = [node.left]
            elif isinstance(node, ast.Constant) and VARIABLE.fullmatch(str(node.value)):
                looked_up = [node]
            yield from (str(each.value) for each in looked_up if isinstance(each, ast.Constant))
