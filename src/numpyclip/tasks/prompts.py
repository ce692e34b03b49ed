"""Prompt templates, in which labels read like the captions that a model was trained on.

On ImageNet one template gains 1.3 points, and the mean over an ensemble of 80 another 3.5 (Radford et al., 2021,
section 3.1.4).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from numpyclip.errors import InputError, quoted
from numpyclip.tasks.text_files import read_lines
from numpyclip.tokenizer.base import checked

_PROMPTS = Path(__file__).parents[1] / "data" / "prompts"


def template_names() -> list[str]:
    """List the ensembles that `templates` knows by name.

    "imagenet" is OpenAI's 80 templates, "imagenet7" the seven that they found to be as good, "siglip" (81) and
    "siglip8" those of SigLIP's evaluation; the others are from openai/CLIP's data/prompts.md.
    """
    return sorted(file.stem for file in (_PROMPTS / "templates").glob("*.txt"))


def label_names() -> list[str]:
    """List the datasets whose labels are known by name: ImageNet and those of openai/CLIP's data/prompts.md."""
    return sorted(file.stem for file in (_PROMPTS / "labels").glob("*.csv"))


def label_file(name: str) -> Path:
    """Return the file with the labels of a dataset that is listed by `label_names`."""
    return _PROMPTS / "labels" / f"{name}.csv"


def templates(source: str | Iterable[str]) -> list[str]:
    """Return a list of templates, each with ``{}`` where the label goes.

    Parameters
    ----------
    source : str or iterable of str
        A template, several, a name listed by `template_names`, or the path of a file with one template per line.
        ``{c}``, as CLIP_benchmark writes it, is read as ``{}``.

    Raises
    ------
    InputError
        If there are no templates, one lacks ``{}``, or a string is neither a template nor a name nor a file.
    """
    listed = _from_string(source) if isinstance(source, str) else checked(source, "templates")
    found = [template.replace("{c}", "{}") for template in listed]
    where = quoted(source) if isinstance(source, str) else "templates"
    if not found:
        raise InputError(f"{where}: there are no templates; expected one or more, such as 'a photo of a {{}}'.")
    for template in found:
        if "{}" not in template:
            raise InputError(f"{where}: the template is {quoted(template)}; expected {{}} where the label goes.")
    return found


def _from_string(source: str) -> list[str]:
    if "{}" in source or "{c}" in source:
        return [source]
    if source in template_names():
        return read_lines(_PROMPTS / "templates" / f"{source}.txt")
    if os.path.isfile(source):  # noqa: PTH113  false for texts that no file can be called
        return read_lines(source)
    raise InputError(
        f"templates: {quoted(source)} is neither a template with {{}} where the label goes, nor a file, nor one of "
        f"{', '.join(template_names())}."
    )
