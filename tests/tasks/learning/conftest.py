"""Embeddings of made-up pictures."""

from collections.abc import Callable

import numpy as np
import pytest

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.tasks.learning.examples import Examples

Make = Callable[..., Examples]


@pytest.fixture
def fingerprint() -> Fingerprint:
    return Fingerprint("ab" * 32, "embed_dim=16", "size=64", "clip", "float32")


@pytest.fixture
def make(fingerprint: Fingerprint) -> Make:
    """Examples of classes `a`, `b`, ..., so many of each, of unit length."""

    def make(*counts: int, noise: float = 0.5, dim: int = 16, seed: int = 0) -> Examples:
        rng = np.random.default_rng(seed)
        labels = [chr(ord("a") + number) for number, count in enumerate(counts) for _ in range(count)]
        centres = np.random.default_rng(99).standard_normal((len(counts), dim))
        x = np.repeat(centres, counts, axis=0) + 1 + noise * rng.standard_normal((len(labels), dim))
        return Examples.of(x / np.linalg.norm(x, axis=1, keepdims=True), labels, fingerprint)

    return make
