"""Merging by places, against the algorithm as it is told."""

import random
from itertools import pairwise

from numpyclip.tokenizer.byte_pairs import merge_symbols


def plain_merge(symbols: list[str], ranks: dict[str, int]) -> list[str]:
    """Merge as in the paper (Sennrich et al., 2016): join the best pair everywhere, and start again."""
    while True:
        pairs = {f"{a} {b}" for a, b in pairwise(symbols)} & ranks.keys()
        if not pairs:
            return symbols
        best = min(pairs, key=ranks.__getitem__)
        joined: list[str] = []
        i = 0
        while i < len(symbols):
            width = 2 if " ".join(symbols[i : i + 2]) == best else 1
            joined.append("".join(symbols[i : i + width]))
            i += width
        symbols = joined


def test_merging_equals_the_plain_algorithm_under_any_ranks() -> None:
    rng = random.Random(0)
    for _ in range(300):
        symbols = ["a", "b", "ab", "ba", "aa", "aab", "c"]
        pairs = [f"{a} {b}" for a in symbols for b in symbols]
        ranks = {pair: rank for rank, pair in enumerate(rng.sample(pairs, rng.randint(0, 25)))}
        word = rng.choices(["a", "b", "c"], weights=[5, 3, 1], k=rng.randint(1, 40))
        assert merge_symbols(list(word), ranks) == plain_merge(word, ranks)
