"""Options of a server: limits, permissions, and how images are decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from numpyclip.arguments import checked_origin
from numpyclip.errors import InputError
from numpyclip.images.decode_memory import MAX_MEMORY
from numpyclip.images.decode_options import MAX_PIXELS, DecodeOptions
from numpyclip.server.access.addresses import Network
from numpyclip.server.access.tokens import Tokens

_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True)
class Settings:
    """Options of a server. The defaults suit a machine with a few cores and 4 GiB.

    Attributes
    ----------
    text_model : str or None
        Name of the model whose text tower is used, if it is another, as ``GET /index`` shows it.
    tokens : Tokens
        Bearer tokens; if there are any, requests must send one: ``Tokens("secret")``, or ``Tokens(path="tokens")``.
    trusted_networks : tuple of ipaddress.IPv4Network or ipaddress.IPv6Network
        Networks whose clients need no token: ``ip_network("192.168.1.0/24")``.
    cors_origins : tuple of str
        Origins of other sites, such as ``https://example.org``, whose pages may send requests; ``*`` for all, if there
        are tokens. Cookies and trusted networks do not count for them.
    allowed_hosts : tuple of str
        Accepted values of the ``Host`` header, without port; any if empty. On loopback they prevent DNS rebinding.
    url_prefix : str
        Path below which a reverse proxy shows the server, such as ``/photos``; requests may have it or not.
    originals : bool
        Send image files as they are, with all metadata in them.
    marks : bool
        Let clients set favorites, ratings, tags and albums.
    fetch_hosts : tuple of str
        Hosts from which images may be fetched, as ``name`` or ``name:port``.
    fetch_private : bool
        Fetch from them also where a name resolves to an address that is not of the public internet.
    immich_forward : str or None
        URL of Immich's own machine-learning server, for its tasks other than CLIP, such as ``http://immich-ml:3003``.
    max_bytes : int
        Maximum bytes of a request body.
    max_total_bytes : int
        Maximum bytes of all request bodies in flight.
    max_requests : int
        Maximum number of requests in flight.
    max_pixels : int
        Maximum pixels of an image.
    draft : bool
        Decode large JPEG files at a reduced size.
    strict_files : bool
        Refuse image files whose end is missing.
    develop_raw : bool
        Develop RAW files, instead of reading their previews.
    max_inputs : int
        Maximum texts or images in a request.
    max_waiting : int
        Texts and images in the queue from which on requests are rejected.
    batch_size : int
        Maximum images in a batch; of texts eight times as many.
    timeout : float
        Seconds in which a request must arrive, and seconds in which it must be answered, including all fetches.
    idle : float
        Seconds after which a model that nobody uses is unloaded, until the next request that uses it; 0: never.
    """

    text_model: str | None = None
    tokens: Tokens = field(default_factory=Tokens)
    trusted_networks: tuple[Network, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    url_prefix: str = ""
    originals: bool = True
    marks: bool = True
    fetch_hosts: tuple[str, ...] = ()
    fetch_private: bool = False
    immich_forward: str | None = None
    max_bytes: int = 64 << 20
    max_total_bytes: int = 256 << 20
    max_requests: int = 256
    max_pixels: int = MAX_PIXELS
    draft: bool = True
    strict_files: bool = False
    develop_raw: bool = False
    max_inputs: int = 2048
    max_waiting: int = 4096
    batch_size: int = 32
    timeout: float = 60.0
    idle: float = 0.0

    def __post_init__(self) -> None:
        """Check the prefix, which becomes the path of a cookie and of a redirect, and who is allowed what."""
        if self.url_prefix and not _PREFIX.fullmatch(self.url_prefix):
            raise InputError(f"url_prefix is {self.url_prefix!r:.60}; expected a path such as '/photos'.")
        for origin in self.cors_origins:
            checked_origin(origin)
        if "*" in self.cors_origins and not self.tokens:
            raise InputError("the origin '*' lets pages of all sites read this server; set a token, or name origins.")

    @property
    def decode_options(self) -> DecodeOptions:
        """How images are decoded: those that need more memory than all threads share are refused."""
        return DecodeOptions(
            draft=self.draft,
            max_pixels=self.max_pixels,
            strict_files=self.strict_files,
            develop_raw=self.develop_raw,
            max_memory=MAX_MEMORY,
        )
