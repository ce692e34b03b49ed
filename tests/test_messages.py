"""Every option, command and argument that a message names exists, where the message can appear."""

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import numpyclip.cli
from numpyclip.cli.commands import COMMANDS, parser

SOURCE = Path(numpyclip.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
COMMAND = re.compile(rf"numpyclip ([a-z]+)\b|\b({'|'.join(COMMANDS)})(?= --)")
ARGUMENT = re.compile(r"\b([a-z_]+)=(?=True|False|['\"\[(]|\.\.\.)")
NO_COMMANDS = {
    "cli/commands.py": "RENAMED",  # options of the past
    "cli/completion.py": "SHELLS",  # scripts of shells
    "tasks/learning/files.py": "_FORMAT",  # of a file
}
OF_OTHERS = {"check_embedding_ctx_length", "bytes", "filename", "href"}  # of LangChain, headers of HTTP, and HTML


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def options(command: str) -> frozenset[str]:
    """All options of a command, and of those within it."""

    def of(one: argparse.ArgumentParser) -> Iterator[str]:
        yield from one._option_string_actions
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                for choice in action.choices.values():
                    yield from of(choice)

    (top,) = (
        action.choices[command] for action in parser(command)._actions if isinstance(action, argparse._SubParsersAction)
    )
    return frozenset(of(top)) | {"--version"}


@cache
def parameters() -> frozenset[str]:
    """The names of parameters of all functions, and of fields."""
    nodes = [node for path in MODULES for node in ast.walk(tree(path))]
    fields = (node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))
    return frozenset({*(node.arg for node in nodes if isinstance(node, ast.arg)), *fields})


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module, without docstrings, with {} for what is put into them."""
    skipped: set[int] = set()
    for node in ast.walk(tree(path)):
        if id(node) in skipped:
            skipped |= {id(child) for child in ast.iter_child_nodes(node)}
        elif isinstance(node, ast.Expr | ast.FormattedValue):  # a docstring; what is put into a string is found itself
            skipped |= {id(node.value)} if isinstance(node.value, ast.Constant) else set()
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == NO_COMMANDS.get(
            path.relative_to(SOURCE).as_posix()
        ):
            skipped |= {id(child) for child in ast.iter_child_nodes(node)}
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values if isinstance(part, ast.Constant)}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def problems(text: str, own: str | None) -> Iterator[str]:
    """What a text of a command, or of a module that is none, names in vain."""
    for line in text.splitlines():
        commands = [(found.start(), found[1] or found[2]) for found in COMMAND.finditer(line)]
        yield from {command for _, command in commands} - COMMANDS.keys()
        for option in OPTION.finditer(line):
            before = [command for start, command in commands if start < option.start()]
            owners = {own, *before[-1:]} - {None} or COMMANDS
            if not any(option[0] in options(owner) for owner in owners if owner):
                yield f"{option[0]} of {', '.join(map(str, owners))}"
    if not text.isidentifier():
        yield from set(ARGUMENT.findall(text)) - parameters() - OF_OTHERS


def test_what_messages_name_exists() -> None:
    found = []
    for path in MODULES:
        own = path.stem if path.parent.name == "cli" and path.stem in COMMANDS else None
        for line, text in texts(path):
            found += [f"{path.relative_to(SOURCE)}:{line}: {problem}" for problem in problems(text, own)]
    assert not found


@pytest.mark.parametrize(
    ("text", "own", "problem"),
    [
        ("pass --truncate.", "search", "--truncate of search"),
        ("pass --truncated.", None, "--truncated of "),
        ("`numpyclip serch WORD`", None, "serch"),
        ("`numpyclip index --near`", None, "--near of index"),
        ("pass trunkate=True", None, "trunkate"),
    ],
)
def test_what_does_not_exist_is_found(text: str, own: str | None, problem: str) -> None:
    (found,) = problems(text, own)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["search", "{long}"], []),
        (["classify", "{bird}", "{long}", "a dog"], []),
        (["filter", "{bird}", "--keep", "{long}"], []),
        (["explain", "{bird}", "{long}"], []),
        (["ask", "{bird}", "what is this?", "{long}", "a dog"], []),
        (["embed", "texts", "{long}"], ["--truncate"]),
    ],
)
def test_long_texts_are_told_what_the_command_can_do(
    words: list[str], options: list[str], bird: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert numpyclip.cli.main(["index", str(tmp_path), "-m", "tiny"]) == 0
    capfd.readouterr()
    words = [word.format(long="dog " * 100, bird=bird) for word in words]
    assert numpyclip.cli.main([*words, *(["-m", "tiny"] if words[0] != "search" else [])]) == 2
    message = capfd.readouterr().err
    assert "expected at most 77" in message
    assert OPTION.findall(message) == options
