"""Texts → ids: OpenAI's byte-pair encoding, with dropout of merges in training (Provilkov et al., 2019).

Rare words fall apart into pieces now and then, so that the pieces of words that are never seen learn something.
"""

import gzip
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import regex
import torch

START, END, VOCABULARY, CONTEXT = 49406, 49407, 49408, 77
_MERGES = Path(__file__).parents[1] / "src/numpyclip/data/vocabulary.txt.gz"
_LEFT_OUT = 0.3  # share of the merges of a word that is chosen for dropout


class Tokenizer:
    """Ids of texts in lower case, as the training texts are; NumPyCLIP's own tokenizer cleans others first."""

    def __init__(self) -> None:
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        self._letter = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
        merges = [tuple(line.split()) for line in gzip.decompress(_MERGES.read_bytes()).decode().splitlines()]
        letters = list(self._letter.values())
        names = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
        self._id = {name: number for number, name in enumerate(names)}
        self._rank = {pair: rank for rank, pair in enumerate(merges)}
        self._cache: dict[str, list[int]] = {}
        self._words = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", regex.IGNORECASE)

    def __call__(self, text: str, rng: random.Random | None = None, dropout: float = 0.0) -> list[int]:
        """Return ids without start and end; with dropout, that share of the words falls apart more or less."""
        ids = []
        for match in self._words.findall(text.lower()):
            word = "".join(self._letter[byte] for byte in match.encode())
            if dropout and rng is not None and rng.random() < dropout:
                ids += self._merged(word, _LEFT_OUT, rng)
            else:
                if word not in self._cache:
                    self._cache[word] = self._merged(word, 0, random.Random(0))
                ids += self._cache[word]
        return ids

    def _merged(self, word: str, left_out: float, rng: random.Random) -> list[int]:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pairs = [
                (self._rank[pair], place)
                for place, pair in enumerate(pairwise(parts))
                if pair in self._rank and not (left_out and rng.random() < left_out)
            ]
            if not pairs:
                break
            place = min(pairs)[1]
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return [self._id[part] for part in parts]


def padded(ids: Sequence[Sequence[int]], most: int = CONTEXT) -> torch.Tensor:
    """Rows of start, ids, end and zeros; no longer than they need to be, which changes nothing: the mask is causal."""
    rows = [[START, *row[: most - 2], END] for row in ids]
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = torch.tensor(row)
    return tokens
