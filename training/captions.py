"""Captions of drawings, and of scenes of several. Needs no PyTorch."""

import random
import re
from typing import NamedTuple

from drawing import SIZE
from splits import Known

COLOURS = {
    "red": (0.85, 0.12, 0.12),
    "orange": (0.95, 0.55, 0.1),
    "yellow": (0.95, 0.85, 0.15),
    "green": (0.15, 0.6, 0.2),
    "blue": (0.15, 0.3, 0.85),
    "purple": (0.5, 0.2, 0.7),
    "pink": (0.95, 0.5, 0.7),
    "brown": (0.45, 0.28, 0.12),
    "grey": (0.5, 0.5, 0.5),
    "black": (0.03, 0.03, 0.03),
}
_OTHER_COLOURS = ("white", "gold", "golden", "silver")
_TEMPLATES = (
    *("{}", "{}", "{}", "a {}", "the {}", "{} emoji", "{} icon", "{} clip art"),
    *("a drawing of a {}", "picture of {}", "an image of {}", "a photo of a {}"),
)
_TINTED = ("{} {}", "a {} {}", "{} {} icon", "a {} {} icon")
_GROUNDS = ("{} on a {} background", "a {} on {}", "a {} on a {} background")

# Several drawings in one picture: the places of their half-size tiles (top, left), and what is said of them.
Place = tuple[int, int]
_TOGETHER = ("{} and {}", "a {} and a {}", "{} next to {}", "a {} beside a {}")
_ORDERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("left", _TOGETHER),
    ("left", ("{} to the left of {}", "a {} on the left and a {} on the right")),
    ("right", ("{} to the right of {}", "a {} on the right and a {} on the left")),
    ("above", ("{} above {}", "a {} over a {}", "{} on top of {}")),
    ("below", ("{} below {}", "a {} under a {}")),
)
_HALF = SIZE // 2
_SHIFTS = tuple(range(0, _HALF + 1, _HALF // 4))  # of one beside or above the other
_CORNERS: tuple[Place, ...] = ((0, 0), (0, _HALF), (_HALF, 0), (_HALF, _HALF))
_NUMBERS = ("one", "two", "three", "four")

# What would be another thing, mirrored.
_ONE_WAY = re.compile(
    r"arrow|letter|clock|left|right|back|forward|next|input|button|squared|keycap|sign|number|\babc|flag|digit|circled"
    r"|text|spell|play|undo|redo|quote|question|\d|percent|calendar|map|banknote|logo"
)


class Shares(NamedTuple):
    """How often a text is something else than a caption or its keywords, and a picture not just a drawing.

    A magpie for a bird is not quite true, but else the word would mean nothing.
    """

    words: float = 0.0  # a synonym or a wider word
    narrower: float = 0.0
    definition: float = 0.0
    plural: float = 0.0
    scenes: float = 0.04
    bent: float = 0.0
    tinged: float = 0.0


class Scene(NamedTuple):
    """Several drawings in one picture: which of two lies where, and what is said of them."""

    places: tuple[tuple[int, Place], ...]
    text: str


def names_colour(caption: str) -> bool:
    return not {*COLOURS, *_OTHER_COLOURS}.isdisjoint(caption.split())


def may_be_mirrored(caption: str) -> bool:
    return not _ONE_WAY.search(caption)


def said(known: Known, rng: random.Random, shares: Shares, colour: str | None, background: str | None) -> str:
    """Say something of a drawing; `colour` and `background` name colours that it is given."""
    caption: str = known["cap"]
    if colour:
        return rng.choice(_TINTED).format(colour, caption)
    if background:
        return rng.choice(_GROUNDS).format(caption, background)
    for kind, share in (("words", shares.words), ("narrower", shares.narrower)):
        if known[kind] and rng.random() < share:
            return rng.choice(_TEMPLATES).format(rng.choice(known[kind]))
    if known["definition"] and rng.random() < shares.definition:
        return str(known["definition"])
    if is_one(caption) and rng.random() < shares.plural:
        return several(caption)
    if known["tags"] and rng.random() < 0.35:
        most = rng.randint(1, 4) if rng.random() < 0.97 else 40
        tags = rng.sample(known["tags"], min(len(known["tags"]), most))
        return ", ".join(([caption] if rng.random() < 0.6 else []) + tags)
    return rng.choice(_TEMPLATES).format(caption)


def scene(caption: str, other: str, rng: random.Random) -> tuple[Scene, Scene | None]:
    """Put a drawing beside, above or below another, or beside itself, once or more.

    Returns
    -------
    (Scene, Scene or None)
        The second differs from the first in order or number alone, and so do their texts: a model that only looks for
        things cannot tell them from one another.
    """
    if is_one(caption) and rng.random() < 0.5:
        first, second = (_counted(caption, count, rng) for count in rng.sample(range(1, 5), 2))
        return first, second
    order, templates = rng.choice(_ORDERS)
    template, places = rng.choice(templates), _ordered(order, rng)
    pair = Scene(((0, places[0]), (1, places[1])), template.format(caption, other))
    swapped = Scene(((1, places[0]), (0, places[1])), template.format(other, caption))
    return pair, swapped if templates is not _TOGETHER else None


def _counted(noun: str, count: int, rng: random.Random) -> Scene:
    """Show a thing so many times, in corners; two also side by side, and three as a triangle."""
    places = rng.sample(_CORNERS, count)
    if count in (2, 3) and rng.random() < 0.5:
        middle = _HALF // 2
        places = [(middle, 0), (middle, _HALF)] if count == 2 else [(0, middle), (_HALF, 0), (_HALF, _HALF)]
    text = f"{_NUMBERS[count - 1]} {several(noun)}" if count > 1 else rng.choice(("a {}", "one {}")).format(noun)
    return Scene(tuple((0, place) for place in places), text)


def _ordered(order: str, rng: random.Random) -> tuple[Place, Place]:
    """Return places of which the first is, left of the second say, and neither higher nor lower for certain."""
    one, other = rng.choice(_SHIFTS), rng.choice(_SHIFTS)
    places = ((one, 0), (other, _HALF)) if order in ("left", "right") else ((0, one), (_HALF, other))
    return (places[1], places[0]) if order in ("right", "below") else places


def is_one(caption: str) -> bool:
    """Tell of a word that it is no plural, and so may become one."""
    return caption.isalpha() and not caption.endswith("s")


def several(noun: str) -> str:
    """Make a plural, as most English nouns do."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return re.sub(r"(?<=[^aeiou])y$", "ie", noun) + "s"
