"""The commands and their options: one word for one thing, and a word for those that are mistyped."""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.cli.commands import COMMANDS, RENAMED, parse, parser
from tests.cli.conftest import Run


def subcommands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next((a.choices for a in top._actions if isinstance(a, argparse._SubParsersAction)), {})


def commands() -> Iterator[argparse.ArgumentParser]:
    for name in COMMANDS:
        command = subcommands(parser(name))[name]
        yield from subcommands(command).values() or [command]


@pytest.mark.parametrize(
    ("words", "usage", "message"),
    [
        (["clasify", "a.png"], "numpyclip [OPTION ...]", "COMMAND: 'clasify' is unknown; did you mean classify?"),
        (["duplicate"], "numpyclip [OPTION ...]", "COMMAND: 'duplicate' is unknown; did you mean duplicates?"),
        (["xyz"], "numpyclip [OPTION ...]", "COMMAND: 'xyz' is unknown; expected one of index, search, serve,"),
        ([], "numpyclip [OPTION ...]", "a command is missing; expected one of index, search, serve,"),
        (["--", "tag"], "numpyclip [OPTION ...]", "a command is missing"),
        (["--verson"], "numpyclip [OPTION ...]", "unknown option --verson; did you mean --version?"),
        (["embed", "image", "a.png"], "numpyclip embed [OPTION ...]", "'image' is unknown; did you mean images?"),
        (["models", "donwload"], "numpyclip models", "ACTION: 'donwload' is unknown; did you mean download?"),
        (["tag", "a", "--activation", "relu"], "numpyclip tag", "'relu' is unknown; did you mean gelu?"),
        (["tag", "a.png", "--min", "0.2"], "numpyclip tag", "unknown option --min; did you mean --threshold?"),
        (["search", "dog", "--zzz=1"], "numpyclip search", "unknown option --zzz (put --"),
        (["tag", "a.png", "--treshold=0.2"], "numpyclip tag", "unknown option --treshold; did you mean --threshold?"),
        (["tag", "a.png", "--thresh", "0.2"], "numpyclip tag", "unknown option --thresh; did you mean --threshold?"),
        (["embed", "texts", "a", "--exact"], "numpyclip embed texts", "error: unknown option --exact (put --"),
        (["tag"], "numpyclip tag", "nothing to tag: name an image or a folder"),
        (["embed", "images", "--outpt", "a.npz"], "numpyclip embed images", "did you mean --output?"),
        (["evaluate", "a", "b"], "numpyclip evaluate", "unexpected arguments: b"),
        (["tag", "a.png", "--top", "none"], "numpyclip tag", "argument -n/--top"),
    ],
)
def test_unknown_words_print_the_usage_of_the_command_and_what_was_meant(
    run: Run, words: list[str], usage: str, message: str
) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith(f"usage: {usage}")
    assert message in err


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["learn", "--foo"], "numpyclip learn [OPTION ...] -o FILE FOLDER"),
        (["filter"], "numpyclip filter [OPTION ...] [IMAGE ...]"),
        (["embed"], "numpyclip embed [OPTION ...] {images,texts} ..."),
        (["embed", "images", "--foo", "-o", "a.npz"], "numpyclip embed images [OPTION ...] "),
    ],
)
def test_the_usage_has_no_options_but_required_ones_which_would_hide_an_error_below_them(
    run: Run, words: list[str], usage: str
) -> None:
    status, _, err = run(*words)
    assert status == 2
    assert err.startswith(f"usage: {usage}")
    assert len(err.splitlines()) == 2


def test_help_speaks_of_images() -> None:
    names = re.compile(r"docs/pictures|pictures\.index|\{pictures,texts\}")
    for command in (parser(""), *commands()):
        assert "picture" not in names.sub("", command.format_help()), command.prog


@pytest.mark.parametrize("name", ["index", "search", "serve"])
def test_commands_of_an_index_say_that_its_model_is_the_default(run: Run, name: str) -> None:
    out = " ".join(run(name, "--help").out.split())
    assert "(default: that of the index, else $NUMPYCLIP_MODEL, else ViT-B/32)" in out


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["classify", "a", "--min", "0.2"], "threshold", 0.2),
        (["filter", "a", "--min", "0.2"], "threshold", 0.2),
        (["filter", "a", "--min-cosine=0.2"], "cosine_threshold", 0.2),
        (["search", "a", "--min", "0.2"], "threshold", 0.2),
        (["tag", "a", "--vocabulary", "x"], "labels", "x"),
        (["caption", "a", "--captions", "x"], "labels", "x"),
        (["ask", "a", "--answers", "x"], "labels", "x"),
        (["map", "a", "-o", "a.html", "--most", "3"], "limit", 3),
        (["serve", "--name", "a", "--model-name", "b"], "model_name", ["a", "b"]),
        (["serve", "--allow-name", "a"], "allow_host", ["a"]),
        (["index", "a", "--exact"], "draft", False),
        (["embed", "images", "a", "--exact"], "draft", False),
        (["learn", "a.npz", "-o", "b.npz", "--labels", "x"], "classes", "x"),
    ],
)
def test_old_names_of_options_are_taken_with_a_warning(
    words: list[str], name: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert getattr(parse(words), name) == value
    old = next(word for word in words if word.startswith("--")).partition("=")[0]
    assert capsys.readouterr().err == (
        f"numpyclip: warning: {old} is now {RENAMED[words[0]][old]}; the next version will not know it.\n"
    )
    with pytest.raises(SystemExit):
        parse([words[0], "--help"])
    assert f"{old} " not in capsys.readouterr().out


def test_an_option_means_the_same_in_every_command() -> None:
    found: dict[str, set[object]] = {}
    for command in commands():
        for action in command._actions:
            for option in action.option_strings if action.help != argparse.SUPPRESS else ():
                found.setdefault(option, set()).add((tuple(action.option_strings), action.metavar, action.type is None))
    assert not {option for option, ways in found.items() if len(ways) > 1}


def test_the_new_names_of_options_are_those_of_their_commands() -> None:
    for name, renamed in RENAMED.items():
        command = subcommands(parser(name))[name]
        helps = "".join(kind.format_help() for kind in subcommands(command).values() or [command])
        assert all(new in helps and f"{old} " not in helps for old, new in renamed.items())


def test_options_are_not_abbreviated() -> None:
    assert not any(command.allow_abbrev for command in (parser(""), *commands()))


def test_the_results_of_a_picture_have_its_path_in_every_command(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (8, 8), "red").save(picture)
    for words in (
        ["classify", picture, "a", "b"],
        ["tag", picture],
        ["caption", picture],
        ["ask", picture, "red or blue"],
    ):
        assert f'{{"path": "{picture}"' in run(*words, "--json", "-m", "tiny").out


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_the_top_of_the_command_line_imports_no_command(words: list[str]) -> None:
    code = (
        "import sys; from numpyclip.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*[name for name in sys.modules if name.startswith('numpyclip.cli.')])"
    )
    out = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
    assert set(out.splitlines()[-1].split()) == {"numpyclip.cli.commands", "numpyclip.cli.outputs"}
