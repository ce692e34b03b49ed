"""Fuzzing of all readers: a few seconds from fixed seeds, or for hours with `nox -s fuzz`.

Without hypothesis only the package's dependencies are installed, and no module of this folder is collected.
"""

import importlib.util

if importlib.util.find_spec("hypothesis") is None:
    collect_ignore_glob = ["test_*.py"]
