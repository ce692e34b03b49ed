"""Optional packages: the command that installs an extra."""

import re

from numpyclip.errors import MissingPackageError

_COMMAND = re.compile(r'pip install [^"]*"numpyclip\[([\w-]+)\]"')


def install_command(extra: str, *packages: str) -> str:
    """Return the command that adds an extra, and other packages, to the NumPyCLIP that is installed.

    pip keeps that one, wherever it came from: an index, a wheel or a checkout, editable or not.
    """
    return " ".join(["pip install", *packages, f'"numpyclip[{extra}]"'])


def missing(needs: str, extra: str, *packages: str) -> MissingPackageError:
    """Make the error that says what needs which package, and how to install it."""
    return MissingPackageError(f"{needs}: {install_command(extra, *packages)}")


def without_commands(message: str) -> str:
    """Return a message for clients, who install nothing on the server: extras are named in place of commands."""
    return _COMMAND.sub(r'the server lacks the extra "\1"', message)
