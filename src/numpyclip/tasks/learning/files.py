"""`.npz` files of probes, and of embeddings by `numpyclip embed`; both may be untrusted."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.atomic import atomic_file
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import CorruptCheckpointError, InputError, UnsupportedCheckpointError, quoted
from numpyclip.model.ops import Array
from numpyclip.tasks.learning.examples import checked_embeddings
from numpyclip.tasks.learning.methods import METHODS, checked_setting
from numpyclip.tasks.learning.probe import Probe
from numpyclip.weights.archive import Archive, map_file
from numpyclip.weights.json_file import parse_json
from numpyclip.weights.npz import read_npz_and_texts

_FORMAT = "numpyclip probe 1"
_WEIGHTS = "weights."


@dataclass(frozen=True, eq=False)
class EmbeddedFile:
    """Embeddings (n, e), names of images (n), and their model, as `numpyclip embed -o FILE.npz` writes them."""

    embeddings: Array
    names: list[str]
    fingerprint: Fingerprint | None
    model: str

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> EmbeddedFile:
        """Read a file; CheckpointError if it is another one, or damaged, InputError if it cannot be read."""
        path = Path(path)
        arrays, texts = _read(path, "file of embeddings; expected one by `numpyclip embed -o`")
        if "embeddings" not in arrays or "names" not in texts:
            found = ", ".join([*arrays, *texts])
            raise UnsupportedCheckpointError(
                f"{path}: holds {found:.100}; expected embeddings and names, as `numpyclip embed images -o` writes."
            )
        try:
            embeddings = checked_embeddings(arrays["embeddings"])
        except InputError as error:
            raise CorruptCheckpointError(f"{path}: {error}") from error
        if len(embeddings) != len(texts["names"]):
            raise CorruptCheckpointError(f"{path}: has {len(embeddings)} embeddings and {len(texts['names'])} names.")
        return cls(embeddings, texts["names"], _fingerprint(path, texts), _only(texts, "model"))


def save_probe(probe: Probe, path: str | os.PathLike[str]) -> None:
    """Write a probe to an `.npz` file, atomically; NumPyCLIPError if it cannot be written."""
    about = {"kind": probe.kind, "settings": dict(probe.settings), "unit": probe.unit, "model": probe.model}
    texts = {
        "format": _FORMAT,
        "probe": json.dumps(about),
        "classes": json.dumps(probe.classes),  # an array of strings would lose a NUL at the end
        **({} if probe.fingerprint is None else {"fingerprint": probe.fingerprint.to_json()}),
    }
    contents: dict[str, Any] = {_WEIGHTS + name: array for name, array in probe.weights.items()}
    contents |= {name: np.array(text) for name, text in texts.items()}
    with atomic_file(Path(path).resolve()) as file:  # the target of a link, not the link, is replaced
        np.savez(file, **contents)


def read_probe(path: str | os.PathLike[str]) -> Probe:
    """Read a file written by `save_probe`.

    Raises
    ------
    InputError
        If it cannot be read.
    UnsupportedCheckpointError
        If it is another file, or of a later version.
    CorruptCheckpointError
        If it is damaged or inconsistent.
    """
    path = Path(path)
    arrays, texts = _read(path, "probe; expected a file by save_probe or `numpyclip learn -o`")
    if (found := _only(texts, "format")) != _FORMAT:
        what = f"its format is {found!r:.60}" if found else f"holds {', '.join([*arrays, *texts]):.100}"
        raise UnsupportedCheckpointError(f"{path}: {what}; expected {_FORMAT!r}, as `numpyclip learn -o` writes.")
    about, classes = _json(path, texts, "probe", dict), _json(path, texts, "classes", list)
    if len(set(map(str, classes))) < max(len(classes), 2) or not all(isinstance(name, str) for name in classes):
        raise CorruptCheckpointError(
            f"{path}: its classes are {classes!r:.100}; expected two or more different strings."
        )
    kind, settings, unit = str(about.get("kind")), about.get("settings"), about.get("unit")
    if kind not in METHODS or not isinstance(settings, dict) or set(settings) != set(METHODS[kind].axes):
        raise CorruptCheckpointError(f"{path}: is of kind {kind!r:.60} with settings {settings!r:.100}.")
    numbers = {name: number for name, value in settings.items() if (number := checked_setting(value)) is not None}
    if len(numbers) < len(settings):
        raise CorruptCheckpointError(f"{path}: its settings are {settings!r:.100}; expected numbers above 0.")
    weights = _weights(path, arrays, kind, len(classes))
    if not isinstance(unit, bool):
        raise CorruptCheckpointError(f"{path}: says unit is {unit!r:.60}; expected true or false.")
    return Probe(kind, tuple(classes), weights, numbers, unit, _fingerprint(path, texts), str(about.get("model", "")))


def _weights(path: Path, arrays: dict[str, NDArray[np.generic]], kind: str, n_classes: int) -> dict[str, NDArray[Any]]:
    weights = {name.removeprefix(_WEIGHTS): array for name, array in arrays.items() if name.startswith(_WEIGHTS)}
    letters, sizes = METHODS[kind].shapes, {"k": n_classes}
    are_expected = weights.keys() == letters.keys() and all(
        len(letters[name]) == array.ndim
        and all(sizes.setdefault(letter, n) == n > 0 for letter, n in zip(letters[name], array.shape, strict=True))
        for name, array in weights.items()
    )
    if not are_expected:
        found = {name: array.shape for name, array in weights.items()}
        raise CorruptCheckpointError(f"{path}: has weights of shapes {found}; expected {letters}, k = {n_classes}.")
    for name, array in weights.items():
        if name == "labels":
            good = array.dtype == np.int64 and array.min() >= 0 and array.max() < n_classes
        else:
            good = array.dtype == np.float32 and bool(np.isfinite(array).all())
        if not good:
            raise CorruptCheckpointError(f"{path}: its {name} ({array.dtype}) are out of range or of another dtype.")
    return {name: array.copy() for name, array in weights.items()}  # the file may change now


def _read(path: Path, expected: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, list[str]]]:
    try:
        if path.is_dir():
            raise UnsupportedCheckpointError(f"{path}: is a folder; expected an .npz file.")
        if map_file(path)[:2].tobytes() != b"PK":  # no zip archive, rather than one that was cut short
            raise UnsupportedCheckpointError(f"{path}: is no {expected}.")
        return read_npz_and_texts(Archive(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _only(texts: dict[str, list[str]], name: str) -> str:
    found = texts.get(name, [])
    return found[0] if len(found) == 1 else ""


def _json(path: Path, texts: dict[str, list[str]], name: str, kind: type) -> Any:
    try:
        value = parse_json(_only(texts, name).encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise CorruptCheckpointError(
            f"{path}: {name!r} is {quoted(_only(texts, name), 60)}; expected a {kind.__name__}."
        )
    return value


def _fingerprint(path: Path, texts: dict[str, list[str]]) -> Fingerprint | None:
    if "fingerprint" not in texts:
        return None
    try:
        return Fingerprint.from_json(_only(texts, "fingerprint"))
    except InputError as error:
        raise CorruptCheckpointError(f"{path}: {error}") from error
