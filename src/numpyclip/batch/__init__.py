"""A MILLION AT A TIME: shards → parts of embeddings, on local processes or a cluster.

A run is cut into parts, each of which one worker reads, embeds and writes. Only a `Part` (a few bytes) is sent to a
worker, and only a `PartSummary` comes back: no image travels between processes.
"""

from numpyclip.batch.job import FailedPart
from numpyclip.batch.run import Options, embed
from numpyclip.batch.summary import Progress, Summary

__all__ = ["FailedPart", "Options", "Progress", "Summary", "embed"]
