"""Defaults are those that docstrings and help texts promise, and the same wherever they mean the same."""

import argparse
import ast
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

import pytest

from numpyclip import tasks
from numpyclip.cli.commands import COMMANDS, parser
from numpyclip.tasks.evaluation.evaluate import Evaluation
from numpyclip.viz.contact_sheet import contact_sheets
from tests.tasks.test_orientation import functions

DOCUMENTED = re.compile(r"^ *(\w+(?:, \w+)*) : .*?\bdefault=(.+?)$", re.MULTILINE)
BATCH_SIZES = {"embed_texts": 1024, "add_texts": 256, "generate": 8}  # texts are small, and beams large


def documented() -> Iterator[tuple[str, inspect.Parameter, str]]:
    """Every parameter whose docstring names its default, and that text."""
    for name, signature in functions():
        for names, default in DOCUMENTED.findall(docs()[name]):
            for parameter in names.split(", "):
                if parameter in signature.parameters:
                    yield f"{name}({parameter})", signature.parameters[parameter], default


@cache
def docs() -> dict[str, str]:
    """The docstring of each function; of a constructor that of its class."""
    found = {}
    for name, _ in functions():
        module, _, where = name.rpartition(".")
        try:
            owner = import_module(module)
        except ImportError:  # a method
            module, _, owner_name = module.rpartition(".")
            owner = getattr(import_module(module), owner_name)
        value = inspect.getattr_static(owner, where)
        found[name] = (owner.__doc__ if where == "__init__" else value.__doc__) or ""
    return found


def test_defaults_are_those_of_docstrings() -> None:
    found = {}
    for where, parameter, default in documented():
        try:
            expected = ast.literal_eval(default)
        except (ValueError, SyntaxError):
            continue  # words
        if parameter.default != expected and repr(parameter.default) != "<factory>":
            found[where] = (parameter.default, expected)
    assert not found


def test_batches_have_one_size_everywhere() -> None:
    found = {
        name: signature.parameters["batch_size"].default
        for name, signature in functions()
        if "batch_size" in signature.parameters
    }
    odd = {
        name: size
        for name, size in found.items()
        if size not in (inspect.Parameter.empty, None, BATCH_SIZES.get(name.rpartition(".")[2], 32))
    }
    assert len(found) > 10
    assert not odd


@pytest.mark.parametrize(("function", "owner"), [(tasks.filter_pictures, tasks.Filter), (tasks.tag, tasks.Tagger)])
def test_functions_have_the_defaults_of_their_classes(function: object, owner: object) -> None:
    one, other = (inspect.signature(each).parameters for each in (function, owner))  # type: ignore[arg-type]
    shared = {name for name in one.keys() & other.keys() if one[name].default is not inspect.Parameter.empty}
    assert shared
    assert {name: one[name].default for name in shared} == {name: other[name].default for name in shared}


def test_thresholds_and_counts() -> None:
    def default(function: Callable[..., object], name: str) -> object:
        return inspect.signature(function).parameters[name].default

    assert default(tasks.Filter, "threshold") == 0.5
    assert default(tasks.ZeroShotClassifier.classify, "top_k") == 1
    assert default(tasks.ZeroShotClassifier.classify, "threshold") == 0
    assert [default(contact_sheets, name) for name in ("columns", "rows", "side")] == [5, 6, 160]
    assert Evaluation() == Evaluation(pictures=0, captions=0, metrics={}, answers=[], confusion=None)


def actions(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from actions(inner)
        else:
            yield action


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_those_of_help_texts(command: str) -> None:
    (found,) = (
        action.choices[command] for action in parser(command)._actions if isinstance(action, argparse._SubParsersAction)
    )
    for action in actions(found):
        match = re.search(r"\(default: (\d+(?:\.\d+)?)\)", (action.help or "") % vars(action) if action.help else "")
        if match:
            assert float(match[1]) == action.default, action.option_strings
        if isinstance(action, argparse._StoreTrueAction):
            assert not action.default, action.option_strings
        if isinstance(action, argparse._StoreFalseAction):
            assert action.default is True, action.option_strings


def test_the_server_listens_where_the_documentation_says() -> None:
    arguments = parser("serve").parse_args(["serve"])
    assert (arguments.host, arguments.port) == ("127.0.0.1", 8000)
