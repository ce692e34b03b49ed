"""The first command of the README prints what it says; its other blocks are run by tests/test_docs.py."""

import shlex

import pytest

from numpyclip.cli import main
from tests.pages import ROOT, agrees, blocks


def test_the_first_command_prints_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    first = blocks((ROOT / "README.md").read_text("utf-8"))[0]
    assert first.output is not None
    assert main(shlex.split(first.code.rpartition("numpyclip ")[2])) == 0
    assert agrees(capsys.readouterr().out, first.output)
