"""WEBDATASET → EXAMPLES: an image, and its label or captions, of every sample in an archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpyclip.errors import InputError
from numpyclip.sources.webdataset import Sample, samples
from numpyclip.tasks.evaluation.datasets.dataset import Example, Report

_LABEL_KEYS = ("label", "cls", "class")
_CAPTION_KEYS = ("captions", "caption", "text", "txt")


def tar_examples(path: Path, report: Report) -> Iterator[Example]:
    """Iterate over the examples of an archive; a damaged one ends early, and that is reported."""
    found = samples(str(path))
    while True:
        try:
            sample = next(found, None)
        except InputError as error:
            report(error)
            return
        if sample is None:
            return
        for problem in sample.problems:
            report(InputError(problem))
        if not sample.is_empty:
            yield from _example(sample, report)


def _example(sample: Sample, report: Report) -> Iterator[Example]:
    try:
        picture, facts = sample.picture(), sample.facts()
        label = sample.text("cls") if "cls" in sample.texts else _first(facts, _LABEL_KEYS)
        captions = sample.text("txt") if "txt" in sample.texts else _first(facts, _CAPTION_KEYS)
        yield Example.of(f"{sample.name}.{sample.suffix}", picture, label, captions)
    except InputError as error:
        report(error)


def _first(facts: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((facts[key] for key in keys if facts.get(key) is not None), None)
