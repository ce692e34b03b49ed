"""Without its framework, an adapter says which extra to install."""

import re
import subprocess
import sys
from pathlib import Path

ADAPTERS = {
    "chroma": "chromadb",
    "langchain": "langchain_core",
    "llama_index": "llama_index",
    "llm": "llm",
    "sklearn": "sklearn",
}
PROGRAM = """
import importlib, sys
from numpyclip.errors import MissingPackageError
for module in sys.argv[1:]:
    try:
        importlib.import_module(f"numpyclip.integrations.{module}")
    except MissingPackageError as error:
        print(error)
"""
ROOT = Path(__file__).parents[2]


def test_the_extra_is_named_that_the_package_has() -> None:
    hidden = f"import sys; sys.modules.update(dict.fromkeys({[*ADAPTERS.values()]}))"
    command = [sys.executable, "-c", f"{hidden}\n{PROGRAM}", *ADAPTERS]
    errors = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    command_of_an_extra = r' needs? the package ([\w-]+): pip install "numpyclip\[([\w-]+)\]"$'
    named = [re.search(command_of_an_extra, error) for error in errors]
    extras = re.findall(r'^([\w-]+) = \["([\w-]+)>=', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert len(named) == len(ADAPTERS)
    for match in named:
        assert match is not None
        assert (match[2], match[1]) in extras
