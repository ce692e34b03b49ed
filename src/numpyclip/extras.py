"""Optional packages: the command that installs an extra of the NumPyCLIP that is running."""

import json
import re
from pathlib import Path
from typing import Any

from numpyclip.errors import MissingPackageError

_CHECKOUT = Path(__file__).parents[2]
_COMMAND = re.compile(r'pip install [^"]*"[^"]*\[([\w,-]+)\][^"]*"')


def install_command(extra: str, *packages: str) -> str:
    """Return the command that installs an extra of this NumPyCLIP, and other packages.

    It is ``pip install "numpyclip[server]"`` if that came from an index, ``pip install "/home/me/checkout[server]"`` if
    from a checkout, with ``-e`` if it was installed so: the version stays, and need not be in an index.
    """
    option, requirement = _requirement(f"[{extra}]")
    return " ".join(["pip install", *packages, f'{option}"{requirement}"'])


def missing(needs: str, extra: str, *packages: str) -> MissingPackageError:
    """Make the error that says what needs which package, and how to install it."""
    return MissingPackageError(f"{needs}: {install_command(extra, *packages)}")


def without_commands(message: str) -> str:
    """Return a message with extras named in place of commands, for clients: what is installed where is not for them."""
    return _COMMAND.sub(r'the server lacks the extra "\1"', message)


def _requirement(extra: str) -> tuple[str, str]:
    """Return an option of pip, and what to install, which its direct_url.json (PEP 610) says of what is in no index."""
    # Imported for messages alone, since they take longer than the rest of the package.
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        origin: dict[str, Any] = json.loads(distribution("numpyclip").read_text("direct_url.json") or "{}")
        url, vcs = str(origin.get("url", "")), origin.get("vcs_info")
        if vcs:
            return "", f"numpyclip{extra} @ {vcs['vcs']}+{url}@{vcs['commit_id']}"
        option = "-e " if origin.get("dir_info", {}).get("editable") else ""
    except PackageNotFoundError:  # its folder is on the path
        return "", f"{_CHECKOUT}{extra}" if (_CHECKOUT / "pyproject.toml").is_file() else f"numpyclip{extra}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", f"numpyclip{extra}"
    if not url.startswith("file:"):
        return "", f"numpyclip{extra} @ {url}" if url else f"numpyclip{extra}"
    path = url2pathname(urlsplit(url).path)
    if not Path(path).exists():  # pip adds what the extra needs to the NumPyCLIP that is installed
        return "", f"numpyclip{extra}"
    return option, f"{path}{extra}"
