"""The package has the names that scripts outside of it import. Most scripts need other libraries; no test runs them."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from numpyclip.errors import MissingPackageError

ROOT = Path(__file__).parents[1]
SCRIPTS = [path for folder in ("benchmarks", "tools", "training") for path in sorted((ROOT / folder).rglob("*.py"))]
SCRIPTS.remove(ROOT / "benchmarks" / "contest" / "contestants" / "ancestor.py")  # of another package of that name


def imported(script: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "numpyclip":
            yield from ((str(node.module), alias.name) for alias in node.names)


def has(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
    except MissingPackageError:  # an adapter of a framework that is not here: what it defines is in its source
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None
        return name in {getattr(node, "name", "") for node in ast.parse(Path(spec.origin).read_text("utf-8")).body}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(ROOT)))
def test_a_script_imports_names_that_the_package_has(script: Path) -> None:
    for module, name in imported(script):
        assert has(module, name), f"{module}.{name}"
