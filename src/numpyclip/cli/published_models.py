"""OpenCLIP's published models, to choose from: a table, or all facts of some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.weights.published import Architecture, PublishedModel

HEADER = ("architecture", "tag", "px", "MB", "IN1k", "COCO", "rate", "licence")
RESEARCH_ONLY = "Apple, research only"  # as the table of published models has it


def print_table(names: Iterable[str]) -> None:
    """Print the table of all that can be run here, or of some architectures, in 100 columns."""
    models = _supported(_architectures(names))
    print_columns(_line(*HEADER))
    for known, model in models:
        print_columns(_line(known.name, model.tag, *_numbers(known, model), _licence(model)))


def print_facts(names: Iterable[str], *, as_json: bool) -> None:
    """Print all facts of all models that can be run here, or of some architectures."""
    for known, model in _supported(_architectures(names)):
        if as_json:
            print_json(facts(known, model))
        else:
            print_columns(f"{known.name} {model.tag}")
            for name, value in _described(known, model):
                print_columns(f"  {name:<12} {value}")


def facts(known: Architecture, model: PublishedModel) -> dict[str, object]:
    """Return all facts of a model, None where nothing is published or measured."""
    speed = known.speed
    return {
        "model": known.name,
        "pretrained": model.tag,
        "hub": model.hub,
        "licence": model.licence,
        "megabytes": known.megabytes(model),
        "parameters": known.parameters,
        "image_size": known.image_size,
        "context_length": known.context_length,
        "multilingual": known.multilingual,
        "imagenet_top1": model.top1,
        "coco_image_recall_at_1": model.coco_images,
        "coco_text_recall_at_1": model.coco_texts,
        "xm3600_image_recall_at_1": model.xm3600,
        "accuracy_from": model.source,
        "relative_images_per_second": speed and speed.images,
        "relative_texts_per_second": speed and speed.texts,
        "memory_megabytes": speed and speed.megabytes,
        "speed_extrapolated": speed.extrapolated if speed else None,
    }


def _architectures(names: Iterable[str]) -> list[Architecture]:
    """Find all of them before anything is printed."""
    from numpyclip.families.locate import find_architecture
    from numpyclip.weights.published import architectures

    return [find_architecture(name) for name in names or architectures()]


def _supported(found: Iterable[Architecture]) -> Iterator[tuple[Architecture, PublishedModel]]:
    from numpyclip.families.locate import is_supported

    left_out = 0
    for known in found:
        for model in known.models.values():
            if is_supported(known, model):
                yield known, model
            else:
                left_out += 1
    if left_out:
        say(f"{left_out} more published models cannot be run here.")


def _numbers(known: Architecture, model: PublishedModel) -> list[str]:
    speed = known.speed.images if known.speed else None
    return [
        str(known.image_size),
        _or_dash(known.megabytes(model), "d"),
        _or_dash(model.top1, ".1f"),
        _or_dash(model.coco_images, ".1f"),
        _or_dash(speed, ".2f"),
    ]


def _line(*columns: str) -> str:
    return "{:<29} {:<34} {:>3} {:>5} {:>4} {:>4} {:>4} {}".format(*columns)


def _licence(model: PublishedModel) -> str:
    return "research" if model.licence == RESEARCH_ONLY else model.licence or "-"


def _or_dash(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


def _described(known: Architecture, model: PublishedModel) -> Iterator[tuple[str, str]]:
    size, speed = known.megabytes(model), known.speed
    yield "weights", f"hf-hub:{model.hub}" + (f", about {size} MB" if size else "")
    yield "licence", model.licence or "not named by OpenCLIP; see the repository"
    if known.parameters:
        yield "parameters", f"{known.parameters:.1f} million"
    yield "images", f"{known.image_size} x {known.image_size} pixels"
    languages = "many languages" if known.multilingual else "English"
    yield "texts", f"{known.context_length} tokens at most, {languages}"
    if model.top1 is not None:
        yield "ImageNet", f"{model.top1:.2f} % zero-shot accuracy"
    if model.coco_images is not None:
        texts = f", {model.coco_texts:.1f} % of texts for an image" if model.coco_texts is not None else ""
        yield "COCO", f"{model.coco_images:.1f} % recall at 1 of images for a text{texts}"
    if model.xm3600 is not None:
        yield "XM3600", f"{model.xm3600:.1f} % recall at 1 of images for a text, the mean of 36 languages"
    if model.top1 is not None:
        yield "published by", model.source
    if speed and speed.images and speed.texts:
        measured = "extrapolated from fewer blocks" if speed.extrapolated else "measured with random weights"
        yield "speed", f"{speed.images:g} of ViT-B/32's images per second, {speed.texts:g} of its texts; {measured}"
    if speed and speed.megabytes:
        yield "memory", f"{speed.megabytes} MB"
