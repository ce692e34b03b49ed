"""Training and held-out data: vendors, concepts, and kinds of images."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Known = dict[str, Any]  # of one drawing: name, cap, tags, cid, words, narrower, definition

_HELD = 26  # of 256: a tenth of the emoji
_ALL_EMOJI = ("noto", "twemoji", "openmoji", "fluent-3d")  # which together have every label of an emoji
_OBJECTS = ("animals", "fruit_n_veg", "food", "transport", "clothes_n_accessories", "sport", "construction", "nature")
_PHOTOS = ("animals", "food", "plants", "household", "vehicles", "clothes", "hobbies", "sports", "space")
# Of Tux Paint, which took them from Open Clip Art.
_CLIP_ART = ("blue_fedora", "propeller_hat", "echidna", "sombrero", "feathered_hat", "tophat")


class Test(NamedTuple):
    """Pictures and their captions; every picture with a text's caption is one that it should find."""

    tiles: np.ndarray
    captions: list[str]


def read(data: Path, name: str) -> tuple[np.ndarray, list[Known]]:
    return np.load(data / f"{name}.npy"), json.loads((data / f"{name}.json").read_text("utf-8"))


def is_held_out(concept: str) -> bool:
    """Tell of a tenth of the emoji, the same in every set, that they are not trained on."""
    return concept.startswith("emoji:") and hashlib.md5(concept.encode()).digest()[0] < _HELD


class Held:
    """What is held out, by its names, whoever uses them.

    Parameters
    ----------
    data : Path
    """

    def __init__(self, data: Path) -> None:
        self._captions = set()
        for name in _ALL_EMOJI:
            known = json.loads((data / f"{name}.json").read_text("utf-8"))
            self._captions |= {entry["cap"] for entry in known if is_held_out(entry["cid"])}
        self._names = {_uncounted(caption) for caption in self._captions}

    def __contains__(self, words: str) -> bool:
        """Tell whether words name what is held out, "cookies" and "cookie two" where it is "cookie"."""
        return _uncounted(words) in self._names

    def has(self, drawing: Known) -> bool:
        """Tell whether a drawing is held out. Other emoji may be called nearly the same: "eye", where it is "eyes"."""
        if drawing["cid"].startswith("emoji:"):
            return is_held_out(drawing["cid"]) or drawing["cap"] in self._captions
        return drawing["cap"] in self


@cache
def bare(caption: str) -> str:
    """Return a name without case, punctuation, an article and the s of a plural: of "an apple" and "apples" "apple"."""
    words = " ".join(re.findall(r"[^\W_]+", caption.lower()))
    return re.sub(r"^(an?|the) (?=\w)", "", words).removesuffix("s") or caption


@cache
def _uncounted(caption: str) -> str:
    """Return a bare name without the number that tells drawings of one thing apart."""
    return bare(re.sub(r"(\W+(one|two|three|four))+$", "", caption.lower()))


def trained_rows(known: list[Known], held: Held) -> list[int]:
    """Return the places of the drawings of a set that are trained on."""
    return [row for row, drawing in enumerate(known) if drawing["cap"].strip() and not held.has(drawing)]


def tests(data: Path, seen: set[str]) -> Iterator[tuple[str, Test]]:
    """Make the tests.

    Parameters
    ----------
    data : Path
    seen : set of str
        Captions that are trained on: of a vendor that is held out, those are asked for.
    """

    def is_emoji(entry: Known) -> bool:
        return entry["cid"].startswith("emoji:") and not entry["cap"].startswith("flag")

    def is_known(entry: Known) -> bool:
        return is_emoji(entry) and not is_held_out(entry["cid"]) and entry["cap"] in seen

    def is_new(entry: Known) -> bool:
        return is_emoji(entry) and is_held_out(entry["cid"])

    def is_photo(entry: Known) -> bool:
        is_drawn = "cartoon" in entry["name"] or any(name in entry["name"] for name in _CLIP_ART)
        return entry["name"].endswith("png") and not is_drawn and entry["tags"][0] in _PHOTOS

    asked: dict[str, tuple[str, Callable[[Known], bool]]] = {
        "twemoji": ("twemoji", is_known),
        "openmoji": ("openmoji", is_known),
        "noto_held": ("noto", is_new),
        "twemoji_held": ("twemoji", is_new),
        "art4apps": ("art4apps", lambda entry: entry["tags"][0] in _OBJECTS),
        "tuxpaint": ("tuxpaint", is_photo),
    }
    for test, (name, keep) in asked.items():
        tiles, known = read(data, name)
        chosen = [row for row, entry in enumerate(known) if keep(entry)]
        yield test, Test(tiles[chosen], [known[row]["cap"] for row in chosen])


def seen_captions(data: Path, emoji: list[str]) -> set[str]:
    """Return the captions that sets of emoji are trained on."""
    held, seen = Held(data), set()
    for name in emoji:
        known = json.loads((data / f"{name}.json").read_text("utf-8"))
        seen |= {known[row]["cap"] for row in trained_rows(known, held)}
    return seen


def ranks(similarity: np.ndarray, captions: list[str]) -> np.ndarray:
    """Count for each text the pictures that are nearer than the nearest with its caption: (n, n) → (n,)."""
    names = np.array(captions)
    best = np.where(names[:, np.newaxis] == names, similarity, -2).max(axis=1, keepdims=True)
    return (similarity > best).sum(axis=1)
