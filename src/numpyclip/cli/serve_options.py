"""Options of `numpyclip serve`: the log, who is answered, and limits; and the settings of the server that they make."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from numpyclip.arguments import checked_network, checked_origin
from numpyclip.cli.options import positive
from numpyclip.cli.outputs import said_through
from numpyclip.errors import InputError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def add_log_options(command: argparse.ArgumentParser) -> None:
    """Add what is logged, and how."""
    command.set_defaults(logged=logged)
    group = command.add_argument_group("log")
    group.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="info has a line for each request, and debug tracebacks of errors (default: %(default)s)",
    )
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="of the log on stderr: lines of text, or of JSON (default: %(default)s)",
    )


@contextlib.contextmanager
def logged(arguments: argparse.Namespace) -> Iterator[None]:
    """Have all that is said, and printed by others, be in the log."""
    from numpyclip.server.monitoring.logs import logging_to_stderr

    logger = logging.getLogger("numpyclip.server")

    def log(level: str, message: str) -> None:
        logger.log(getattr(logging, level.upper()), "%s", message)

    with logging_to_stderr(arguments.log_level, arguments.log_format), said_through(log):
        yield


def add_access_options(command: argparse.ArgumentParser) -> None:
    """Add who is answered."""
    group = command.add_argument_group("access")
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="file of accepted tokens: `name: token` on each line, or one token alone; it is read again when it "
        "changes (default: the one token of $NUMPYCLIP_TOKEN)",
    )
    group.add_argument(
        "--trusted-address",
        action="append",
        default=[],
        type=_checked(checked_network),
        metavar="CIDR",
        help="address or network whose clients need no token, such as 192.168.1.7 or 192.168.1.0/24; all others need "
        "one only if tokens are set; may be given several times",
    )
    group.add_argument(
        "--proxy",
        action="append",
        default=[],
        type=_checked(checked_network),
        metavar="CIDR",
        help="address or network of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted; may be "
        "given several times (default: loopback)",
    )
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="name of this server that the header Host of requests may have; may be given several times",
    )
    group.add_argument(
        "--cors",
        action="append",
        default=[],
        type=_checked(checked_origin),
        metavar="ORIGIN",
        help="site whose pages may send requests, such as https://example.org; *: all sites, with a token; may be "
        "given several times",
    )


def add_limits(command: argparse.ArgumentParser) -> None:
    """Add the limits of requests, besides that of pixels."""
    group = command.add_argument_group("limits")
    group.add_argument(
        "--max-bytes",
        type=_size,
        default=64 << 20,
        metavar="SIZE",
        help="maximum size of a request, such as 500K or 64M (default: 64M)",
    )
    for name, kind, default, metavar, what in (
        ("max-inputs", positive, 2048, "N", "texts or images in a request"),
        ("max-waiting", positive, 4096, "N", "inputs in the queue"),
        ("timeout", _seconds, 60, "SECONDS", "time for a request"),
    ):
        group.add_argument(
            f"--{name}", type=kind, default=default, metavar=metavar, help=f"maximum {what} (default: {default})"
        )


def access_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return fields of the server's settings: who is answered.

    Raises
    ------
    InputError
        If the file of tokens cannot be read, or the variable is no token.
    """
    from numpyclip.server.access.tokens import Tokens, checked_token

    variable, file = os.environ.get("NUMPYCLIP_TOKEN"), arguments.token_file
    token = checked_token(variable, "$NUMPYCLIP_TOKEN") if variable else None
    own = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    hosts = ("127.0.0.1", "[::1]", "localhost", own, *(host.lower() for host in arguments.allow_host))
    return {
        "tokens": Tokens(path=file) if file is not None else Tokens(token),
        "trusted_addresses": tuple(arguments.trusted_address),
        "cors_origins": tuple(arguments.cors),
        "allowed_hosts": hosts if is_loopback(arguments) or arguments.allow_host else (),
    }


def limit_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return fields of the server's settings: the limits of requests."""
    return {
        "max_bytes": arguments.max_bytes,
        "max_total_bytes": max(256 << 20, 4 * arguments.max_bytes),
        "max_inputs": arguments.max_inputs,
        "max_waiting": arguments.max_waiting,
        "timeout": arguments.timeout,
    }


def is_loopback(arguments: argparse.Namespace) -> bool:
    """Tell whether only this machine reaches the server."""
    return ipaddress.ip_address(arguments.host).is_loopback


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """Make what reads an argument that is checked."""

    def read(text: str) -> str:
        try:
            return str(check(text))
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error

    return read


def _seconds(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text) or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no number of seconds; expected 1 to 999999")
    return int(text)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})([KMG]?)", text.upper())
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected one such as 500K, 64M or 1G")
    return int(match[1]) * _UNITS[match[2]]
