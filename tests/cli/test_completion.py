"""Words that shells complete; in the shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from numpyclip.cli.commands import COMMANDS
from numpyclip.cli.completion import SHELLS, candidates
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", sorted(COMMANDS)),
        ("in", ["index"]),
        ("--ver", ["--version"]),
        ("index --vec", ["--vectors"]),
        ("index --vectors ", ["float16", "float32", "int8"]),
        ("index --vectors=f", ["--vectors=float16", "--vectors=float32"]),
        ("index --vectors = f", ["float16", "float32"]),  # as bash divides it
        ("index --vectors =", ["float16", "float32", "int8"]),
        ("index --wat", ["--watch"]),
        ("index ", []),  # files
        ("index photos/ --store ", []),
        ("search -m ViT-L", ["ViT-L/14", "ViT-L/14@336px"]),
        ("search --model ti", ["tiny"]),
        ("search a dog --in ", ["pictures", "texts"]),
        ("search --all ", []),  # an option without a value
        ("embed ", ["images", "texts"]),
        ("embed images --dt", ["--dtype"]),
        ("models do", ["download"]),
        ("models download RN50", ["RN50", "RN50x16", "RN50x4", "RN50x64"]),
        ("convert ti", ["tiny"]),
        ("completion words -- in", []),
        ("search -- --a", []),
        ("nothing of ours", []),
    ],
)
def test_what_a_word_can_become(line: str, expected: list[str]) -> None:
    assert candidates(line.split(" ")) == expected


def test_the_command_prints_scripts_and_words(run: Run) -> None:
    for shell in SHELLS:
        assert run("completion", shell) == (0, SHELLS[shell], "")
    assert run("completion", "words", "--", "index", "--vec") == (0, "--vectors\n", "")
    assert run("completion", "words", "--", "search", "x").status == 1
    result = run("completion", "tcsh")
    assert (result.status, "expected bash, zsh, fish" in result.err) == (2, True)
    assert run("completion").status == 2


COMPLETE = {  # completes a line, given the script of a shell
    "bash": """
source "$SCRIPT"
COMP_WORDS=($LINE)
[[ $LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ $COMP_WORDBREAKS != *@* ]] && _numpyclip "${COMP_WORDS[0]}"
printf '%s\\n' "${COMPREPLY[@]}"
""",
    "zsh": """
compdef() { :; }
compset() { :; }
compadd() { shift; print -l -- "$@"; }
_files() { print files; }
source "$SCRIPT"
words=(${=LINE})
[[ $LINE == *" " ]] && words+=("")
CURRENT=$#words
_numpyclip
""",
    "fish": """
source "$SCRIPT"
complete -C "$LINE"
""",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_in_the_shell_itself(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None or os.name == "nt":
        pytest.skip(f"{shell} is not installed")
    command = tmp_path / "numpyclip"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m numpyclip "$@"\n')
    command.chmod(0o755)
    (tmp_path / "script").write_text(SHELLS[shell])
    (tmp_path / "run").write_text(COMPLETE[shell])
    found = {}
    for line in ("~/numpyclip index --vec", "numpyclip search --model ViT-L/14@", "numpyclip search x --in "):
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "SCRIPT": str(tmp_path / "script"),
            "LINE": line,
            "HOME": str(tmp_path),
        }
        done = subprocess.run(
            [program, tmp_path / "run"], env=environment, capture_output=True, text=True, cwd=tmp_path
        )
        assert not done.stderr
        found[line] = {word.partition("\t")[0] for word in done.stdout.split("\n")} - {""}
    *others, last = found.values()
    assert others == [{"--vectors"}, {"ViT-L/14@336px"}]
    assert last >= {"pictures", "texts"}  # fish adds names of files
