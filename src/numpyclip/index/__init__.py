"""EMBEDDINGS → SEARCH: pictures and texts on disk, found by what they show and say.

`Index` is the way in, and `Store` what keeps it.
"""

from numpyclip.index.index import Index
from numpyclip.index.records import Details, Match, Where

__all__ = ["Details", "Index", "Match", "Where"]
