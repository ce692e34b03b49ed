"""Lists of answers by name, such as colours, and what opposes what."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from numpyclip.tasks.english import singular

_DATA = Path(__file__).parents[1] / "data"

STATES = frozenset(
    ("colour", "shape", "material", "pattern", "size", "feeling")
)  # said of a thing; the others are things
_OTHER_NAMES = {
    "color": "colour",
    "emotion": "feeling",
    "mood": "feeling",
    "expression": "feeling",
    "facial expression": "feeling",
    "time of day": "time",
    "time of year": "season",
    "part of day": "time",
    "musical instrument": "instrument",
    "profession": "job",
    "occupation": "job",
    "people": "person",
    "clothes": "clothing",
    "garment": "clothing",
    "activity": "action",
    "location": "place",
    "beverage": "drink",
    "transport": "vehicle",
    "means of transport": "vehicle",
    "item of clothing": "clothing",
    "piece of clothing": "clothing",
    "piece of furniture": "furniture",
}
_OPPOSITES = (
    *(("open", "closed"), ("on", "off"), ("full", "empty"), ("day", "night"), ("daytime", "nighttime")),
    *(("young", "old"), ("new", "old"), ("happy", "sad"), ("big", "small"), ("large", "small"), ("long", "short")),
    *(("tall", "short"), ("hot", "cold"), ("indoors", "outdoors"), ("inside", "outside"), ("wet", "dry")),
    *(("clean", "dirty"), ("male", "female"), ("bright", "dark"), ("light", "dark"), ("sunny", "cloudy")),
    *(("asleep", "awake"), ("sleeping", "awake"), ("fat", "thin"), ("smiling", "frowning"), ("laughing", "crying")),
    *(("standing", "sitting"), ("round", "square"), ("real", "toy"), ("crowded", "empty"), ("alive", "dead")),
    *(("cooked", "raw"), ("broken", "intact"), ("wide", "narrow"), ("shut", "open"), ("high", "low")),
    *(("beautiful", "ugly"), ("modern", "old-fashioned"), ("wild", "tame"), ("ripe", "unripe")),
)


@cache
def lists() -> dict[str, tuple[str, ...]]:
    """Read the lists of answers: one a line, with its name before it."""
    lines = (line.partition(": ") for line in (_DATA / "answers.txt").read_text("utf-8").splitlines())
    return {name: tuple(answers.split(", ")) for name, _, answers in lines}


def list_named(text: str) -> tuple[str, str]:
    """Split a text that begins with the name of a list into the list's name, or "", and the rest."""
    words = text.split()
    for length in (3, 2, 1):
        for form in (str, singular):
            name = " ".join((*words[: length - 1], form(" ".join(words[length - 1 : length])))).lower()
            if len(words) >= length and (name := _OTHER_NAMES.get(name, name)) in lists():
                return name, " ".join(words[length:])
    return "", text


def rivals(word: str) -> tuple[str, ...]:
    """Say what a thing may be instead: of a colour the other colours, of "open" "closed"; nothing of most words."""
    word = {"gray": "grey"}.get(word.lower(), word.lower())
    if word in lists()["colour"]:
        return tuple(colour for colour in lists()["colour"] if colour != word)
    return tuple(other for pair in _OPPOSITES for other in pair if word in pair and other != word)
