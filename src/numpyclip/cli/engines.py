"""`numpyclip engines`: compare the engines of this machine: speed and precision."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from numpyclip.arguments import ENGINE_NAMES, ENGINE_OPTIONS, PRECISIONS
from numpyclip.cli.options import add_model_choice, load_model
from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.errors import EngineError, InputError, NumPyCLIPError
from numpyclip.families.repository_files import is_exported

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.engines.engine import Engine

EXAMPLES = """\
  numpyclip engines                 # measures ViT-B/32, or the model of $NUMPYCLIP_MODEL
  numpyclip engines -m tiny
  numpyclip engines --list          # measures nothing
  numpyclip engines --device cuda   # of one device, engine or precision only

First the processor, and each engine: its version, and its devices. Then for every engine, device and precision: one
image in milliseconds, images a second in a batch of 32, texts a second of 100 short ones, and the least cosine to what
NumPy computes in float32. The last lines are the options to use: those with the most images a second in a batch, or
texts where the model has no image tower. Medians of 5; leave the machine alone meanwhile.

Another engine needs: pip install "numpyclip[openvino]", or "numpyclip[onnxruntime]"."""

_ROUNDS = 5
_LEAST_COSINE = 0.999  # of an engine that is recommended
_COLORS, _THINGS = ("red", "blue", "small", "old", "shiny"), ("dog", "house", "bicycle", "flower", "boat")
_PLACES = ("on a table", "in the rain", "at night", "in a garden")
_TEXTS = [f"a {color} {thing} {place}" for color in _COLORS for thing in _THINGS for place in _PLACES]


@dataclass(frozen=True)
class _Measured:
    """What one engine does; None where the model has no such tower."""

    engine: str
    device: str
    precision: str
    options: str  # of commands that choose it
    one_image_ms: float | None
    images_per_s: float | None
    texts_per_s: float | None
    cosine: float


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("--list", action="store_true", help="list what there is, and measure nothing")
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    group = add_model_choice(command)
    group.add_argument("--engine", choices=ENGINE_NAMES, help="measure this engine only (default: all)")
    group.add_argument("--precision", choices=PRECISIONS, help="measure this precision only (default: all)")
    group.add_argument(
        "--device", metavar="DEVICE", help="measure this device only: cpu, cuda, cuda:1, ... (default: all)"
    )
    command.set_defaults(low_memory=False)


def run(arguments: argparse.Namespace) -> int:
    """List, then measure."""
    if is_exported(Path(arguments.model)):
        raise InputError(
            f"{arguments.model}: has ONNX graphs, and all is compared with NumPy, which needs weights. Name the model "
            "that was exported."
        )
    devices = _list(arguments)
    if arguments.list:
        return 0
    wanted = {name: getattr(arguments, name) for name in ENGINE_OPTIONS}
    candidates = _candidates(devices, wanted)
    arguments.engine, arguments.device, arguments.precision = "numpy", None, None
    model = load_model(arguments)
    inputs = _Inputs(model)
    expected, results = inputs.embed(model), []
    for engine in (None, *candidates):
        measured = _attempt(arguments, engine, inputs, expected)
        if measured is not None:
            results.append(measured)
            _print(arguments, measured)
    _recommend(results, is_all=not any(wanted.values()))
    return 0


def _list(arguments: argparse.Namespace) -> dict[type[Engine], list[str]]:
    """Print what there is; return the devices of each engine."""
    from numpyclip.engines.processor import Processor
    from numpyclip.engines.selection import ENGINES

    here = Processor.here()
    if arguments.json:
        print_json({"processor": here.name, "cores": here.cores, "features": list(here.features)})
    else:
        print_columns(here.name, f"{here.cores} cores", " ".join(here.features) or "no features known")
    devices = {}
    for kind in ENGINES.values():
        version, devices[kind], problem = _found(kind)
        if arguments.json:
            print_json({"engine": kind.name, "version": version, "devices": devices[kind]})
        elif version is not None:
            print_columns(kind.name, version.partition("-")[0], " ".join(devices[kind]))
        else:
            print_columns(kind.name, "cannot be used" if kind.is_installed() else "not installed")
        if problem is not None:
            say(problem)
    return devices


def _found(kind: type[Engine]) -> tuple[str | None, list[str], NumPyCLIPError | None]:
    """Return the version of an engine and its devices here, or why there are none."""
    if not kind.is_installed():
        return None, [], kind.missing()
    try:
        return kind.version(), kind.available(), None
    except EngineError as error:
        return None, [], error


def _candidates(devices: dict[type[Engine], list[str]], wanted: dict[str, str | None]) -> list[Engine]:
    """Make all engines that are installed, on each of their devices here, in each precision they have there.

    If none of them is what was asked for, it is what `numpyclip.load` would take, or its error.
    """
    from numpyclip.engines.selection import choose

    given = {name: value for name, value in wanted.items() if value is not None}
    found = []
    for kind in (kind for kind in devices if given.get("engine", kind.name) == kind.name):
        places = [given["device"]] if "device" in given else devices[kind]
        precisions = [given["precision"]] if "precision" in given else PRECISIONS
        for device, precision in product(places, precisions):
            with suppress(NumPyCLIPError):  # it has not both here
                found.append(choose(kind.name, device, precision))
    return [engine for engine in found or [choose(**given)] if engine]


def _options(engine: Engine) -> dict[str, str]:
    return {"engine": engine.name, "device": engine.device, "precision": engine.precision}


def _attempt(
    arguments: argparse.Namespace, engine: Engine | None, inputs: _Inputs, expected: list[Any]
) -> _Measured | None:
    """Measure one; None, and its own words on stderr, if it fails."""
    if engine is not None:
        vars(arguments).update(_options(engine))
    try:
        return inputs.measure(load_model(arguments), engine, expected)
    except NumPyCLIPError as error:
        if engine is None:
            raise
        say(f"{engine}: {error}")
        return None


class _Inputs:
    """Images and texts, the same for every engine, of the sizes that a model takes."""

    def __init__(self, model: CLIP) -> None:
        self.pixels = self.ids = None
        if model.config.vision is not None:
            coarse = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
            height, width = model.preprocess.sides
            rows, columns = (np.arange(side) * 8 // side for side in (height, width))
            self.pixels = coarse[:, rows][:, :, columns]
        if model.config.text is not None:
            self.ids = model.tokenize(_TEXTS)

    def embed(self, model: CLIP) -> list[Any]:
        """Embed all."""
        images = [] if self.pixels is None else [model.encode_image(self.pixels, normalize=True)]
        return images + ([] if self.ids is None else [model.encode_text(self.ids, normalize=True)])

    def measure(self, model: CLIP, engine: Engine | None, expected: list[Any]) -> _Measured:
        """Measure a model that computes with an engine."""
        cosines = [float((mine * its).sum(axis=1).min()) for mine, its in zip(expected, self.embed(model), strict=True)]
        names = ("numpy", "cpu", "float32", "")
        if engine is not None:
            names = (engine.name, engine.device, engine.precision, engine.options)
        one = many = texts = None
        if (pixels := self.pixels) is not None:
            one = 1000 * _seconds(lambda: model.encode_image(pixels[:1]))
            many = len(pixels) / _seconds(lambda: model.encode_image(pixels))
        if (ids := self.ids) is not None:
            texts = len(ids) / _seconds(lambda: model.encode_text(ids))
        return _Measured(*names, one, many, texts, float(np.minimum(1, cosines).min()))


def _seconds(compute: Callable[[], object]) -> float:
    """Measure the time of a call that has been made before; the median."""
    compute()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return median(times)


def _print(arguments: argparse.Namespace, found: _Measured) -> None:
    if arguments.json:
        print_json(asdict(found))
        return
    units = ((found.one_image_ms, "ms an image"), (found.images_per_s, "images/s"), (found.texts_per_s, "texts/s"))
    numbers = [f"{value:.4g} {unit}" for value, unit in units if value is not None]
    print_columns(found.engine, found.device, found.precision, *numbers, f"cosine {found.cosine:.6f}")


def _recommend(results: list[_Measured], *, is_all: bool) -> None:
    """Say which options are fastest, for the same embeddings and for almost the same.

    NumPy is not called the fastest in float32 where it is alone in it, but not all was measured.
    """

    def fastest(among: list[_Measured]) -> _Measured:
        return max(among, key=lambda each: each.images_per_s or each.texts_per_s or 0)

    equal = [each for each in results if each.precision == "float32"]
    same = fastest(equal)
    if is_all or len(equal) > 1:
        say(f"fastest in float32: {same.options or 'NumPy, without options'}")
    near = fastest([each for each in results if each.cosine >= _LEAST_COSINE])
    if near != same:
        say(f"fastest with a cosine of {_LEAST_COSINE} or more: {near.options}")
