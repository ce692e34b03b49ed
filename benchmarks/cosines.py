"""How near embeddings of engines are to those that the library of each family computed in float64, by precision.

    python benchmarks/cosines.py [--engine openvino] [--precision bfloat16] [NAME ...]

Of all families in tests/golden/families/ (small towers of random weights), or those that are named: for each engine and
precision the least cosine of images and of texts, and of which family.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import numpyclip
from contest import report
from numpyclip.arguments import ENGINE_NAMES, PRECISIONS
from numpyclip.engines.selection import choose
from numpyclip.errors import EngineError, InputError, MissingPackageError

FAMILIES = Path(__file__).parents[1] / "tests" / "golden" / "families"
KINDS = ("image", "text")


def cosines(name: str, engine: str, precision: str) -> Iterator[tuple[str, float]]:
    """Embed what the library embedded: the kind of input, and the least cosine."""
    model, _ = numpyclip.load(FAMILIES / name, engine=engine, precision=precision)
    with np.load(FAMILIES / f"{name}.npz") as golden:
        for kind in KINDS:
            if f"encode_{kind}" in golden:
                found = getattr(model, f"encode_{kind}")(golden[kind])
                yield kind, float((unit(found) * unit(golden[f"encode_{kind}"])).sum(axis=1).min())


def unit(x: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = x.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def row(engine: str, precision: str, names: list[str]) -> list[str]:
    """Measure an engine with all families."""
    found: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for name in names:
        for kind, cosine in cosines(name, engine, precision):
            found[kind][name] = cosine
    cells = []
    for values in found.values():
        least = min(values, key=values.__getitem__, default=None)
        cells.append("" if least is None else f"1 - {1 - values[least]:.1e}: {least}, of {len(values)}")
    return [f"{engine}, {precision}", *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--engine", nargs="+", choices=ENGINE_NAMES, default=ENGINE_NAMES)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    given = parser.parse_args()
    names = given.names or sorted(path.name for path in FAMILIES.iterdir() if path.is_dir())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMPYCLIP_CACHE"] = folder
        for engine in given.engine:
            for precision in given.precision:
                try:
                    choose(engine, precision=precision)
                except (EngineError, InputError, MissingPackageError) as error:  # it has no such precision here
                    print(f"{engine}, {precision}: {error}")
                else:
                    rows.append(row(engine, precision, names))
    print(report.table(["", "images", "texts"], rows))
    print(f"\n{report.machine(None)}")


if __name__ == "__main__":
    main()
