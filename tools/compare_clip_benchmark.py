"""Compare the metrics of `numpyclip.tasks.evaluation` with those of LAION's CLIP_benchmark, on the same embeddings.

    python tools/compare_clip_benchmark.py

Needs torch and the package clip-benchmark (its metrics alone: `pip install --no-deps clip-benchmark`). Embeddings are
random, with classes and captions that fit more or less, so that the metrics are neither 0 nor 1.
"""

from __future__ import annotations

import sys
import types

import numpy as np
import torch

from numpyclip.tasks.evaluation.metrics import Confusion, ranks, recall_at, retrieval_recall

for _name in ("open_clip", "webdataset"):  # imported by the package, and not used by its metrics
    sys.modules.setdefault(_name, types.ModuleType(_name))

from clip_benchmark.metrics import zeroshot_classification, zeroshot_retrieval  # noqa: E402

# Its accuracy makes a float of an array of one element, which NumPy 2.5 refuses.
zeroshot_classification.float = lambda array: np.asarray(array).item()


def _unit(array: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (array / np.linalg.norm(array, axis=1, keepdims=True)).astype(np.float32)
    return scaled


class _AsIs(torch.nn.Module):
    """A model whose pictures and texts are their embeddings already."""

    def encode_image(self, embeddings: torch.Tensor) -> torch.Tensor:
        return embeddings

    encode_text = encode_image


def compare_classification(rng: np.random.Generator) -> float:
    """Compare top-1, top-5 and mean per-class recall: 3,000 pictures of 40 classes of very different sizes."""
    classes = _unit(rng.normal(size=(40, 32)))
    labels = (40 * rng.random(3000) ** 2).astype(int)
    images = _unit(classes[labels] + 0.5 * rng.normal(size=(3000, 32)))
    loader = [(torch.from_numpy(images[i : i + 64]), torch.from_numpy(labels[i : i + 64])) for i in range(0, 3000, 64)]
    logits, target = zeroshot_classification.run_classification(
        _AsIs(), torch.from_numpy(classes.T.copy()), loader, "cpu", amp=False
    )
    acc1, acc5 = zeroshot_classification.accuracy(logits, target, topk=(1, 5))
    prediction = logits.argmax(axis=1)
    theirs = [acc1, acc5, zeroshot_classification.balanced_accuracy_score(target, prediction)]
    scores = images @ classes.T
    found = ranks(scores, labels[:, np.newaxis] == np.arange(40))
    confusion = Confusion(40)
    confusion.add(labels.tolist(), scores.argmax(axis=1).tolist())
    ours = [recall_at(found, 1), recall_at(found, 5), confusion.mean_per_class_recall]
    print("acc1, acc5, mean_per_class_recall", *(f"{a:.6f} {float(b):.6f}" for a, b in zip(ours, theirs, strict=True)))
    return max(abs(a - float(b)) for a, b in zip(ours, theirs, strict=True))


def compare_retrieval(rng: np.random.Generator) -> float:
    """Compare recall both ways: 500 pictures with five captions each."""
    images = _unit(rng.normal(size=(500, 32)))
    texts = _unit(np.repeat(images, 5, axis=0) + 0.6 * rng.normal(size=(2500, 32)))
    batches = [
        (torch.from_numpy(images[i : i + 50]), [list(range(5 * n, 5 * n + 5)) for n in range(i, i + 50)])
        for i in range(0, 500, 50)
    ]

    def tokenize(numbers: list[int]) -> torch.Tensor:
        return torch.from_numpy(texts[np.array(numbers)])

    ours = retrieval_recall(images, texts, np.repeat(np.arange(500), 5))
    worst = 0.0
    theirs = zeroshot_retrieval.evaluate(_AsIs(), batches, tokenize, "cpu", amp=False, recall_k_list=[1, 5, 10])
    for name, value in ours.items():
        print(name, f"{value:.6f} {theirs[name]:.6f}")
        worst = max(worst, abs(value - theirs[name]))
    return worst


if __name__ == "__main__":
    _rng = np.random.default_rng(0)
    _worst = max(compare_classification(_rng), compare_retrieval(_rng))
    print(f"largest difference: {_worst:.1e}")
    sys.exit(_worst > 1e-6)
