"""What is trained on and what is held out: vendors, concepts, and kinds of pictures."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Known = dict[str, Any]  # of one drawing: name, cap, tags, cid, words

_HELD = 26  # of 256: a tenth of the emoji
_ALL_EMOJI = ("noto", "twemoji", "openmoji", "fluent-3d")  # which together have every caption of an emoji
_OBJECTS = ("animals", "fruit_n_veg", "food", "transport", "clothes_n_accessories", "sport", "construction", "nature")
_PHOTOS = ("animals", "food", "plants", "household", "vehicles", "clothes", "hobbies", "sports", "space")


class Test(NamedTuple):
    """Pictures and their captions; every picture with a text's caption is one that it should find."""

    tiles: np.ndarray
    captions: list[str]


def read(data: Path, name: str) -> tuple[np.ndarray, list[Known]]:
    return np.load(data / f"{name}.npy"), json.loads((data / f"{name}.json").read_text("utf-8"))


def is_held_out(concept: str) -> bool:
    """Tell of a tenth of the emoji, the same in every set, that they are not trained on."""
    return concept.startswith("emoji:") and hashlib.md5(concept.encode()).digest()[0] < _HELD


def held_captions(data: Path) -> set[str]:
    """Return the captions of those, which are not trained on either, whoever uses them."""
    captions = set()
    for name in _ALL_EMOJI:
        known = json.loads((data / f"{name}.json").read_text("utf-8"))
        captions |= {entry["cap"] for entry in known if is_held_out(entry["cid"])}
    return captions


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
        return entry["name"].endswith("png") and "cartoon" not in entry["name"] and entry["tags"][0] in _PHOTOS

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
    held, seen = held_captions(data), set()
    for name in emoji:
        known = json.loads((data / f"{name}.json").read_text("utf-8"))
        seen |= {e["cap"] for e in known if e["cap"].strip() and e["cap"] not in held and not is_held_out(e["cid"])}
    return seen
