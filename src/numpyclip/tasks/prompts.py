"""Templates: what is put around a label, so that it reads like the captions that a model was trained on.

Several are better than one: the mean of their embeddings gained 3.5 points on ImageNet, on top of 1.3 for the first
(Radford et al., 2021, section 3.1.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from numpyclip.errors import InputError, quoted
from numpyclip.tasks.text_files import read_lines
from numpyclip.tokenizer.base import checked

_PROMPTS = Path(__file__).parents[1] / "data" / "prompts"
_PLACE = "{}"


def template_names() -> list[str]:
    """List the names of ensembles that `templates` knows.

    "imagenet" is OpenAI's 80 templates, "imagenet7" the seven that they found to be as good, "siglip" (81) and
    "siglip8" what SigLIP is evaluated with; the others are those of openai/CLIP's data/prompts.md.
    """
    return sorted(file.stem for file in (_PROMPTS / "templates").glob("*.txt"))


def label_names() -> list[str]:
    """List the datasets whose labels are known by name: ImageNet and those of openai/CLIP's data/prompts.md."""
    return sorted(file.stem for file in (_PROMPTS / "labels").glob("*.csv"))


def label_file(name: str) -> Path:
    """Return the file with the labels of a dataset that is listed by `label_names`."""
    return _PROMPTS / "labels" / f"{name}.csv"


def templates(source: str | Iterable[str]) -> list[str]:
    """Return templates, each of them with ``{}`` where the label goes.

    Parameters
    ----------
    source : str or iterable of str
        A template, a name listed by `template_names`, the path of a file with one template a line, or several
        templates. ``{c}``, CLIP_benchmark's way to write it, is read as ``{}``.

    Raises
    ------
    InputError
        If a template has no place for the label, or there are none, or a text is neither template, name nor file.
    """
    listed = _from_text(source) if isinstance(source, str) else checked(source, "templates")
    found = [template.replace("{c}", _PLACE) for template in listed]
    if not found:
        raise InputError(
            f"{_named(source)}: there are no templates; expected one or more, such as 'a photo of a {{}}'."
        )
    for template in found:
        if _PLACE not in template:
            raise InputError(
                f"{_named(source)}: the template is {quoted(template)}; expected a text with {{}} where the label goes."
            )
    return found


def _from_text(source: str) -> list[str]:
    if _PLACE in source or "{c}" in source:
        return [source]
    if source in template_names():
        return read_lines(_PROMPTS / "templates" / f"{source}.txt")
    if Path(source).is_file():
        return read_lines(source)
    raise InputError(
        f"templates: {quoted(source)} is neither a text with {{}} where the label goes, nor a file, nor one of "
        f"{', '.join(template_names())}."
    )


def _named(source: str | Iterable[str]) -> str:
    return quoted(source) if isinstance(source, str) else "templates"
