"""FOLDER → EXAMPLES: a folder of images for every class, or captions beside the images, or both."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.images.find import IGNORED, class_folders, walk
from numpyclip.tasks.evaluation.datasets.dataset import Dataset, Example, Report, as_captions
from numpyclip.tasks.text_files import read_text


def open_folder(path: Path) -> Dataset:
    """Open a folder. Its own folders are the labels, in alphabetical order, as in torchvision's ImageFolder."""
    classes, beside = class_folders(path)
    left_out: Counter[str] = Counter()
    sources = [partial(_examples, folder, folder.name, left_out) for folder in classes]
    if beside or not classes:
        sources.insert(0, partial(_examples, path, None, left_out))
    return Dataset(path, sources, [folder.name for folder in classes] or None, left_out=left_out)


def _examples(folder: Path, label: str | None, left_out: Counter[str], report: Report) -> Iterator[Example]:
    """Iterate over the images of a class, at any depth; or over those without a class, in the folder itself."""
    is_empty = True

    def unreadable(error: OSError) -> None:
        nonlocal is_empty
        is_empty = False  # as far as one can tell
        report(InputError(f"{error.filename}: cannot be read ({error.strerror or error})."))

    for directory, files in walk(os.fspath(folder), IGNORED, unreadable, left_out):
        is_empty = is_empty and not files
        for name in files:
            yield from _example(Path(directory, name), label, report)
        if label is None:
            break
    del left_out[".txt"]  # captions
    if is_empty:
        report(InputError(f"{folder}: found no images in this folder; expected files such as .jpg or .png."))


def _example(image: Path, label: str | None, report: Report) -> Iterator[Example]:
    text = image.with_suffix(".txt")
    captions: tuple[str, ...] = ()
    try:
        if text.is_file():
            captions = as_captions(read_text(text), str(text))
    except (InputError, OSError) as error:  # of `is_file`: with this suffix the name is too long, say
        report(error if isinstance(error, InputError) else InputError(f"{text}: cannot be read ({error.strerror})."))
    if label is None and not captions:
        report(InputError(f"{image}: has neither a class nor captions; expected them in {text.name}."))
    else:
        yield Example(str(image), str(image), label, captions)
