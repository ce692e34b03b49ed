"""The result of a search, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Iterable

from numpyclip.errors import InputError
from numpyclip.index.records import Match


class SearchResult(list[Match]):
    """The nearest images or texts, in the order of their cosines, whether they match or not.

    Show them all, with a note where `is_match` is false; or show `matches`, which is empty then.

    Parameters
    ----------
    nearest : iterable of Match
    cutoff : float, optional
        Probability that the best match must reach to be more than chance, given how many embeddings of images were
        compared; None unless a single text was compared with images, since no probabilities are known then.
    searched : int, optional
        How many images were searched, of more than 10,000 about; known where the cutoff is.
    """

    def __init__(self, nearest: Iterable[Match], cutoff: float | None = None, searched: int | None = None) -> None:
        super().__init__(nearest)
        self.cutoff = cutoff
        self.searched = searched

    @property
    def best(self) -> float | None:
        """The largest probability, which need not be the first one's; None if none is known."""
        return max((match.probability for match in self if match.probability is not None), default=None)

    @property
    def is_match(self) -> bool:
        """Whether the best probability reaches the cutoff; without a cutoff, whether anything was found.

        False does not mean that no image is right: a weak model gives a right one a low probability.
        """
        return bool(self) and (self.cutoff is None or (self.best or 0.0) >= self.cutoff)

    @property
    def matches(self) -> list[Match]:
        """All that was found if `is_match`, else nothing: what `numpyclip search --strict` prints."""
        return list(self) if self.is_match else []

    def at_least(self, probability: float) -> list[Match]:
        """Return the matches of a minimum probability, whatever the cutoff.

        Raises
        ------
        InputError
            If that is not in 0..1, or probabilities are not known.
        """
        if not 0 <= probability <= 1:
            raise InputError(f"the minimum probability is {probability}; expected a number from 0 to 1.")
        if self.cutoff is None:
            raise InputError("probabilities exist only for a single text; leave out the minimum.")
        return [match for match in self if (match.probability or 0.0) >= probability]
