"""Beam search over captions, as in open_clip/coca_model.py (3.3.0) with `BeamSearchScorer` of transformers 4.55."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.captioning.generate import Decoding, Ids, penalize
from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.ops import Array


@dataclass
class Ended:
    """The best captions of an image that have ended, at most as many as there are beams."""

    size: int
    captions: list[tuple[float, Ids]] = field(default_factory=list)  # scores and ids, in the order of their ends

    def add(self, ids: Ids, total: float, length: int) -> None:
        """Add a caption; if there are enough, replace the worst one if this is better."""
        score = total / length
        if len(self.captions) == self.size:
            worst = min(range(self.size), key=lambda index: self.captions[index][0])
            if score <= self.captions[worst][0]:
                return
            del self.captions[worst]
        self.captions.append((score, ids))

    def is_final(self, total: float, length: int) -> bool:
        """Tell whether the best unfinished caption would be no better if it ended now.

        It might become better later, as sums of logits rise, but the reference ignores that, too.
        """
        return len(self.captions) == self.size and min(score for score, _ in self.captions) >= total / length

    def best(self) -> Ids:
        """Return the best caption, without its end-of-text token; the latest of equals."""
        return max(reversed(self.captions), key=lambda caption: caption[0])[1]


@dataclass(frozen=True)
class _Beams:
    """Unfinished captions, equally many per image."""

    images: NDArray[np.integer]  # (p,)
    ids: Ids  # (p, beams, tokens)
    totals: Array  # (p, beams)


def beam_search(prefixes: Prefixes, count: int, decoding: Decoding) -> Ids:
    """Write several captions for each image, given an empty prefix for each, and return the best one.

    As in the reference, a caption's score is the sum of its logits, not log-probabilities, over its length. The
    reference runs `num_beam_groups` groups without a diversity penalty, so that all have equal captions: one is enough.

    Returns ids (count, tokens) with start-of-text token and padding, and the end-of-text token if there is room for it.
    """
    ended = [Ended(decoding.group_size) for _ in range(count)]
    start = np.full((count, 1, 1), decoding.start_id, np.int32)  # one per image: more would be equal
    beams = _Beams(np.arange(count), start, np.zeros((count, 1), np.float32))
    while len(beams.images) and beams.ids.shape[2] < decoding.seq_len:
        ids = beams.ids.reshape(-1, beams.ids.shape[2])
        beams = _step(beams, penalize(prefixes.logits(ids[:, -1:]), ids, decoding), prefixes, ended, decoding.end_id)
    for image, texts, totals in zip(beams.images, beams.ids, beams.totals, strict=True):
        for text, total in zip(texts, totals.tolist(), strict=True):  # no end is forced, unlike in `sample`
            ended[image].add(text, total, len(text))
    return _padded([captions.best() for captions in ended], decoding)


def _step(beams: _Beams, scores: Array, prefixes: Prefixes, ended: list[Ended], end_id: int) -> _Beams:
    """Extend captions by the best next tokens; drop those that end, and images whose captions are final."""
    p, b, n = beams.ids.shape
    size = ended[0].size
    totals = beams.totals[:, :, np.newaxis] + scores.reshape(p, b, -1)
    indices, best = _largest(totals.reshape(p, -1), 2 * size)
    sources, tokens = np.divmod(indices, scores.shape[1])
    kept = np.empty((p, size), int)
    is_open = np.empty(p, bool)
    for index, image in enumerate(beams.images):
        is_end = tokens[index] == end_id
        kept[index] = np.flatnonzero(~is_end)[:size]  # enough: at most one end for each of `size` captions
        for rank in np.flatnonzero(is_end[:size]):  # only ends among the best count
            ended[image].add(beams.ids[index, sources[index, rank]], float(best[index, rank]), n + 1)
        is_open[index] = not ended[image].is_final(float(best[index, 0]), n + 1)
    going = np.flatnonzero(is_open)
    sources, tokens, best = (np.take_along_axis(of_all, kept, axis=1)[going] for of_all in (sources, tokens, best))
    prefixes.select((going[:, np.newaxis] * b + sources).reshape(-1), None if len(going) == p else going)
    ids = np.concatenate([beams.ids[going[:, np.newaxis], sources], tokens[:, :, np.newaxis].astype(np.int32)], axis=2)
    return _Beams(beams.images[going], ids, best)


def _largest(x: Array, count: int) -> tuple[NDArray[np.integer], Array]:
    """Find the largest numbers of each row, in descending order: (p, n) -> indices and values, (p, count)."""
    indices = np.sort(np.argpartition(x, -count, axis=1)[:, -count:], axis=1)
    values = np.take_along_axis(x, indices, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(values, order, axis=1)


def _padded(captions: list[Ids], decoding: Decoding) -> Ids:
    assert decoding.pad_id is not None
    width = min(max(map(len, captions), default=0) + 1, decoding.seq_len)
    ids = np.full((len(captions), width), decoding.pad_id, np.int32)
    for row, caption in zip(ids, captions, strict=True):
        row[: len(caption)] = caption
        row[len(caption) : len(caption) + 1] = decoding.end_id
    return ids
