"""The pool of training drawings, by their names."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from splits import Held, Known, bare, read, trained_rows


class Pool:
    """Drawings that are trained on, by their names: "an apple" is an "apple". What is held out is not among them.

    Parameters
    ----------
    data : Path
    emoji, icons : sequence of str
        Names of sets.
    favoured : dict of str to float
        Sets whose names are drawn more often than others of the icons, and how much more.
    """

    def __init__(self, data: Path, emoji: Sequence[str], icons: Sequence[str], favoured: Mapping[str, float]) -> None:
        held = Held(data)
        tiles: list[np.ndarray] = []
        counts: dict[str, list[int]] = {}
        favour: dict[str, float] = {}
        self.known: list[Known] = []
        self._by_name: dict[str, list[int]] = {}
        for set_name in [*emoji, *icons]:
            pictures, known = read(data, set_name)
            rows = trained_rows(known, held)
            for row in rows:
                name = bare(known[row]["cap"])
                self._by_name.setdefault(name, []).append(len(self.known))
                counts.setdefault(name, [0, 0])[set_name in icons] += 1
                favour[name] = max(favour.get(name, 1.0), favoured.get(set_name, 1.0))
                self.known.append(_without(held, known[row]))
            tiles.append(pictures[rows])
        for entry in self.known:  # an owl is no other bird's name, where there are owls
            entry["narrower"] = [word for word in entry["narrower"] if bare(word) not in self._by_name]
        dictionary = json.loads((data / "dictionary.json").read_text("utf-8"))
        self.dictionary = [(noun, others) for noun, others in dictionary if noun not in held]
        self.tiles = torch.from_numpy(np.concatenate(tiles))
        self.is_black = torch.cat([_is_black(part) for part in self.tiles.split(256)])
        self.names = list(self._by_name)
        roots = np.array([counts[name] for name in self.names], float) ** 0.5  # sampled by the root of counts
        roots[:, 1] *= [favour[name] for name in self.names]
        self._weights = roots / np.maximum(roots.sum(0), 1)

    def draw(self, rng: np.random.Generator, size: int, icon_share: float) -> list[int]:
        """Choose drawings of different names, since others would be negatives of what they show."""
        weights = (1 - icon_share) * self._weights[:, 0] + icon_share * self._weights[:, 1]
        chosen = rng.choice(len(weights), size, replace=False, p=weights / weights.sum())
        return [int(rng.choice(self._by_name[self.names[number]])) for number in chosen]


def _without(held: Held, known: Known) -> Known:
    """Leave out words for what is held out."""
    return known | {kind: [word for word in known[kind] if word not in held] for kind in ("words", "narrower")}


def _is_black(tiles: Tensor) -> Tensor:
    """Tell of drawings in one colour, which is black: they may be given another."""
    return (tiles[..., :3].float() * tiles[..., 3:].float()).amax((1, 2, 3)) < 0.02 * 255 * 255
