"""What README.md and the pages of docs/ say their examples print, they print; the files that pages name are there."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import MissingPackageError
from tests.pages import PAGES, ROOT, examples, run, tokens

OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *ROOT.glob("[!.]*/README.md")]
FILE = re.compile(r"\]\((?!https?:)([^)#\s]+)|`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|toml))`")


def having(*languages: str) -> list[Any]:
    pages = (page for page in PAGES if any(examples(page.read_text("utf-8"), *languages)))
    return [pytest.param(page, id=page.name) for page in pages]


@pytest.fixture
def _in_a_folder_with_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)


def check(page: Path, *languages: str) -> None:
    session: dict[str, Any] = {}
    missing: set[str] = set()
    with np.printoptions():  # a page may set its own
        for example in examples(page.read_text("utf-8"), *languages):
            if example.missing:
                missing |= {*example.missing}
                continue
            try:
                words, numbers = tokens(run(example, session))
            except MissingPackageError as error:
                pytest.skip(f"{page.name}: {error}")
            if example.printed is not None:
                expected_words, expected_numbers = tokens(example.printed)
                assert words == expected_words, example.code
                assert numbers == pytest.approx(expected_numbers, rel=0.01, abs=0.01), example.code
    if missing:
        pytest.skip(f"{page.name}: but for blocks that need {', '.join(sorted(missing))}")


@pytest.mark.usefixtures("_in_a_folder_with_docs")
@pytest.mark.parametrize("page", having("python"))
def test_the_python_of_a_page_prints_what_it_says(page: Path) -> None:
    check(page, "python")


@pytest.mark.exhaustive
@pytest.mark.usefixtures("_in_a_folder_with_docs")
@pytest.mark.parametrize("page", having("sh"))
def test_the_commands_of_a_page_print_what_it_says(page: Path) -> None:
    check(page, "sh")


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_no_page_has_gaps_to_be_filled(page: Path) -> None:
    assert "@@" not in page.read_text("utf-8")


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in [*PAGES, *OTHERS]])
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = {link or path for link, path in FILE.findall(page.read_text("utf-8")) if not path.endswith("NAME.py")}
    folders = (page.parent, ROOT, ROOT / "src" / "numpyclip")
    assert not {name for name in named if not any((folder / name).exists() for folder in folders)}


def test_the_contributing_guide_says_of_each_folder_of_the_package_what_it_holds() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("\nsrc/numpyclip/\n")[2].partition("\nexamples/")[0]
    there = {file.parent.name for file in (ROOT / "src" / "numpyclip").glob("[!_.]*/*.*")}
    assert set(re.findall(r"^  (\w+)/", guide, re.MULTILINE)) == there


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no checkout of git's")
def test_no_committed_file_has_merge_conflict_markers() -> None:
    found = subprocess.run(["git", "grep", "-InE", "^(<{7}|[|]{7}|>{7}) "], cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, "")  # 1: no match
