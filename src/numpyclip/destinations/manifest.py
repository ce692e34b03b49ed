"""`_manifest.json`: the settings that all embeddings of a destination share, written by the first run.

A later run, or another one of a job array, continues if its settings are equal, and is refused otherwise: a destination
never holds embeddings of two models, or parts of inputs other than those of its first run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from numpyclip.destinations.new_file import make_folder
from numpyclip.destinations.write import Dtype, Layout
from numpyclip.errors import InputError, NumPyCLIPError, quoted
from numpyclip.remote import exists, join, names, read_bytes, write_new
from numpyclip.sources.part import Kind, Part

NAME = "_manifest.json"  # of which readers of folders of parquet files take no notice
_FORMAT = "numpyclip-embeddings"
_VERSION = 1
_MOST = 1 << 20  # bytes
_UNRELATED = "file_dtype"  # of a fingerprint: equal weights in another file make equal embeddings


@dataclass(frozen=True)
class Manifest:
    """The settings that all embeddings of a destination share.

    Attributes
    ----------
    layout : {"parquet", "clip-retrieval"}
    kind : {"images", "texts"}
    dtype : {"float16", "float32"}
    embed_dim : int
    fingerprint : str
        Of the model, with the precision, as JSON.
    options : mapping of str to JSON values
        How inputs are read and embedded; not the number of machines or workers.
    parts : int
        How many there are, all machines together.
    parts_sha256 : str
        As `digest_of` returns it.
    """

    layout: Layout
    kind: Kind
    dtype: Dtype
    embed_dim: int
    fingerprint: str
    options: Mapping[str, Any]
    parts: int
    parts_sha256: str

    def to_json(self) -> str:
        """Encode it as JSON."""
        return json.dumps(self._values(), indent=2, sort_keys=True) + "\n"

    def _values(self) -> dict[str, Any]:
        """Return what is in the file."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "layout": self.layout,
            "kind": self.kind,
            "dtype": self.dtype,
            "embed_dim": self.embed_dim,
            "model": json.loads(self.fingerprint),
            "options": json.loads(json.dumps(dict(self.options))),  # a tuple is a list when it is read
            "inputs": {"parts": self.parts, "sha256": self.parts_sha256},
        }

    def has_other_inputs_than(self, other: Manifest) -> bool:
        """Tell whether the inputs differ, and nothing else."""
        differences = [*self.differences(other)]
        return bool(differences) and all(each.startswith("inputs.") for each in differences)

    def differences(self, other: Manifest) -> Iterator[str]:
        """List in what another differs, its values as what was expected."""
        mine, others = (dict(_flat(each._values())) for each in (self, other))
        for name in sorted(mine.keys() | others.keys()):
            if mine.get(name) != others.get(name) and name != f"model.{_UNRELATED}":
                yield f"{name}: found {_shown(mine, name)}, expected {_shown(others, name)}"


def are_equal(fingerprint: str | None, other: str | None) -> bool:
    """Tell whether embeddings of models with these fingerprints, which are JSON or damaged, are equal."""
    return _comparable(fingerprint) == _comparable(other)


def _comparable(fingerprint: str | None) -> object:
    try:
        values = json.loads(fingerprint or "")
        return {name: value for name, value in values.items() if name != _UNRELATED}
    except (ValueError, AttributeError, RecursionError):
        return fingerprint


def digest_of(parts: Iterable[Part]) -> str:
    """Return the SHA-256 of planned parts: equal if the inputs are, in the same order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(dataclasses.astuple(part)).encode("ascii") + b"\n")
    return digest.hexdigest()


def claim(place: str, manifest: Manifest) -> None:
    """Write the manifest of a destination, or check that the one that is there is equal.

    Any number of equal runs can do so at the same time. Of different ones that start together all but one
    are refused, except where `numpyclip.remote.write_new` cannot tell which is the first.

    Raises
    ------
    InputError
        If the destination was started with other settings, is a folder with other files, or a URL where uploads are
        not atomic.
    NumPyCLIPError
        If the manifest cannot be written.
    """
    make_folder(place)
    found = read_manifest(place)
    if found is None:
        if others := _others(place):
            raise InputError(
                f"{place}: has files, such as {quoted(others[0])}, but no {NAME}; expected a new or empty folder, or "
                "one that a run has started. Choose another destination."
            )
        write_new(join(place, NAME), manifest.to_json().encode("ascii"))
        found = read_manifest(place)  # somebody else may have been first
    if found is None:
        raise NumPyCLIPError(f"{join(place, NAME)}: was removed while it was written. Run this again.")
    if found.has_other_inputs_than(manifest):
        raise InputError(
            f"{place}: the sources have changed since this run began: {found.parts} parts then, {manifest.parts} now "
            "(inputs were added, removed, or named in another order, or --limit is another). Name those it began with, "
            "to complete it; embed new ones into another destination."
        )
    if differences := "; ".join(found.differences(manifest)):
        raise InputError(
            f"{place}: was started with other settings ({differences}). Run it with the same model, options and "
            "inputs, or choose another destination."
        )


def read_manifest(place: str) -> Manifest | None:
    """Read the manifest of a destination; None if it has none.

    Raises
    ------
    InputError
        If it is damaged, or of a later version.
    """
    path = join(place, NAME)
    if not exists(path):
        return None
    content = read_bytes(path, _MOST)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}); expected the manifest of embeddings.") from error
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise InputError(f"{path}: is not a manifest of embeddings. Choose another destination.")
    if values.get("version") != _VERSION:
        raise InputError(
            f"{path}: is of version {values.get('version')!r:.20}; expected {_VERSION}. Update NumPyCLIP, or choose "
            "another destination."
        )
    manifest = _from_values(values)
    if manifest is None:
        raise InputError(f"{path}: is damaged: a value is missing, or of another type. Choose another destination.")
    return manifest


def _from_values(values: dict[str, Any]) -> Manifest | None:
    inputs, model, options = (values.get(name) for name in ("inputs", "model", "options"))
    if not (isinstance(inputs, dict) and isinstance(model, dict) and isinstance(options, dict)):
        return None
    allowed = {"layout": get_args(Layout), "kind": get_args(Kind), "dtype": get_args(Dtype)}
    if any(values.get(name) not in choices for name, choices in allowed.items()):
        return None
    counts, digest = (values.get("embed_dim"), inputs.get("parts")), inputs.get("sha256")
    if not (all(type(count) is int and count >= 0 for count in counts) and isinstance(digest, str)):
        return None
    return Manifest(
        **{name: values[name] for name in (*allowed, "embed_dim")},
        fingerprint=json.dumps(model),
        options=options,
        parts=inputs["parts"],
        parts_sha256=digest,
    )


def _others(place: str) -> list[str]:
    """List what is in a folder without being hidden, as the manifest is until it is complete."""
    found = names(place)
    return [] if NAME in found else [name for name in found if not name.startswith(".")]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(values: Mapping[str, Any], name: str) -> str:
    return f"{json.dumps(values[name]):.200}" if name in values else "nothing"
