"""Settings of downloads in the environment: ours, and those of `huggingface_hub`."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from numpyclip.errors import DownloadError

HUB = "https://huggingface.co"


def is_offline() -> bool:
    """Tell whether ``$NUMPYCLIP_OFFLINE`` forbids the network."""
    return os.environ.get("NUMPYCLIP_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def setting_against_hub() -> str | None:
    """Name the variable that forbids the hub, if one does; those of Hugging Face mean what they mean there."""
    if is_offline():
        return "$NUMPYCLIP_OFFLINE"
    return next((f"${name}" for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if _is_set(name)), None)


def _is_set(variable: str) -> bool:
    """Read a setting of Hugging Face as `huggingface_hub` does."""
    return os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE")


def mirror() -> str | None:
    """Return the URL in ``$NUMPYCLIP_MIRROR``."""
    return _url("NUMPYCLIP_MIRROR")


def hub_endpoint() -> str:
    """Return the URL of the hub: ``$HF_ENDPOINT``, if that is set."""
    return _url("HF_ENDPOINT") or HUB


def _url(variable: str) -> str | None:
    url = os.environ.get(variable, "").strip().rstrip("/")
    if not url:
        return None
    if not re.fullmatch(r"https?://[^/\s@][^\s?#@]*", url):  # not shown: it may contain a password or a signature
        raise DownloadError(f"${variable}: is no URL as expected, https://host/folder without a user name, '?' or '#'.")
    return url


def is_on_loopback(url: str) -> bool:
    """Tell whether a URL is one of http on this machine."""
    return re.match(r"http://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]*)?(/|$)", url) is not None


def remedy_to_send_token() -> str | None:
    """Say what allows to send a token, unless that is allowed: never in clear to another machine."""
    if _is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return "unset $HF_HUB_DISABLE_IMPLICIT_TOKEN, which forbids to send a token"
    if not (hub_endpoint().startswith("https:") or is_on_loopback(hub_endpoint())):
        return "set $HF_ENDPOINT to a URL with https, as no token is sent over http"
    return None


def hub_token(log_in: Callable[[], str | None] = lambda: None) -> str | None:
    """Return the token in ``$HF_TOKEN``, or that of `log_in`, if one may be sent; it is never shown."""
    if remedy_to_send_token():
        return None
    token = (os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or log_in() or "").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise DownloadError("$HF_TOKEN: has characters that no token has. Copy it again.")
    return token or None


def links_are_forbidden() -> bool:
    """Tell whether the cache of the hub is to have no symbolic links."""
    return _is_set("HF_HUB_DISABLE_SYMLINKS")


def hub_cache() -> Path:
    """Return the folder of the hub's cache, as `huggingface_hub` finds it."""
    folder = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if not folder:
        above = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")  # noqa: PTH118  may begin with ~ or $
        folder = os.path.join(os.environ.get("HF_HOME") or os.path.join(above, "huggingface"), "hub")  # noqa: PTH118
    return Path(os.path.expandvars(os.path.expanduser(folder)))  # noqa: PTH111  never an error: then it stays ~
