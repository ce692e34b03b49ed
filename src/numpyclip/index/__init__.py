"""EMBEDDINGS → SEARCH: an index of images and texts on disk or in PostgreSQL, searched by their embeddings.

`Index` is the way in, and `Store` what keeps it.
"""

from numpyclip.images.exif import Exif
from numpyclip.index.calibrate import CalibrationReport, calibrate
from numpyclip.index.index import Index
from numpyclip.index.records import Match
from numpyclip.index.repair import check_index
from numpyclip.index.search_result import SearchResult
from numpyclip.index.where import Where

__all__ = ["CalibrationReport", "Exif", "Index", "Match", "SearchResult", "Where", "calibrate", "check_index"]
