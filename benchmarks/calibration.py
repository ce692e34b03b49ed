"""Measure which captions `Background` accepts, and which gibberish it rejects.

    python benchmarks/calibration.py                      # the embedded model, on the held-out drawings of tests/data
    python benchmarks/calibration.py tiny drawings.npy    # uint8 (n, y, x, 4), with captions in drawings.json
    python benchmarks/calibration.py model.npz drawings.npy --activation quick_gelu --fit
    python benchmarks/calibration.py tiny --photographs packages/   # which benchmarks/photographs.py has downloaded

Three kinds of texts are judged: the true caption of each drawing; the captions of the others; gibberish and what no
drawing shows. Of 1,400 drawings or more, --fit fits the weights of `Background` to one half (with scikit-learn), and
all else is measured on the other. Those of `Background` lie between what it found for a better model than
the embedded one on the drawings of Twemoji and of OpenMoji.

Of photographs each thing that they show is a query, whose right images are all that show it. Its result, the 20 nearest
images, either has a right one or not; and once more the right ones are left out, so that it cannot have one. Then
calibrations are fitted to some of the queries, drawn ten times, and measured on all others.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.tasks import Background, calibration
from numpyclip.tasks import background as module
from numpyclip.tasks.calibration import SHOWN, QueryOdds

MOST = 1400
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYLLABLES = ("ba", "ko", "ri", "tum", "zel", "flo", "gra", "pin", "mo", "sker", "vu", "ent", "wap", "quo", "thi", "lub")
TYPED = (
    "asdf",
    "qwerty",
    "foo bar baz",
    "xyzzy",
    "lorem ipsum dolor",
    "the of and",
    "???",
    "12345",
    "aaaaaa",
    "hjkl hjkl",
)
UNSEEN = (
    *("inflation", "democracy", "photosynthesis", "the theory of relativity", "tax return", "quarterly report"),
    *("jurisprudence", "entropy", "nostalgia", "algebra", "grammar", "bankruptcy law", "metabolism", "epistemology"),
    *("a legal contract", "mortgage rate"),
)


def gibberish() -> list[str]:
    numbers = random.Random(0)

    def word(least: int, most: int) -> str:
        return "".join(numbers.choice(LETTERS) for _ in range(numbers.randint(least, most)))

    words = [word(4, 10) for _ in range(150)]
    sentences = [" ".join(word(2, 7) for _ in range(numbers.randint(2, 4))) for _ in range(100)]
    spoken = ["".join(numbers.choice(SYLLABLES) for _ in range(numbers.randint(2, 4))) for _ in range(100)]
    captions = [f"a {kind} of a {word(4, 9)}" for kind in ("photo", "drawing") for _ in range(50)]
    return [*words, *sentences, *spoken, *captions, *TYPED, *UNSEEN]


def read(file: Path) -> tuple[np.ndarray, list[str]]:
    """Read drawings with an alpha channel, and their captions."""
    if file.suffix == ".npz":
        with np.load(file) as data:
            return data["images"], list(map(str, data["captions"]))
    return np.load(file, mmap_mode="r"), [entry["cap"] for entry in json.loads(file.with_suffix(".json").read_bytes())]


def on_white(drawing: np.ndarray) -> np.ndarray:
    alpha = drawing[..., 3:] / np.float32(255)
    return (drawing[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def auc(true: np.ndarray, false: np.ndarray) -> float:
    false = np.sort(false.ravel())
    places = np.searchsorted(false, true, "left") + np.searchsorted(false, true, "right")
    return float(places.mean() / 2 / len(false))


def reliability(true: np.ndarray, other: np.ndarray, nonsense: np.ndarray) -> str:
    """Of what was said to be so probable, how much is true? With half of all true, a quarter each of the others."""
    kinds = ((true, 1, 0.5), (other, 0, 0.25), (nonsense, 0, 0.25))
    said = np.concatenate([p.ravel() for p, _, _ in kinds])
    is_true = np.concatenate([np.full(p.size, y) for p, y, _ in kinds])
    weight = np.concatenate([np.full(p.size, share / p.size) for p, _, share in kinds])
    fifths = np.minimum((said * 5).astype(int), 4)
    pairs = []
    for fifth in range(5):
        if (here := fifths == fifth).any():
            pairs.append([np.average(of[here], weights=weight[here]) for of in (said, is_true)])
    return ", ".join(f"{p:.2f} -> {y:.2f}" for p, y in pairs)


def collections(judge: Background, rows: np.ndarray, true: np.ndarray, nonsense: np.ndarray) -> None:
    """Look for a caption, and for gibberish, among many drawings, as a search does."""
    numbers = np.random.default_rng(0)
    for n in (10, 100, len(rows)):
        found = []
        for texts in (true, nonsense):
            best = []
            for place in range(min(len(texts), 300)):
                chosen = numbers.permutation(len(rows))[:n]
                if texts is true:
                    chosen[0] = place  # the drawing that is looked for is among them
                best.append(judge.probabilities(rows[chosen], texts[place : place + 1]).max())
            found.append(np.mean(np.array(best) >= judge.cutoff(n)))
        print(f"  among {n:4} drawings: true captions accepted {found[0]:.2f}, gibberish accepted {found[1]:.3f}")


def fit(judge: Background, rows: np.ndarray, true: np.ndarray, nonsense: np.ndarray) -> None:
    """Print the weights of `Background` that fit these drawings best."""
    from sklearn.linear_model import LogisticRegression

    def features(texts: np.ndarray) -> np.ndarray:
        fits = judge._standardized(rows, texts)
        plain = np.maximum(judge._standardized(judge._mean[np.newaxis], texts), module._LEAST_PLAINNESS)
        return np.stack([fits, np.broadcast_to(plain, fits.shape)], axis=2)

    own = np.eye(len(rows), dtype=bool)
    kinds = [features(true)[own], features(true)[~own], features(nonsense).reshape(-1, 2)]
    weights = np.concatenate([np.full(len(x), share * 1e4 / len(x)) for x, share in zip(kinds, (2, 1, 1), strict=True)])
    is_true = np.repeat([1, 0, 0], [len(x) for x in kinds])
    found = LogisticRegression(C=1e6).fit(np.concatenate(kinds), is_true, sample_weight=weights)
    print("  fitted: base, fit, plainness", [*found.intercept_.round(2), *found.coef_[0].round(2)])


def measure(judge: Background, name: str, rows: np.ndarray, true: np.ndarray, nonsense: np.ndarray) -> None:
    pairs, false = judge.probabilities(rows, true), judge.probabilities(rows, nonsense)
    own = np.eye(len(rows), dtype=bool)
    kinds = {"true captions": pairs[own], "captions of others": pairs[~own], "gibberish": false}
    print(f"{name}: {len(rows)} drawings")
    print("  accepted:", ", ".join(f"{kind} {np.mean(p >= judge.cutoff()):.3f}" for kind, p in kinds.items()))
    print(
        f"  AUC against captions of others {auc(pairs[own], pairs[~own]):.3f}, gibberish {auc(pairs[own], false):.3f}"
    )
    print(f"  said -> true: {reliability(pairs[own], pairs[~own], false)}")
    collections(judge, rows, true, nonsense)


def measure_photographs(
    model: CLIP, judge: Background, name: str, rows: np.ndarray, captions: np.ndarray, nonsense: np.ndarray
) -> None:
    things = np.unique(captions)
    texts = model.embed_texts(list(things))
    right = captions[:, np.newaxis] == things  # (n, q)
    probabilities, false = judge.probabilities(rows, texts), judge.probabilities(rows, nonsense)
    print(f"{name}: {len(rows)} photographs of {len(things)} things")
    kinds = {"true": probabilities[right], "others": probabilities[~right], "gibberish": false}
    print("  accepted:", ", ".join(f"{kind} {np.mean(p >= judge.cutoff()):.3f}" for kind, p in kinds.items()))
    print(f"  said -> true: {reliability(*kinds.values())}")
    queries = [odds_of(judge, rows, text, here) for text, here in zip(texts, right.T, strict=True)]
    best = [judge.log_odds(nearest(rows, text), text[np.newaxis]).max() for text in nonsense]
    passed = np.mean(np.array(best) >= module.Calibration.searched * np.log(len(rows)))
    found = sum(query.best is not None for query in queries)
    print(f"  a right one is among the first {SHOWN} for {found} of them; gibberish passes: {passed:.2f}")
    default = calibration.default_quality(queries, len(rows))
    print(f"  default: error {default.error:.2f}, hidden {default.hidden:.2f}, passed {default.passed:.2f}")
    for count in (3, 5, 10, 20):
        qualities = [fitted(queries, count, seed, len(rows)) for seed in range(10)]
        means, spreads = np.mean(qualities, axis=0), np.std(qualities, axis=0)
        said = zip(("error", "hidden", "passed"), means, spreads, strict=True)
        print(f"  {count:2} queries: " + ", ".join(f"{what} {mean:.2f} ± {spread:.2f}" for what, mean, spread in said))


def odds_of(judge: Background, rows: np.ndarray, text: np.ndarray, right: np.ndarray) -> QueryOdds:
    text = text[np.newaxis]
    odds = judge.log_odds(rows, text)[:, 0].astype(np.float64)
    places = np.argsort(-(rows @ text[0]))
    best = odds[places[:SHOWN]].max() if right[places[:SHOWN]].any() else None
    others = places[~right[places]]
    return QueryOdds(odds[right], odds[~right], best, odds[others[:SHOWN]].max())


def nearest(rows: np.ndarray, text: np.ndarray) -> np.ndarray:
    return rows[np.argpartition(-(rows @ text), SHOWN)[:SHOWN]]


def fitted(queries: list[QueryOdds], count: int, seed: int, n_images: int) -> tuple[float, float, float]:
    """Fit a calibration to some queries, and measure it on all others: error, hidden and passed."""
    order = np.random.default_rng(seed).permutation(len(queries))
    chosen, others = ([queries[i] for i in part] for part in (order[:count], order[count:]))
    found, default = calibration.fit_calibration(chosen, n_images), module.Calibration()
    slope = found.fit / default.fit
    line = (slope, found.base - slope * default.base, found.searched)
    quality = calibration._measure(others, [line] * len(others), n_images)
    return quality.error, quality.hidden or 0.0, quality.passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="tiny")
    held_out = Path(__file__).parents[1] / "tests" / "data" / "noto_heldout.npz"
    parser.add_argument("drawings", nargs="*", type=Path, default=[held_out])
    parser.add_argument("--photographs", type=Path, metavar="FOLDER", help="of unpacked packages")
    parser.add_argument("--activation")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    model, _ = numpyclip.load(arguments.model, activation=arguments.activation)
    judge = Background(model)
    nonsense = model.embed_texts(gibberish())
    if arguments.photographs:
        from photographs import collections as photograph_collections

        found = photograph_collections(arguments.photographs)
        found["all"] = [photograph for part in list(found.values()) for photograph in part]
        for name, photographs in found.items():
            rows = model.embed_images(photograph.pixels() for photograph in photographs)
            captions = np.array([photograph.caption for photograph in photographs])
            measure_photographs(model, judge, f"{arguments.model}, {name}", rows, captions, nonsense)
        return
    for file in arguments.drawings:
        drawings, captions = read(file)
        chosen = np.random.default_rng(0).permutation(len(captions))[:MOST]
        rows = model.embed_images(on_white(drawings[i]) for i in chosen)
        true = model.embed_texts(captions[i] for i in chosen)
        if len(chosen) == MOST:
            if arguments.fit:
                fit(judge, rows[::2], true[::2], nonsense[::2])
            measure(judge, f"{arguments.model}, {file.name}", rows[1::2], true[1::2], nonsense[1::2])
        else:
            measure(judge, f"{arguments.model}, {file.name}", rows, true, nonsense)


if __name__ == "__main__":
    main()
