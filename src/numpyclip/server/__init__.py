"""ANSWERS → PEOPLE AND PROGRAMS, over HTTP: APIs compatible with existing clients, search and a web page.

Needs ``pip install "numpyclip[server]"``. Start it with `numpyclip serve`, or from Python with `create_app`.
"""

from numpyclip.errors import MissingPackageError
from numpyclip.extras import missing

try:
    from numpyclip.server.app import create_app
except ImportError as error:
    if isinstance(error, MissingPackageError) or (error.name or "").startswith("numpyclip"):
        raise
    raise missing(f"a server needs {error.name}", "server") from error
from numpyclip.server.access.tokens import Tokens
from numpyclip.server.inference.model_on_demand import ModelSource
from numpyclip.server.settings import Settings

__all__ = ["ModelSource", "Settings", "Tokens", "create_app"]
