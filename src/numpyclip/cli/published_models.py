"""OpenCLIP's published models, to choose from: a table, or all facts of some of them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import NamedTuple, TypeAlias

from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.errors import InputError
from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.hub import PREFIX
from numpyclip.weights.published import Architecture, PublishedModel

Published: TypeAlias = "tuple[Architecture, PublishedModel]"

RESEARCH_ONLY = "Apple, research only"  # as the table of published models has it
WIDE = 100  # columns of the table with a name in each row
ORDERS: dict[str, Callable[[Published], tuple[float, ...]]] = {  # what rows may be sorted by
    "accuracy": lambda model: (-(model[1].top1 or 0),),
    "size": lambda model: (model[0].megabytes(model[1]) or 0,),
    "name": lambda _: (),
}
LEGEND = (
    "IN1k: ImageNet, %; COCO: images found, %; rate: images/s over ViT-B/32; -: not known.",
    "research: not for commercial use. --sort accuracy, size or name.",
)


class Fact(NamedTuple):
    """One fact of a published model."""

    key: str
    of: Callable[[Architecture, PublishedModel], object]
    heading: str = ""  # of its column in docs/guides/choosing.md, if it has one
    how: str = ""  # the format of its values there


FACTS = (
    Fact("model", lambda known, _: known.name),
    Fact("pretrained", lambda _, model: model.tag),
    Fact("hub", lambda _, model: model.hub),
    Fact("licence", lambda _, model: model.licence),
    Fact("megabytes", lambda known, model: known.megabytes(model), "MB", "d"),
    Fact("parameters", lambda known, _: known.parameters),
    Fact("image_size", lambda known, _: known.image_size),
    Fact("context_length", lambda known, _: known.context_length),
    Fact("multilingual", lambda known, _: known.multilingual),
    Fact("imagenet_top1", lambda _, model: model.top1, "ImageNet", ".1f"),
    Fact("coco_image_recall_at_1", lambda _, model: model.coco_images, "COCO", ".1f"),
    Fact("coco_text_recall_at_1", lambda _, model: model.coco_texts),
    Fact("xm3600_image_recall_at_1", lambda _, model: model.xm3600, "XM3600", ".1f"),
    Fact("accuracy_from", lambda _, model: model.source),
    Fact("relative_images_per_second", lambda known, _: known.speed and known.speed.images, "images/s", ".2g"),
    Fact("relative_texts_per_second", lambda known, _: known.speed and known.speed.texts),
    Fact("memory_megabytes", lambda known, _: known.speed and known.speed.megabytes),
    Fact("speed_extrapolated", lambda known, _: known.speed.extrapolated if known.speed else None),
)

# What is printed of one model: a label, and a line that is left out where one of its facts is not known.
_LINES = (
    ("weights", "{weights}"),
    ("license", "{licence}"),
    ("parameters", "{parameters:.1f} million"),
    ("images", "{image_size} x {image_size} pixels"),
    ("texts", "{context_length} tokens at most, {languages}"),
    ("ImageNet", "{imagenet_top1:.2f} % zero-shot accuracy"),
    ("COCO", "{coco_image_recall_at_1:.1f} % recall at 1 of images for a text"),
    ("COCO", "{coco_text_recall_at_1:.1f} % recall at 1 of texts for an image"),
    ("XM3600", "{xm3600_image_recall_at_1:.1f} % recall at 1 of images for a text, the mean of 36 languages"),
    ("published by", "{published_by}"),
    (
        "speed",
        "{relative_images_per_second:g} x ViT-B/32 (images), {relative_texts_per_second:g} x (texts); {measured}",
    ),
    ("memory", "{memory_megabytes} MB"),
)
_COLUMNS = (  # of the table: a heading, the fact, how it is written, its width
    ("px", "image_size", "d", 3),
    ("MB", "megabytes", "d", 5),
    ("IN1k", "imagenet_top1", ".1f", 4),
    ("COCO", "coco_image_recall_at_1", ".1f", 4),
    ("rate", "relative_images_per_second", ".2f", 4),
)


def facts(known: Architecture, model: PublishedModel) -> dict[str, object]:
    """Return all facts of a model, None where nothing is published or measured."""
    return {fact.key: fact.of(known, model) for fact in FACTS}


def published_models(name: str | None = None, tag: str | None = None) -> list[Published]:
    """Find the published models that can be run here: all, or those of a name and perhaps a tag.

    Of a name of the hub, which need not be in the table, there may be none.
    """
    from numpyclip.families.locate import find_architecture, is_supported
    from numpyclip.weights.published import architectures

    if name is None:
        every = [(known, model) for known in map(find_architecture, architectures()) for model in known.models.values()]
        found = [each for each in every if is_supported(*each)]
        if left_out := len(every) - len(found):
            say(f"{left_out} more published models cannot be run here.")
        return found
    return [each for each in _of_name(name, tag) if is_supported(*each)]


def _of_name(name: str, tag: str | None) -> list[Published]:
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import find_tagged
    from numpyclip.families.unknown_names import unknown_name
    from numpyclip.weights.local import exists
    from numpyclip.weights.published import architecture, published_as

    named = resolve(name, tag)
    known, given = architecture(named.name), named.pretrained
    if given is None and (known is None or known.name != named.name) and (pair := published_as(named.name)):
        known, given = architecture(pair[0]), pair[1]
    if known is None and name.startswith(PREFIX) and tag is None:
        say(f"{name}: is not in OpenCLIP's table of published models; nothing more is known of it here.")
        return []
    if known is None and exists(name):
        raise InputError(f"{name}: is a file or folder here; what is published is listed by name.")
    if known is None:
        raise unknown_name(name, is_architecture=tag is not None)
    if given is None:
        if not known.models:
            say(f"{name}: no published weights; other commands take a file of your own with --pretrained FILE.")
        return [(known, model) for model in known.models.values()]
    return [find_tagged(known.name, os.fspath(given))]


def print_table(models: Iterable[Published], order: str | None = None) -> None:
    """Print the table of some models, in 100 columns, or in 80 where a terminal has no more."""
    models = sorted(models, key=ORDERS[order or "name"])
    width = _terminal_width()
    is_narrow = width is not None and width < WIDE
    heading = _line("" if is_narrow else "architecture", "tag", *(name for name, *_ in _COLUMNS), "license", is_narrow)
    print_columns(heading)
    for name, group in groupby(models, key=lambda model: model[0].name):
        if is_narrow:
            print_columns(name)
        for known, model in group:
            print_columns(_line(known.name, model.tag, *_cells(known, model), _licence(model), is_narrow))
    if width is not None:  # the first line has scrolled away
        print_columns(heading)
        for line in LEGEND:
            say(line)


def _terminal_width() -> int | None:
    """Return how many columns a terminal has; None for a file or pipe."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else None


def print_facts(models: Iterable[Published], *, as_json: bool) -> None:
    """Print all facts of some models."""
    for known, model in models:
        found = facts(known, model)
        if as_json:
            print_json(found)
            continue
        print_columns(f"{known.name} {model.tag}")
        told = {**found, **_in_words(known, model)}
        for label, line in _LINES:
            if all(told[key] is not None for key in told if f"{{{key}" in line):
                print_columns(f"  {label:<12} {line.format(**told)}")


def _in_words(known: Architecture, model: PublishedModel) -> dict[str, object]:
    speed = known.speed
    return {
        "weights": _weights(known, model),
        "licence": model.licence or "not named by OpenCLIP; see the repository",
        "languages": "many languages" if known.multilingual else "English",
        "published_by": model.source if model.top1 is not None else None,
        "measured": "extrapolated from fewer blocks"
        if speed and speed.extrapolated
        else "measured with random weights",
    }


def _weights(known: Architecture, model: PublishedModel) -> str:
    """Say where the weights are; of OpenAI's models also where the copy is, which is in single precision."""
    size = known.megabytes(model)
    about = f", about {size} MB" if size else ""
    if model.openai is None:
        return f"{PREFIX}{model.hub}{about}"
    copy = f", {round(4 * known.parameters)} MB" if known.parameters else ""
    return f"OpenAI's {DOWNLOADABLE[model.openai].file}{about.replace('about ', '')} (copy: {PREFIX}{model.hub}{copy})"


def _cells(known: Architecture, model: PublishedModel) -> list[str]:
    found = facts(known, model)
    return ["-" if found[key] is None else format(found[key], how) for _, key, how, _ in _COLUMNS]


def _line(name: str, tag: str, *columns: object) -> str:
    *cells, licence, is_narrow = columns
    first = f"  {tag:<34}" if is_narrow else f"{name:<29} {tag:<34}"
    widths = [width for *_, width in _COLUMNS]
    return " ".join([first, *(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)), str(licence)])


def _licence(model: PublishedModel) -> str:
    return "research" if model.licence == RESEARCH_ONLY else model.licence or "-"
