"""ANSWERS → PEOPLE, over HTTP: embeddings, search and a web page, in the shapes that clients already speak.

Needs ``pip install "numpyclip[server]"``. `numpyclip serve` is the way in from a shell, `create_app` that from Python.
"""

from numpyclip.errors import MissingPackageError

try:
    from numpyclip.server.app import create_app
except ImportError as error:
    if isinstance(error, MissingPackageError) or (error.name or "").startswith("numpyclip"):
        raise
    raise MissingPackageError(f'a server needs {error.name}: pip install "numpyclip[server]"') from error
from numpyclip.server.settings import Settings

__all__ = ["Settings", "create_app"]
