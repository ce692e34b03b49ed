"""A folder in NumPyCLIP's own layout, which `load` reads with an engine: graphs, `numpyclip.json`, tokenizer file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from numpyclip.arguments import Precision
from numpyclip.atomic import write_files
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.families.exported import IMAGE_GRAPH, TEXT_GRAPH, ExportedModel
from numpyclip.families.repository_files import EXPORTED
from numpyclip.graph import image_graph, text_graph, write_graph
from numpyclip.saving.plan import as_json
from numpyclip.tokenizer.serialization import describe_tokenizer

FILES = (EXPORTED, f"{IMAGE_GRAPH}*", f"{TEXT_GRAPH}*", "tokenizer.json", "spiece.model")


def write_folder(model: CLIP, precision: Precision, folder: Path) -> None:
    """Write the files, those of one tower if the model has no other.

    Raises
    ------
    InputError
        If a tower has no graph.
    MissingPackageError
        If the tokenizer needs a package that is not installed.
    """
    tokenizer: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    if model.config.text is not None:
        tokenizer, files = describe_tokenizer(model.tokenizer)
        write_graph(lambda weights: text_graph(model, precision=precision, weights=weights), folder / TEXT_GRAPH)
    if model.config.vision is not None:
        write_graph(lambda weights: image_graph(model, precision=precision, weights=weights), folder / IMAGE_GRAPH)
    exported = ExportedModel(
        folder=folder,
        config=replace(model.config, decoder=None),
        precision=precision,
        logit_scale=float(model.logit_scale),
        logit_bias=float(model.logit_bias),
        fingerprint=model.fingerprint_of_weights.to_json(),
        source=model.checkpoint.path.name if model.checkpoint else "",
        described_tokenizer=tokenizer,
    )
    write_files(folder, {**files, EXPORTED: as_json(exported.to_json())})
