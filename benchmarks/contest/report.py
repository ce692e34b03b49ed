"""Results as Markdown and plots, in benchmarks/results/, a folder for each kind of processor."""

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contest.contestants import TITLES
from contest.files import ROOT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_PLOT = "(No plot: matplotlib is not installed.)"
PACKAGES = (
    "torch",
    "torchvision",
    "openai-clip",
    "open_clip_torch",
    "transformers",
    "onnxruntime",
    "openvino",
    "pillow",
    "numpy",
)
LINUX_CPU = Path("/proc/cpuinfo")
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # that decide about speed, each processor with those before
MEASURED = ("--", "src", "benchmarks", ":!benchmarks/results")  # paths of git's: all that figures depend on


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@cache
def machine(threads: int | None, peers: bool = True) -> str:
    """Say on what it was measured, and what: this checkout."""
    lines = [
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        blas(),
        f"NumPyCLIP of commit {commit()}",
    ]
    if threads:
        lines.append(f"{threads} thread{'s' * (threads > 1)} each")
    if peers:
        lines.append(", ".join(f"{name} {installed(name)}" for name in PACKAGES))
    return "\n".join(f"- {line}" for line in lines)


def commit() -> str:
    """Name the last commit of what is measured, and say whether it was changed since."""
    if shutil.which("git") is None:
        return "(unknown)"
    last, changes = (
        subprocess.run(["git", *command, *MEASURED], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        for command in (["log", "-1", "--format=%h"], ["status", "--porcelain"])
    )
    return f"{last}, with changes" if changes else last or "(unknown)"


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(none)"


@cache
def known() -> dict[str, str]:
    """Return what Linux tells of the processor."""
    lines = LINUX_CPU.read_text().splitlines() if LINUX_CPU.exists() else []
    entries = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in entries.items()}


def features() -> list[str]:
    flags = known().get("flags", "").split()
    return [feature for feature in FEATURES if feature in flags]


def processor() -> str:
    if not known():
        return platform.processor() or platform.machine()
    numbers = ", ".join(f"{name} {known()[name]}" for name in ("cpu family", "model") if name in known())
    return f"{known().get('model name', platform.machine())} ({numbers}; {', '.join(features())})"


def folder() -> Path:
    """Make the folder for results of this kind of processor, named by the last of its features."""
    path = ROOT / "benchmarks" / "results" / (features() or [platform.machine()])[-1]
    path.mkdir(parents=True, exist_ok=True)
    return path


def blas() -> str:
    """Name NumPy's BLAS; of OpenBLAS also the kernels that it chose for this processor."""
    build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    folder = Path(np.__file__).parents[1] / "numpy.libs"
    for library in folder.glob("*openblas*"):
        name = getattr(ctypes.CDLL(str(library)), "scipy_openblas_get_corename64_", None)
        if name is not None:
            name.restype = ctypes.c_char_p
            return f"NumPy {np.__version__} with {build['name']} {build['version']}, kernels {name().decode()}"
    return f"NumPy {np.__version__} with {build['name']} {build['version']}"


def write(name: str, title: str, parts: Sequence[str]) -> None:
    """Write one result, and print it."""
    text = "\n\n".join([f"# {title}", *parts])
    print(f"\n{text}\n")
    (folder() / f"{name}.md").write_text(text + "\n", "utf-8")


def bars(name: str, title: str, labels: Sequence[str], values: Sequence[float], unit: str) -> str:
    """Plot one bar per label, if matplotlib is there, and return the Markdown that shows the plot."""
    if find_spec("matplotlib") is None:
        return NO_PLOT
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.6 + 0.4 * len(labels)), layout="constrained")
    colours = ["black" if label == TITLES["numpyclip"] else "tab:blue" for label in labels]
    drawn = axes.barh(labels, values, color=colours)
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(unit)
    axes.set_title(title)
    return save(figure, name)


def save(figure: "Figure", name: str) -> str:
    """Keep a plot, and return the Markdown that shows it."""
    figure.savefig(folder() / f"{name}.png", dpi=100)
    return f"![]({name}.png)"
