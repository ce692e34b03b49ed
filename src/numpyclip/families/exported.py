"""A folder of ONNX graphs that `numpyclip.export` has written: what `numpyclip.json` says about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpyclip.arguments import PRECISIONS, Precision
from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import Section, read_config_file
from numpyclip.families.config_json import from_json, to_json
from numpyclip.families.repository_files import EXPORTED
from numpyclip.model.config import CLIPConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.serialization import read_tokenizer

IMAGE_GRAPH, TEXT_GRAPH = "image.onnx", "text.onnx"

_VERSION = 1  # of the description
_LEAST = 1e-6  # of a number that pixels are divided by
_MOST_LOGIT = 88.0  # the exponential of more is no float32


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """A model that is there as graphs, which an engine runs.

    Attributes
    ----------
    folder : Path
    config : CLIPConfig
        Of the model that was exported, without its decoder.
    precision : str
        What the graphs compute in.
    logit_scale, logit_bias : float
    fingerprint : str
        That of the model that was exported, as JSON.
    source : str
        Name of the file of its weights; empty if there was none.
    """

    folder: Path
    config: CLIPConfig
    precision: Precision
    logit_scale: float
    logit_bias: float
    fingerprint: str
    source: str
    described_tokenizer: Mapping[str, Any]

    @property
    def image_graph(self) -> Path | None:
        """The graph of the image tower, which takes `pixels` of uint8."""
        return self.folder / IMAGE_GRAPH if self.config.vision else None

    @property
    def text_graph(self) -> Path | None:
        """The graph of the text tower."""
        return self.folder / TEXT_GRAPH if self.config.text else None

    def tokenizer(self) -> Tokenizer:
        """Read the tokenizer; CheckpointError if it cannot be used."""
        return read_tokenizer(self.folder, self.folder / EXPORTED, self.described_tokenizer)

    def to_json(self) -> dict[str, Any]:
        """Return the contents of `numpyclip.json`."""
        return {
            "version": _VERSION,
            "precision": self.precision,
            "source": self.source,
            "fingerprint": json.loads(self.fingerprint),
            "logit_scale": self.logit_scale,
            "logit_bias": self.logit_bias,
            "tokenizer": dict(self.described_tokenizer),
            "config": to_json(replace(self.config, decoder=None)),
        }


def read_exported(folder: Path) -> ExportedModel:
    """Read a folder that was exported.

    Raises
    ------
    CheckpointError
        If a graph is missing, or the description is damaged or of a later version.
    """
    options = read_config_file(folder / EXPORTED)
    options.expect(version=_VERSION)
    config = from_json(options.path, CLIPConfig, options.section("config").json)
    _check_preprocess(options.path, config)
    exported = ExportedModel(
        folder=folder,
        config=config,
        precision=options.one_of("precision", {name: name for name in PRECISIONS}, ""),
        logit_scale=_number(options, "logit_scale"),
        logit_bias=_number(options, "logit_bias"),
        fingerprint=json.dumps(options.section("fingerprint").json),
        source=options.get("source", str, ""),
        described_tokenizer=options.section("tokenizer").json,
    )
    options.finish()
    for graph in filter(None, (exported.image_graph, exported.text_graph)):
        if not graph.is_file():
            raise CheckpointError(f"{graph}: is missing; expected the graph that {EXPORTED} describes. Export again.")
    return exported


def _check_preprocess(path: Path, config: CLIPConfig) -> None:
    """Raise CheckpointError where pixels would be divided by zero."""
    for name, numbers in (("std", config.preprocess.std), ("scale", (config.preprocess.scale,))):
        if min(numbers) < _LEAST:
            raise CheckpointError(f"{path}: config.preprocess.{name} is {numbers!r:.100}; expected {_LEAST} or more.")


def _number(options: Section, name: str) -> float:
    """Read a number by whose exponential cosines are multiplied, or one that is added to them."""
    number = options.get(name, float)
    if not abs(number) < _MOST_LOGIT:
        raise options.unsupported(name, f"expected a number below {_MOST_LOGIT}")
    return number
