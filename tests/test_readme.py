"""The commands of the README: the first prints what it says, all exist. Its Python is run by tests/test_docs.py."""

import re
import shlex
from pathlib import Path

import pytest

from numpyclip.cli import main, parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [line.rpartition("numpyclip ")[2] for line in SHELL.splitlines() if "numpyclip " in line]


def test_the_first_command_prints_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(COMMANDS[0])) == 0
    shown = re.findall(r"^(0\.\d{4})\s+(.+)$", README, re.MULTILINE)
    printed = [tuple(line.split("\t")) for line in capsys.readouterr().out.splitlines()]
    assert [label for _, label in shown] == [label for _, label in printed]
    assert [float(p) for p, _ in shown] == pytest.approx([float(p) for p, _ in printed], abs=0.01)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_is_one_that_the_parser_takes(command: str) -> None:
    parse(shlex.split(re.split(r" [|>] ", command)[0], comments=True))
