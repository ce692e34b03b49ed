"""Folders of pictures: a folder for every class, or captions beside the pictures, or both."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.images.find import IGNORED, is_ignored, is_picture_name, walk
from numpyclip.tasks.evaluation.datasets.dataset import Dataset, Example, Report, as_captions
from numpyclip.tasks.text_files import read_text


def open_folder(path: Path) -> Dataset:
    """Open a folder. Its own folders are the labels, in alphabetical order, as in torchvision's ImageFolder."""
    try:
        entries = sorted(entry for entry in path.iterdir() if not is_ignored(entry.name))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    classes = [entry for entry in entries if entry.is_dir()]
    loose = any(is_picture_name(entry.name) for entry in entries)
    left_out: Counter[str] = Counter()
    sources = [Pictures(folder, folder.name, left_out) for folder in classes]
    if loose or not classes:
        sources.insert(0, Pictures(path, None, left_out))
    return Dataset(path, sources, [folder.name for folder in classes] or None, left_out=left_out)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a class, in its folder and those within it; or those without a class, in a folder itself.

    Attributes
    ----------
    folder : Path
    label : str or None
    left_out : Counter
        Counts files that are neither pictures nor captions, by suffix.
    """

    folder: Path
    label: str | None
    left_out: Counter[str]

    def __call__(self, report: Report) -> Iterator[Example]:
        """Iterate over the pictures in a stable order, as `find_pictures` does."""
        found = False

        def unreadable(error: OSError) -> None:
            report(InputError(f"{error.filename}: cannot be read ({error.strerror or error})."))

        for directory, files in walk(os.fspath(self.folder), IGNORED, unreadable, self.left_out):
            found = found or bool(files)
            for name in files:
                yield from self._example(Path(directory, name), report)
            if self.label is None:
                break
        del self.left_out[".txt"]
        if not found:
            report(InputError(f"{self.folder}: found no pictures in this folder; expected files such as .jpg or .png."))

    def _example(self, picture: Path, report: Report) -> Iterator[Example]:
        """Read the captions of a picture, if it has any."""
        text = picture.with_suffix(".txt")
        captions: tuple[str, ...] = ()
        try:
            if text.is_file():
                captions = as_captions(read_text(text), str(text))
        except InputError as error:
            report(error)
        if self.label is None and not captions:
            report(InputError(f"{picture}: has neither a class nor captions; expected them in {text.name}."))
        else:
            yield Example(str(picture), str(picture), self.label, captions)
