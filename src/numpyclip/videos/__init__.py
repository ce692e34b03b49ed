"""VIDEOS → PIXELS AND EMBEDDINGS, each with its time.

Needs ``pip install "numpyclip[video]"`` (PyAV).
"""

from numpyclip.lazy_exports import lazy_exports

TYPE_CHECKING = False  # true for type checkers; see `lazy_exports`
if TYPE_CHECKING:
    from numpyclip.videos.video_embeddings import VideoEmbeddings as VideoEmbeddings
    from numpyclip.videos.video_embeddings import embed_video as embed_video
    from numpyclip.videos.video_options import VideoOptions as VideoOptions

_MODULES = {"VideoEmbeddings": "video_embeddings", "VideoOptions": "video_options", "embed_video": "video_embeddings"}

__all__ = sorted(_MODULES)

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, __all__, _MODULES)
