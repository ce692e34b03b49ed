"""The package as a whole: what importing it loads, and what it promises about itself."""

import re
import subprocess
import sys
from pathlib import Path

import numpyclip
from tests.fresh_interpreter import modules_after

ROOT = Path(__file__).parents[1]


def loaded_by(code: str) -> set[str]:
    """Top-level packages outside the standard library that a fresh interpreter has after some code."""
    return {name.partition(".")[0] for name in modules_after(code)} - set(sys.stdlib_module_names)


def test_classifying_a_picture_loads_pillow_and_nothing_else() -> None:
    code = (
        "import numpyclip; model, _ = numpyclip.load('tiny')\n"
        "from PIL import Image; model.classify(Image.new('RGB', (70, 60)), ['a dog', 'a cat'])"
    )
    pillow = loaded_by("import numpy; from PIL import Image; Image.init()")
    assert loaded_by(code) - pillow == {"numpyclip"}


def test_loading_a_model_imports_nothing_of_the_network() -> None:
    modules = modules_after("import numpyclip; model, preprocess = numpyclip.load('tiny')")
    assert not modules & {"http", "email", "ssl", "socket", "asyncio"}


def test_import_opens_no_file_of_the_package_and_no_socket() -> None:
    code = """
import sys, numpy
opened = []
def audit(event, args):
    path = str(args[0]) if args else ""
    is_data = event == "open" and "numpyclip" in path and not path.endswith((".py", ".pyc"))
    if event.startswith("socket") or is_data:
        opened.append((event, args))
sys.addaudithook(audit)
import numpyclip
from tests.fresh_interpreter import modules_after
assert not opened, opened
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1:2] in ([numpyclip.__version__], [])
