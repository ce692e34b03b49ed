"""What the blocks of a page are said to print, they print; what is not run is marked; what pages name exists."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.cli import parse
from numpyclip.cli.commands import _command, parser
from numpyclip.cli.configuration import settings
from numpyclip.errors import MissingPackageError
from tests.page_commands import command_problems, is_route, problems
from tests.page_session import Session, checkout
from tests.pages import EXECUTED, OTHERS, PAGES, PARSED, REASONS, ROOT, Block, agrees, blocks

FILE = re.compile(r"\]\((?!https?:)([^)#\s]+)|`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|toml))`")
VARIABLE = re.compile(r"NUMPYCLIP_[A-Z_]*[A-Z]")


def case(page: Path, *marks: Any) -> Any:
    return pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks)


def blocks_of(page: Path) -> list[Block]:
    return blocks(page.read_text("utf-8"))


def executed() -> Iterator[Any]:
    """The pages with blocks that run; those with commands, which take seconds, are exhaustive."""
    for page in [*PAGES, *OTHERS]:
        languages = {block.language for block in blocks_of(page) if block.runs}
        if languages:
            yield case(page, *[pytest.mark.exhaustive] * ("sh" in languages))


ALL = [case(page) for page in (*PAGES, *OTHERS)]


@pytest.fixture
def _in_a_copy_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: None) -> None:
    folder = tmp_path / "me"
    for name, value in checkout(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("_in_a_copy_of_the_checkout")
@pytest.mark.parametrize("page", [*executed()])
def test_the_blocks_of_a_page_print_what_it_says(page: Path) -> None:
    missing: set[str] = set()
    with np.printoptions(), Session() as session:  # a page may set its own
        for block in filter(lambda block: block.runs, blocks_of(page)):
            if block.missing:
                missing |= {*block.missing}
                continue
            try:
                printed = session.run(block)
            except MissingPackageError as error:
                pytest.skip(f"{page.name}: {error}")
            if block.output is not None and not agrees(printed, block.output):
                assert printed == block.output.text, f"line {block.line}: {block.code}"
    if missing:
        pytest.skip(f"{page.name}: but for blocks that need {', '.join(sorted(missing))}")


@pytest.mark.parametrize("page", ALL)
def test_blocks_that_are_not_run_are_marked_with_one_of_few_reasons(page: Path) -> None:
    found = blocks_of(page)
    reasons = [block.reason for block in found if block.reason is not None]
    assert not {*reasons} - {*REASONS}
    marks = re.findall(r"^ *<!-- not run", page.read_text("utf-8"), re.MULTILINE)
    assert len(marks) == len(reasons), "a mark is before no block"
    known = (*EXECUTED, *PARSED)
    assert not [f"line {b.line}: {b.language}" for b in found if b.reason is None and b.language not in known]


@pytest.mark.parametrize("page", ALL)
def test_commands_options_extras_and_routes_in_blocks_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = [block for block in blocks_of(page) if block.language == "sh"]
    assert not [f"line {block.line}: {each}" for block in shell for each in problems(block.code, capsys)]


@pytest.mark.parametrize("page", ALL)
def test_configs_and_requests_in_blocks_are_valid(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks_of(page):
        if block.language == "http":
            method, path = block.code.split()[:2]
            assert is_route(method, path.partition("?")[0]), block.code
        if block.reason is not None:
            continue
        if block.language == "json":
            for arguments in programs(json.loads(block.code)):
                assert not [*command_problems(arguments, capsys)]
        elif block.language == "yaml":
            pytest.importorskip("yaml").safe_load(block.code)
        elif block.language == "ini":
            configparser.RawConfigParser(strict=False).read_string(block.code)
        elif block.language == "toml":  # of `numpyclip serve`
            pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
            (tmp_path / "serve.toml").write_text(block.code, "utf-8")
            parse(["serve", "--config", str(tmp_path / "serve.toml")])


def programs(value: Any) -> Iterator[list[str]]:
    """The arguments of `numpyclip` wherever a config starts it: `{"command": "numpyclip", "args": [...]}`."""
    if isinstance(value, dict):
        if str(value.get("command", "")).endswith("numpyclip"):
            yield value.get("args", [])
        for each in value.values():
            yield from programs(each)


def test_environment_variables_that_pages_name_exist() -> None:
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py"), ROOT / "tests" / "conftest.py"]
    known = variables([*sources, *ROOT.glob("compose*.yaml")])
    known |= {setting.variable for setting in settings(_command(parser("serve"), "serve"))}
    named = variables([*PAGES, *OTHERS])
    assert not {name for name in named if not any(f"{each}_".startswith(f"{name}_") for each in known)}


def variables(paths: list[Path]) -> set[str]:
    return {name for path in paths for name in VARIABLE.findall(path.read_text("utf-8"))}


@pytest.mark.parametrize("page", ALL)
def test_python_that_is_not_run_compiles(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "python":
            compile(block.code, f"{page}, line {block.line}", "exec")


@pytest.mark.parametrize("page", ALL)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    names = {link or path for link, path in FILE.findall(page.read_text("utf-8")) if not path.endswith("NAME.py")}
    folders = (page.parent, ROOT, ROOT / "src" / "numpyclip")
    assert not {name for name in names if not any((folder / name).exists() for folder in folders)}


def test_the_contributing_guide_says_of_each_folder_of_the_package_what_it_holds() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("\nsrc/numpyclip/\n")[2].partition("\nexamples/")[0]
    there = {file.parent.name for file in (ROOT / "src" / "numpyclip").glob("[!_.]*/*.*")}
    assert set(re.findall(r"^  (\w+)/", guide, re.MULTILINE)) == there


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no checkout of git's")
def test_no_committed_file_has_merge_conflict_markers() -> None:
    found = subprocess.run(["git", "grep", "-InE", "^(<{7}|[|]{7}|>{7}) "], cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, "")  # 1: no match
