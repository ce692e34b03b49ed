"""Writing captions token by token, as `CoCa.generate` in open_clip/coca_model.py (version 3.3.0).

The same weights give the same ids as there, quirks included, except for sampling: random numbers are NumPy's.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.model import ops
from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.ops import Array

Method: TypeAlias = Literal["beam_search", "greedy", "top_k", "top_p"]
Ids: TypeAlias = NDArray[np.int32]

_MAX_COUNT = 2**16  # far beyond any use


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How captions are written; names and defaults are open_clip's, whose `generation_type` is the method.

    Attributes
    ----------
    method : {"beam_search", "greedy", "top_k", "top_p"}
        Beam search; or always the likeliest token; or a token sampled from the k likeliest, or from the likeliest
        whose probabilities sum to p.
    seq_len : int
        Maximum length of a caption in tokens, start-of-text and end-of-text tokens included.
    max_seq_len : int
        How many of the last tokens are attended to; beam search attends to all.
    min_seq_len : int
        Number of tokens, the start-of-text token included, before the end-of-text token may come.
    temperature : float
        Above 1, samples are more diverse; below 1, less.
    top_k, top_p : int and float
        See `method`.
    num_beams, num_beam_groups : int
        Their quotient is the number of beams: see `beam_search`.
    repetition_penalty : float
        Above 1, tokens of the caption so far are less likely.
    seed : int, optional
        Of the random numbers: equal seeds sample equal captions, whatever the batch size.
    start_id, end_id : int
        Ids of the start-of-text and end-of-text tokens.
    pad_id : int, optional
        Id of padding; by default the model's own.
    """

    method: Method = "beam_search"
    seq_len: int = 30
    max_seq_len: int = 77
    min_seq_len: int = 5
    temperature: float = 1.0
    top_k: int = 1
    top_p: float = 0.1
    num_beams: int = 6
    num_beam_groups: int = 3
    repetition_penalty: float = 1.0
    seed: int | None = None
    start_id: int = 49406
    end_id: int = 49407
    pad_id: int | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InputError(f"method is {self.method!r:.60}; expected one of {', '.join(get_args(Method))}.")
        for name in ("max_seq_len", "top_k", "num_beams", "num_beam_groups"):
            self._check_count(name, 1)
        optional = [name for name in ("pad_id", "seed") if getattr(self, name) is not None]
        for name in ("min_seq_len", "start_id", "end_id", *optional):
            self._check_count(name, 0)
        self._check_count("seq_len", max(self.min_seq_len + 1, 2))
        for name in ("temperature", "repetition_penalty", "top_p"):
            value = getattr(self, name)
            highest = 1 if name == "top_p" else math.inf
            is_number = isinstance(value, float | int | np.floating | np.integer)
            if not (is_number and 0 < value <= highest and math.isfinite(value)):
                raise InputError(f"{name} is {value!r:.60}; expected a number above 0{', up to 1' * (highest == 1)}.")
        if self.num_beams % self.num_beam_groups:
            raise InputError(f"num_beams is {self.num_beams}; expected a multiple of num_beam_groups.")

    def _check_count(self, name: str, minimum: int) -> None:
        value = getattr(self, name)
        count = whole_number(value)
        maximum = 2**64 if name == "seed" else _MAX_COUNT
        if count is None or not minimum <= count <= maximum:
            raise InputError(f"{name} is {value!r:.60}; expected an integer of {minimum} or more.")

    @property
    def group_size(self) -> int:
        """Number of beams."""
        return self.num_beams // self.num_beam_groups

    @property
    def longest(self) -> int:
        """Maximum number of tokens that are attended to."""
        before_the_last = self.seq_len - 1
        return before_the_last if self.method == "beam_search" else min(before_the_last, self.max_seq_len)


def penalize(logits: Array, ids: Ids, decoding: Decoding) -> Array:
    """Delay the end-of-text token, and penalize repeated tokens: (n, vocabulary), (n, tokens) -> (n, vocabulary).

    As `MinLengthLogitsProcessor` and `RepetitionPenaltyLogitsProcessor` of transformers; the start-of-text token is
    penalized, too.
    """
    scores: Array = logits.copy()
    if ids.shape[1] < decoding.min_seq_len:
        scores[:, decoding.end_id] = -np.inf
    if decoding.repetition_penalty != 1:
        penalty = np.float32(decoding.repetition_penalty)
        there = np.take_along_axis(scores, ids, axis=1)
        np.put_along_axis(scores, ids, np.where(there < 0, there * penalty, there / penalty), axis=1)
    return scores


def probabilities(scores: Array, decoding: Decoding) -> Array:
    """Return the probabilities to sample from: (n, vocabulary) -> the same shape.

    As `TopKLogitsWarper` and `TopPLogitsWarper` of transformers. The temperature is applied after them.
    """
    if decoding.method == "top_k":
        k = min(decoding.top_k, scores.shape[1])
        kth = np.partition(scores, -k, axis=1)[:, -k, np.newaxis]
        scores = np.where(scores < kth, np.float32(-np.inf), scores)
    else:
        order = scores.argsort(axis=1, kind="stable")  # the likeliest last
        below = ops.softmax(np.take_along_axis(scores, order, axis=1)).cumsum(axis=1) <= 1 - decoding.top_p
        below[:, -1] = False
        is_unlikely = np.empty_like(below)
        np.put_along_axis(is_unlikely, order, below, axis=1)
        scores = np.where(is_unlikely, np.float32(-np.inf), scores)
    return ops.softmax((scores - scores.max(axis=1, keepdims=True)) / np.float32(decoding.temperature))


def draw(scores: Array, decoding: Decoding, randoms: list[np.random.Generator]) -> Ids:
    """Choose a token for each caption, which has its own random numbers: (n, vocabulary) -> (n,)."""
    if decoding.method == "greedy":
        likeliest: Ids = scores.argmax(axis=1).astype(np.int32)
        return likeliest
    sums = probabilities(scores, decoding).cumsum(axis=1, dtype=np.float64)
    wanted = sums[:, -1] * [random.random() for random in randoms]
    drawn: Ids = (sums[:, :-1] <= wanted[:, np.newaxis]).sum(axis=1, dtype=np.int32)
    return drawn


def sample(prefixes: Prefixes, randoms: list[np.random.Generator], decoding: Decoding) -> Ids:
    """Write a caption for each image, one token after another, given an empty prefix and random numbers for each.

    Returns ids (images, tokens) with start-of-text and end-of-text tokens and padding.
    """
    assert decoding.pad_id is not None
    ids = np.full((len(randoms), 1), decoding.start_id, np.int32)
    open_ = np.arange(len(randoms))  # images whose captions have not ended
    while len(open_) and ids.shape[1] < decoding.seq_len:
        window = ids[open_, -decoding.max_seq_len :]
        is_moved = window.shape[1] < ids.shape[1]  # positions have changed, so the caches are invalid
        next_ids = np.full(len(ids), decoding.pad_id, np.int32)
        if window.shape[1] + 1 == decoding.seq_len:
            next_ids[open_] = decoding.end_id  # forced, unless the window moves
        else:
            if is_moved:
                prefixes.forget()
            scores = penalize(prefixes.logits(window if is_moved else window[:, -1:]), window, decoding)
            next_ids[open_] = draw(scores, decoding, [randoms[image] for image in open_])
        ids = np.concatenate([ids, next_ids[:, np.newaxis]], axis=1)
        # padding ends a caption, too, though it might be a word's "!"
        goes_on = np.flatnonzero(~np.isin(next_ids[open_], (decoding.end_id, decoding.pad_id)))
        if len(goes_on) < len(open_):
            open_ = open_[goes_on]
            prefixes.select(goes_on, goes_on)
    return ids


def random_numbers(seed: int | None) -> Iterator[np.random.Generator]:
    """Yield a generator of random numbers for each image."""
    sequence = np.random.SeedSequence(seed)
    while True:
        yield np.random.default_rng(sequence.spawn(1)[0])
