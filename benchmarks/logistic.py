"""How long logistic regression takes, beside scikit-learn's: one fit, features in, weights out.

    pip install scikit-learn; python benchmarks/logistic.py

Both are in float64, in turn, A B A B ..., on features with a few strong directions, as embeddings have. Both end where
the derivative of the mean loss is small: scikit-learn's default, 1e-4 for its largest part, and 1e-6. NumPyCLIP's
length of it is never less than that, so it goes at least as far. What counts of both is the objective that is reached
and the processor's time beside the clock's, since other work on the machine disturbs the latter.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression as Reference

from numpyclip.tasks.learning.logistic import LogisticRegression

SIZES = ((1_000, 512, 10), (10_000, 512, 100))
SETTINGS = (("protocol", 10.0, 0.316), ("unit length", 1.0, 31.6), ("unit length", 1.0, 1.0))  # length of features, C


def features(n: int, d: int, k: int, length: float) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw classes around points of their own, in a cone, whose variance falls from direction to direction."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, d + 1) ** -0.5
    labels = rng.permutation(np.arange(n) % k)
    x = (0.5 * rng.standard_normal((k, d)) * spread)[labels] + rng.standard_normal((n, d)) * spread
    x = x @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    x += 2 * np.linalg.norm(x, axis=1).mean() / np.sqrt(d)
    x *= length / np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(np.float32), labels


def objective(x: NDArray[Any], labels: NDArray[Any], coef: NDArray[Any], intercept: NDArray[Any], c: float) -> float:
    """Mean loss and penalty, which both minimise."""
    scores = x @ coef.T + intercept
    scores -= scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(x)), labels]
    return float(losses.mean() + (coef**2).sum() / (2 * c * len(x)))


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return seconds by the clock, seconds of the processor, and the result."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - clock, time.process_time() - cpu, result


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(
        "| n, d, classes | features, C | tolerance | ours, s (CPU) | scikit-learn, s (CPU) | ratio | loss, difference |"
    )
    print("|---|---|---|---|---|---|---|")
    for n, d, k in SIZES:
        for name, length, c in SETTINGS:
            x, labels = features(n, d, k, length)
            x64 = x.astype(np.float64)
            for tolerance in (1e-4, 1e-6):
                ours, theirs = [], []
                for _ in range(rounds):
                    ours.append(timed(lambda: LogisticRegression(x, labels, k).fit(c, tolerance=tolerance)))  # noqa: B023
                    reference = Reference(C=c, max_iter=10_000, tol=tolerance)
                    theirs.append(timed(lambda: reference.fit(x64, labels)))  # noqa: B023
                a, b = ours[-1][2], theirs[-1][2]
                gap = objective(x64, labels, a.coef, a.intercept, c) - objective(x64, labels, b.coef_, b.intercept_, c)
                (wall, cpu), (wall_2, cpu_2) = (np.median([run[:2] for run in runs], axis=0) for runs in (ours, theirs))
                ratio = np.median([second[0] / first[0] for first, second in zip(ours, theirs, strict=True)])
                print(
                    f"| {n}, {d}, {k} | {name}, {c:g} | {tolerance:g} | {wall:.2f} ({cpu:.2f}) "
                    f"| {wall_2:.2f} ({cpu_2:.2f}) | {ratio:.1f} | {gap:.1e} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
