"""Measure how often `numpyclip.tasks.answers` is right, on drawings with captions and on shapes drawn here.

    python tools/measure_ask.py DRAWINGS.npy [MODEL]

DRAWINGS.npy holds pictures (n, y, x, 4) of uint8, and DRAWINGS.json beside it a list of {"cap": ..., "tags": [...]}.
All is drawn by chance from one seed, so that a run can be repeated.
"""

import argparse
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import numpyclip
from numpyclip import CLIP, InputError
from numpyclip.tasks.answers import Answerer
from numpyclip.tasks.english import with_article
from numpyclip.tasks.questions import understand

QUESTIONS = 200
ARTICLES = {"a", "an"}
COLOURS = {
    "red": (220, 20, 30),
    "orange": (250, 140, 10),
    "yellow": (250, 220, 20),
    "green": (20, 160, 50),
    "blue": (30, 60, 220),
    "purple": (130, 30, 160),
    "pink": (250, 130, 190),
    "brown": (120, 70, 30),
    "black": (10, 10, 10),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
}
SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, tuple[int, ...]], None]] = {
    "circle": lambda draw, colour: draw.ellipse((20, 20, 108, 108), fill=colour),
    "square": lambda draw, colour: draw.rectangle((22, 22, 106, 106), fill=colour),
    "triangle": lambda draw, colour: draw.polygon([(64, 14), (114, 110), (14, 110)], fill=colour),
    "star": lambda draw, colour: draw.polygon(list(_star()), fill=colour),
}
THINGS = ("dog", "cat", "apple", "horse", "bird", "car", "star", "house", "banana", "heart")

Rng = random.Random


def _star() -> Iterator[tuple[float, float]]:
    for corner in range(10):
        radius, angle = (21 if corner % 2 else 52), corner * math.pi / 5
        yield 64 + radius * math.sin(angle), 64 - radius * math.cos(angle)


class Drawings:
    """Drawings whose captions are one or two plain words, on white, with their embeddings."""

    def __init__(self, path: Path, model: CLIP, rng: Rng) -> None:
        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
        plain = [n for n, drawing in enumerate(said) if _is_plain(drawing["cap"])]
        rgba = np.load(path, mmap_mode="r")
        self.pictures = {said[n]["cap"]: _on_white(rgba[n]) for n in plain}
        self.words = {
            said[n]["cap"]: set(" ".join((said[n]["cap"], *said[n]["tags"])).split()) - ARTICLES for n in plain
        }
        self.captions = list(self.pictures)
        self.chosen = rng.sample(self.captions, min(QUESTIONS, len(self.captions)))
        self.embeddings = model.embed_images([self.pictures[caption] for caption in self.chosen])
        self.others = [self._other_than(caption, rng) for caption in self.chosen]

    def _other_than(self, caption: str, rng: Rng) -> str:
        """Choose a caption that shares no word with a drawing's caption and keywords."""
        return next(
            c for c in iter(lambda: rng.choice(self.captions), None) if not self.words[caption] & set(c.split())
        )


def _is_plain(caption: str) -> bool:
    plain = caption.replace(" ", "").isalpha() and len(caption.split()) < 3
    return plain and not {"button", "indicator"} & set(caption.split()) and _is_understood(caption)


def _is_understood(caption: str) -> bool:
    try:
        return bool(understand(f"is it a thing or {_thing(caption)}?"))
    except InputError:  # "two hearts", "person standing"
        return False


def _thing(caption: str) -> str:
    """Write the name of a thing as a question has it: "a dog", "any dogs"."""
    return phrase if (phrase := with_article(caption)) != caption else f"any {caption}"


def _on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = rgba[..., 3:] / np.float32(255)
    return (rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def measure_existence(model: CLIP, drawings: Drawings) -> None:
    """Ask "is there an X?" with the true X and another one, and say what other ways of saying no would have done."""

    def yes(captions: list[str]) -> NDArray[np.float32]:
        asked = [Answerer(model, f"is there {_thing(caption)}?") for caption in captions]
        return np.array([a.probabilities([e])[0, 0] for a, e in zip(asked, drawings.embeddings, strict=True)])

    true, false = yes(drawings.chosen), yes(drawings.others)
    better = (true[:, None] > false).mean() + (true[:, None] == false).mean() / 2
    print(
        f"is there an X?       right {(np.mean(true > 0.5) + np.mean(false <= 0.5)) / 2:.3f} of {2 * len(true)}", end=""
    )
    print(
        f" (true X: {np.mean(true > 0.5):.3f}, other X: {np.mean(false <= 0.5):.3f}; area under the curve {better:.3f})"
    )

    free = {thing: [not drawings.words[c] & {thing, f"{thing}s"} for c in drawings.chosen] for thing in THINGS}
    said = [
        Answerer(model, f"is there {_thing(thing)}?").probabilities(drawings.embeddings[rows])[:, 0] > 0.5
        for thing, rows in free.items()
    ]
    print(f"  of everyday things that are not there ({', '.join(THINGS)}): no {1 - np.concatenate(said).mean():.3f}")

    def logits(form: str, captions: list[str]) -> NDArray[np.float32]:
        texts = model.embed_texts([form.replace("a X", with_article(c)).replace("X", c) for c in captions])
        return np.diag(model.logits(drawings.embeddings, texts))

    for form in ("no X", "a picture without a X", "there is no X"):
        said = [logits("a X", c) > logits(form, c) for c in (drawings.chosen, drawings.others)]
        right = (said[0].mean() + 1 - said[1].mean()) / 2
        print(f'  against "{form}": right {right:.3f} (true {said[0].mean():.3f}, other {1 - said[1].mean():.3f})')


def measure_choice(model: CLIP, drawings: Drawings) -> None:
    """Ask "is it an X or a Y?" and "what is this?" with ten answers."""
    rng, right, sure = Rng(1), {2: 0, 10: 0}, {2: 0.0, 10: 0.0}
    for caption, other, embedding in zip(drawings.chosen, drawings.others, drawings.embeddings, strict=True):
        two = Answerer(model, f"is it {_thing(other)} or {_thing(caption)}?")
        wrong = rng.sample([c for c in drawings.captions if c != caption], 9)
        for answerer, place in ((two, 1), (Answerer(model, "what is this?", answers=[caption, *wrong]), 0)):
            (found,) = answerer.probabilities([embedding])
            right[len(found)] += found.argmax() == place
            sure[len(found)] += found.max()
    asked = len(drawings.chosen)
    for count, name in ((2, "is it an X or a Y?"), (10, "what is this? of 10")):
        print(f"{name:20} right {right[count] / asked:.3f} of {asked}", end="")
        print(f", mean confidence {sure[count] / asked:.3f}")


def measure_colours(model: CLIP) -> None:
    """Ask for the colours of drawn shapes, and whether they have the colour and another one."""
    rng = Rng(2)
    hits, three, sure, yes, denied, two = ([] for _ in range(6))
    for shape, draw_on in SHAPES.items():
        for colour, tint in COLOURS.items():
            picture = Image.new("RGB", (128, 128), "white" if colour != "white" else "black")
            draw_on(ImageDraw.Draw(picture), tint)
            embedding = model.embed_images(picture)
            (found,) = Answerer(model, f"what colour is the {shape}?").answers(embedding)
            hits.append(found[0].answer == colour)
            three.append(colour in [answer.answer for answer in found[:3]])
            sure.append(found[0].probability)
            other = rng.choice([name for name in COLOURS if name != colour])
            yes.append(Answerer(model, f"is the {shape} {colour}?").probabilities(embedding)[0, 0] > 0.5)
            denied.append(Answerer(model, f"is the {shape} {other}?").probabilities(embedding)[0, 0] <= 0.5)
            two.append(
                Answerer(model, f"is the {shape} {colour} or {other}?").probabilities(embedding)[0].argmax() == 0
            )
    print(
        f"what colour?         right {np.mean(hits):.3f} of {len(hits)}, among the first three {np.mean(three):.3f}",
        end="",
    )
    print(f", mean confidence {np.mean(sure):.3f} (by chance {1 / len(COLOURS):.3f} and {3 / len(COLOURS):.3f})")
    print(f"is it red?           right {(np.mean(yes) + np.mean(denied)) / 2:.3f} of {2 * len(hits)}", end="")
    print(f" (true colour: {np.mean(yes):.3f}, another: {np.mean(denied):.3f});   red or blue? {np.mean(two):.3f}")


def measure_counts(model: CLIP, drawings: Drawings) -> None:
    """Compare "one dog", "two dogs", ... with one to six copies of a drawing on a grid: why counts are not answered."""
    rng, rows = Rng(3), []
    for thing in (thing for thing in THINGS if thing in drawings.pictures):
        drawing = Image.fromarray(drawings.pictures[thing]).resize((60, 60))
        for count in range(1, 7):
            picture = Image.new("RGB", (192, 192), "white")
            for place in rng.sample(range(9), count):
                picture.paste(drawing, (64 * (place % 3) + 2, 64 * (place // 3) + 2))
            texts = [f"one {thing}", *(f"{number} {thing}s" for number in ("two", "three", "four", "five", "six"))]
            (found,) = Answerer(model, "how many?", answers=texts).probabilities(model.embed_images(picture))
            rows.append((count, found.argmax() + 1, found.max()))
    if not rows:
        print("how many?            none of the things counted is among the drawings")
        return
    counts, said, sure = np.array(rows).T
    print(f"how many? 1 to 6     right {np.mean(counts == said):.3f} of {len(rows)} (by chance {1 / 6:.3f})", end="")
    print(f", off by {np.abs(counts - said).mean():.1f}, mean confidence {sure.mean():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawings", type=Path, help=".npy, uint8 (n, y, x, 4), with captions in .json beside it")
    parser.add_argument("model", nargs="?", default="tiny")
    given = parser.parse_args()
    model, _ = numpyclip.load(given.model)
    drawings = Drawings(given.drawings, model, Rng(0))
    measure_existence(model, drawings)
    measure_choice(model, drawings)
    measure_colours(model)
    measure_counts(model, drawings)


if __name__ == "__main__":
    main()
