"""Beam search over captions, as in open_clip/coca_model.py (3.3.0) with `BeamSearchScorer` of transformers 4.55."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.captioning.generate import Beginnings, Decoding, Ids, penalize
from numpyclip.model.ops import Array


@dataclass
class Ended:
    """The best captions of an image that have come to an end, as many as are written side by side."""

    size: int
    captions: list[tuple[float, Ids]] = field(default_factory=list)  # scores and ids, in the order of their end

    def add(self, ids: Ids, total: float, length: int) -> None:
        """Add a caption; if there are enough, only if it is better than the worst one, which is dropped."""
        score = total / length
        if len(self.captions) == self.size:
            worst = min(range(self.size), key=lambda index: self.captions[index][0])
            if score <= self.captions[worst][0]:
                return
            del self.captions[worst]
        self.captions.append((score, ids))

    def is_final(self, total: float, length: int) -> bool:
        """Tell whether the best caption that goes on would be no better, if it ended now.

        It might become better later: sums of logits rise. But the reference, too, guesses that it will not.
        """
        return len(self.captions) == self.size and min(score for score, _ in self.captions) >= total / length

    def best(self) -> Ids:
        """Return the best caption, without its end-of-text token; the latest of equals."""
        return max(reversed(self.captions), key=lambda caption: caption[0])[1]


@dataclass(frozen=True)
class _Beams:
    """Captions that go on, as many to each image."""

    images: NDArray[np.integer]  # (p,)
    ids: Ids  # (p, beams, tokens)
    totals: Array  # (p, beams)


def beam_search(prefixes: Beginnings, count: int, decoding: Decoding) -> Ids:
    """Write captions to each image side by side, and take the best one.

    As in the reference, what is best is a matter of raw logits, not of probabilities: their sum, over the length.
    There, `num_beam_groups` groups of captions are written. But nothing makes them differ, for no penalty is set on
    what another group has: all come to the same captions, so one group is enough.

    Parameters
    ----------
    prefixes : Beginnings
        One without tokens to each image.
    count : int
        Images.
    decoding : Decoding
        With a padding.

    Returns
    -------
    ndarray of shape (count, tokens), dtype=int32
        With start-of-text token and padding, and with the end-of-text token where there is room for it.
    """
    ended = [Ended(decoding.group_size) for _ in range(count)]
    start = np.full((count, 1, 1), decoding.start_id, np.int32)  # one to each image: more would be the same
    beams = _Beams(np.arange(count), start, np.zeros((count, 1), np.float32))
    while len(beams.images) and beams.ids.shape[2] < decoding.seq_len:
        ids = beams.ids.reshape(-1, beams.ids.shape[2])
        beams = _step(beams, penalize(prefixes.logits(ids[:, -1:]), ids, decoding), prefixes, ended, decoding.end_id)
    for image, texts, totals in zip(beams.images, beams.ids, beams.totals, strict=True):
        for text, total in zip(texts, totals.tolist(), strict=True):  # none is ended by force, unlike in `sample`
            ended[image].add(text, total, len(text))
    return _padded([captions.best() for captions in ended], decoding)


def _step(beams: _Beams, scores: Array, prefixes: Beginnings, ended: list[Ended], end_id: int) -> _Beams:
    """Let captions go on with the best of all next tokens, or end; and images, until their captions are final."""
    p, b, n = beams.ids.shape
    size = ended[0].size
    totals = beams.totals[:, :, np.newaxis] + scores.reshape(p, b, -1)
    places, best = _largest(totals.reshape(p, -1), 2 * size)
    sources, tokens = np.divmod(places, scores.shape[1])
    kept = np.empty((p, size), int)
    is_open = np.empty(p, bool)
    for index, image in enumerate(beams.images):
        is_end = tokens[index] == end_id
        kept[index] = np.flatnonzero(~is_end)[:size]  # enough: at most one end to each of `size` captions
        for rank in np.flatnonzero(is_end[:size]):  # an end that is not among the best does not count
            ended[image].add(beams.ids[index, sources[index, rank]], float(best[index, rank]), n + 1)
        is_open[index] = not ended[image].is_final(float(best[index, 0]), n + 1)
    going = np.flatnonzero(is_open)
    sources, tokens, best = (np.take_along_axis(of_all, kept, axis=1)[going] for of_all in (sources, tokens, best))
    prefixes.select((going[:, np.newaxis] * b + sources).reshape(-1), None if len(going) == p else going)
    ids = np.concatenate([beams.ids[going[:, np.newaxis], sources], tokens[:, :, np.newaxis].astype(np.int32)], axis=2)
    return _Beams(beams.images[going], ids, best)


def _largest(x: Array, count: int) -> tuple[NDArray[np.integer], Array]:
    """Find the largest of each row, the largest first: (p, n) -> positions and values, (p, count)."""
    places = np.sort(np.argpartition(x, -count, axis=1)[:, -count:], axis=1)
    values = np.take_along_axis(x, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)


def _padded(captions: list[Ids], decoding: Decoding) -> Ids:
    assert decoding.pad_id is not None
    width = min(max(map(len, captions), default=0) + 1, decoding.seq_len)
    ids = np.full((len(captions), width), decoding.pad_id, np.int32)
    for row, caption in zip(ids, captions, strict=True):
        row[: len(caption)] = caption
        row[len(caption) : len(caption) + 1] = decoding.end_id
    return ids
