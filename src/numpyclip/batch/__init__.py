"""SOURCES → PARTS OF EMBEDDINGS, on local processes or a Ray cluster.

A run is divided into parts, each of which one worker reads, embeds and writes. Only a `Part` (a few bytes) is sent to a
worker, and only a `PartSummary` comes back: no image travels between processes.
"""

from numpyclip.lazy_exports import lazy_exports

TYPE_CHECKING = False  # true for type checkers; see `lazy_exports`
if TYPE_CHECKING:
    from numpyclip.batch.job import FailedPart as FailedPart
    from numpyclip.batch.run import Options as Options
    from numpyclip.batch.run import embed as embed
    from numpyclip.batch.summary import Progress as Progress
    from numpyclip.batch.summary import Summary as Summary
    from numpyclip.images.decode_options import DecodeOptions as DecodeOptions

_MODULES = {
    "DecodeOptions": "job",
    "FailedPart": "job",
    "Options": "run",
    "Progress": "summary",
    "Summary": "summary",
    "embed": "run",
}

__all__ = sorted(_MODULES)

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, __all__, _MODULES)
