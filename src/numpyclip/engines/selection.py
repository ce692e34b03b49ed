"""OPTIONS → ENGINE: the first that is installed and has the requested device and precision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from numpyclip.arguments import ENGINE_NAMES, Precision, checked_precision
from numpyclip.engines.engine import Engine, PrecisionError
from numpyclip.engines.onnxruntime import ONNXRuntime
from numpyclip.engines.openvino import OpenVINO
from numpyclip.errors import InputError

ENGINES: Mapping[str, type[Engine]] = {kind.name: kind for kind in (OpenVINO, ONNXRuntime)}  # the preferred first
_DEVICE = re.compile(r"[a-z]+(:[0-9]{1,3})?")


def choose(engine: object = None, device: object = "cpu", precision: object = None) -> Engine | None:
    """Return the engine that is asked for; None for NumPy, which is the default on the CPU in float32.

    Parameters
    ----------
    engine : {"numpy", "openvino", "onnxruntime"}, optional
    device : str or torch.device, default="cpu"
        Perhaps with an index, as in ``"cuda:1"``.
    precision : {"float32", "bfloat16", "float16", "int8"}, optional
        By default float32, on every device.

    Raises
    ------
    InputError
        If one of them is none of those, or no engine has them together.
    MissingPackageError
        If an engine has them, but is not installed.
    EngineError
        If an engine is installed, but has no such device here.
    """
    if not isinstance(engine, str | None) or engine not in (None, *ENGINE_NAMES):
        raise InputError(f"engine is {engine!r:.60}; expected {', '.join(map(repr, ENGINE_NAMES))}.")
    place, wanted = _checked_device(device), checked_precision(precision)
    if engine in (None, "numpy") and place == "cpu" and wanted == "float32":
        return None
    kinds = [kind for kind in _kinds(engine) if wanted in _precisions(kind, place)]
    if not kinds:
        raise InputError(_unavailable(engine, place, wanted))
    installed = [kind for kind in kinds if kind.is_installed()]
    if not installed:
        raise kinds[0].missing(place)
    engines = [kind(place, wanted) for kind in installed]
    chosen = next((each for each in engines if each.is_usable()), engines[0])
    chosen.check()
    return chosen


def choose_for_graphs(folder: Path, precision: Precision, engine: object, device: object) -> Engine | None:
    """Return the engine for a folder of graphs, which have a precision; None for NumPy.

    Raises
    ------
    InputError, PrecisionError
        If the device has other precisions only, or the reason is one of those of `choose`.
    MissingPackageError, EngineError
        As `choose`.
    """
    if engine == "numpy":  # which has no use for graphs of any precision
        return choose(engine, device)
    try:
        return choose(engine, device, precision)
    except (InputError, PrecisionError) as error:
        others = [other for kind in _kinds(engine) for other in _precisions(kind, _checked_device(device))]
        if not others:
            raise
        who = "no engine computes" if engine is None else f"engine {engine!r} does not compute"
        raise type(error)(
            f"{folder}: was exported in {precision}, in which {who} on {device!r:.60} here. Export it in {others[0]}, "
            "or pass another device."
        ) from error


def _checked_device(device: object) -> str:
    name = str(device).lower()
    if device is None or not _DEVICE.fullmatch(name):
        raise InputError(f"device is {device!r:.60}; expected a name, such as 'cpu', 'cuda' or 'cuda:1'.")
    return "cpu" if name == "cpu:0" else name


def _kinds(engine: object) -> list[type[Engine]]:
    return [kind for kind in ENGINES.values() if engine in (None, kind.name)]


def _precisions(kind: type[Engine], device: str) -> tuple[Precision, ...]:
    name, _, index = device.partition(":")
    return () if index and name == "cpu" else kind.devices.get(name, ())


def _unavailable(engine: object, device: str, precision: str) -> str:
    """Say what there is in place of what was asked for."""
    if engine == "numpy":
        return f"engine 'numpy' computes on the CPU in float32, not on {device!r:.60} in {precision}. Leave engine out."
    has = [
        f"{kind.name} on {name}: {', '.join(precisions)}"
        for kind in _kinds(engine)
        for name, precisions in kind.devices.items()
    ]
    none = f"engine {engine!r} does not have both"
    if engine is None:
        none, has = "no engine has both", ["numpy on cpu: float32", *has]
    return f"device {device!r:.60} in precision {precision!r}: {none}. Expected {'; '.join(has)}."
