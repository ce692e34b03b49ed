"""Labels and templates of the command line: reading, checking and embedding them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.cli.inputs import progress
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.model.ops import Array
    from numpyclip.tasks.labels import Label

_MANY = 5000  # texts, from which on a progress bar is shown


def add_template_option(verb: argparse.ArgumentParser) -> None:
    """Add the templates of labels."""
    verb.add_argument(
        "--template",
        default="{}",
        metavar="TEXT",
        help='put around every label, such as "a photo of a {}"; a file with one per line; or the name of those '
        "of a paper: imagenet (80), imagenet7, siglip, or a dataset's of openai/CLIP, such as food101",
    )


def labels_in(
    labels: Sequence[str] | Sequence[Sequence[str]], template: str | list[str], separator: str | None = None
) -> tuple[tuple[Label, ...], list[str]]:
    """Check labels and templates, before a model is loaded."""
    from numpyclip.tasks.labels import as_labels
    from numpyclip.tasks.prompts import templates

    return as_labels(labels, separator), templates(template)


def read_named_labels(name: str) -> list[list[str]]:
    """Read the labels of a file, or those of a dataset by its name."""
    from numpyclip.tasks.labels import read_labels
    from numpyclip.tasks.prompts import label_file, label_names

    if Path(name).exists() or Path(name).name != name or Path(name).suffix:
        return read_labels(name)
    if name not in label_names():
        known = ", ".join(label_names())
        raise InputError(f"{name}: cannot be read (no such file or dataset); expected a file, or one of {known}.")
    return read_labels(label_file(name))


def embedded_labels(model: CLIP, labels: Sequence[Label], templates: Sequence[str]) -> Array:
    """Embed labels in all templates."""
    from numpyclip.tasks.zero_shot import embed_labels

    if sum(len(label.phrases) for label in labels) * len(templates) < _MANY:
        return embed_labels(model, labels, templates)
    return embed_labels(model, labels, templates, lambda batches: progress(batches, "thousand texts", printing=False))
