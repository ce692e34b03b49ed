"""Python's own options change no answer: `-O`, which leaves out asserts, `-OO` docstrings, and warnings as errors."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
import numpyclip.cli
from numpyclip.index import Index
from numpyclip.index.open_store import open_store
from numpyclip.tasks.filter import Filter
from numpyclip.tasks.zero_shot import ZeroShotClassifier

SOURCE = Path(numpyclip.__file__).parent
OPTIONS = [["-O"], ["-OO"], ["-W", "error"], ["-X", "utf8=0"]]


def is_narrowing(test: ast.expr) -> bool:
    """Whether an assert tells type checkers, and nobody else, what cannot be otherwise."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return all(map(is_narrowing, test.values))
    if isinstance(test, ast.Call):
        return ast.unparse(test.func) == "isinstance"
    return isinstance(test, ast.Compare) and ast.unparse(test).endswith(" is not None")


def test_nothing_is_checked_by_an_assert() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assert) and (node.msg is not None or not is_narrowing(node.test))
    ]
    assert not found


def refusals(folder: Path) -> dict[str, str]:
    """What is said to wrong arguments and broken files of many kinds."""
    model: Any = numpyclip.load("tiny")[0]
    broken, folder_of_one = folder / "broken.pt", folder / "one"
    broken.write_bytes(b"\x80\x02cos\nsystem\n(S'true'\ntR.")
    (folder_of_one / "a").mkdir(parents=True, exist_ok=True)
    numpy_file = folder / "a.npz"
    np.savez(numpy_file, embeddings=np.zeros((1, 2)))
    store = open_store(folder / "index", create=True)
    calls: dict[str, Callable[[], object]] = {
        "load": lambda: numpyclip.load(str(broken)),
        "name": lambda: numpyclip.load("none"),
        "tokenize": lambda: numpyclip.tokenize("dog " * 100),
        "texts": lambda: model.embed_texts([1]),
        "images": lambda: model.embed_images(3),
        "picture": lambda: model.embed_images(str(broken)),
        "shape": lambda: model.encode_image(np.zeros((1, 2))),
        "batch": lambda: model.embed_images([], batch_size=0),
        "on_error": lambda: list(model.iter_embeddings([], on_error="none")),
        "labels": lambda: ZeroShotClassifier(model, []),
        "filter": lambda: Filter(model, ["a + b"]),
        "save": lambda: numpyclip.save(model, folder_of_one),
        "migration": store.finish_migration,
        "search": lambda: Index(store, model).search("a", 0),
        "arguments": lambda: numpyclip.cli.main(["classify", "none.png", "-m", "tiny"]),
        "probe": lambda: numpyclip.cli.main(["classify", "--probe", str(numpy_file), str(broken), "-m", "tiny"]),
        "help": lambda: numpyclip.cli.main(["filter", "--help"]),
        "usage": lambda: numpyclip.cli.main(["sheet"]),
    }
    said = {}
    for name, call in calls.items():
        try:
            said[name] = repr(call())
        except (Exception, SystemExit) as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_refusals_are_the_same(options: list[str], tmp_path: Path) -> None:
    expected = refusals(tmp_path)
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[2]); from tests.test_optimized import refusals\n"
        "print(refusals(pathlib.Path(sys.argv[1])))"
    )
    root = str(Path(__file__).parents[1])
    command = [sys.executable, *options, "-c", code, str(tmp_path), root]
    result = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    assert ast.literal_eval(result.stdout.splitlines()[-1]) == expected
    assert not [said for said in expected.values() if said.startswith(("AssertionError", "AttributeError"))]
