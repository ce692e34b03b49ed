"""Options of `numpyclip serve`, and the settings of the server that they make."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from numpyclip.arguments import checked_network, checked_origin
from numpyclip.cli.configuration import add_config_option
from numpyclip.cli.options import Options, add_decoding_option, add_file_options, file_options, positive
from numpyclip.cli.outputs import said_through
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.server import Settings, Tokens

_T = TypeVar("_T")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def add_general_options(command: argparse.ArgumentParser) -> None:
    """Add where the server listens, its processes, its models, and the file of options."""
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument(
        "--port", type=_port, default=8000, help="port to listen on; 0: any that is free (default: %(default)s)"
    )
    command.add_argument(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="processes that answer requests, each with its share of the cores (default: %(default)s)",
    )
    command.add_argument(
        "--idle",
        type=_minutes,
        default=0,
        metavar="MINUTES",
        help="unload a model that no request has used for so long; 0: never (default: %(default)s)",
    )
    _add_list(command, "--model-name", "NAME", "another name of the model in requests")
    command.add_argument(
        "--url-prefix",
        default="",
        metavar="PATH",
        help="path prefix under which a reverse proxy serves it, such as /photos",
    )
    command.add_argument(
        "--immich-forward", metavar="URL", help="Immich's own machine-learning server, for faces and texts in images"
    )
    add_config_option(command, "NUMPYCLIP_SERVE_")


def add_index_options(command: argparse.ArgumentParser) -> Options:
    """Add whether there is an index, and what clients may see and change in it; return the group."""
    group = command.add_argument_group("index")
    group.add_argument("--no-index", action="store_true", help="serve embeddings only, no search")
    group.add_argument(
        "--update-every",
        type=_minutes,
        default=10,
        metavar="MINUTES",
        help="update the index at the start, and at this interval; 0: never (default: %(default)s)",
    )
    group.add_argument("--no-originals", action="store_true", help="send thumbnails only, without metadata")
    group.add_argument("--read-only", action="store_true", help="refuse changes of favorites, ratings, tags and albums")
    return group


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
    _add_list(
        group,
        "--trusted-address",
        "CIDR",
        "address or network whose clients need no token, such as 192.168.1.7 or 192.168.1.0/24; all others need one "
        "only if tokens are set",
        _checked(checked_network),
    )
    _add_list(
        group,
        "--proxy",
        "CIDR",
        "address or network of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted",
        _checked(checked_network),
        " (default: loopback)",
    )
    _add_list(group, "--allow-host", "HOST", "name of this server that the header Host of requests may have")
    _add_list(
        group,
        "--cors",
        "ORIGIN",
        "site whose pages may send requests, such as https://example.org; *: all sites, with a token",
        _checked(checked_origin),
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


def add_image_options(command: argparse.ArgumentParser) -> None:
    """Add from where images are fetched, and how they are decoded."""
    group = command.add_argument_group("images")
    _add_list(group, "--fetch-host", "HOST", "host from which images may be fetched")
    group.add_argument(
        "--fetch-private",
        action="store_true",
        help="fetch from hosts of --fetch-host also where their names have no public address",
    )
    add_decoding_option(group)
    add_file_options(group)


def server_settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings of the server.

    Raises
    ------
    InputError
        If they contradict each other, the file of tokens cannot be read, or the variable is no token.
    """
    from numpyclip.server import Settings

    return Settings(
        text_model=arguments.text_model,
        tokens=_tokens(arguments),
        trusted_networks=tuple(arguments.trusted_address),
        cors_origins=tuple(arguments.cors),
        allowed_hosts=_allowed_hosts(arguments),
        url_prefix=arguments.url_prefix.rstrip("/"),
        originals=not arguments.no_originals,
        marks=not arguments.read_only,
        fetch_hosts=tuple(host.lower() for host in arguments.fetch_host),
        fetch_private=arguments.fetch_private,
        immich_forward=arguments.immich_forward,
        max_bytes=arguments.max_bytes,
        max_total_bytes=max(256 << 20, 4 * arguments.max_bytes),
        max_inputs=arguments.max_inputs,
        max_waiting=arguments.max_waiting,
        timeout=arguments.timeout,
        draft=arguments.draft,
        **file_options(arguments),
        batch_size=arguments.batch_size,
        idle=60 * arguments.idle,
    )


def _tokens(arguments: argparse.Namespace) -> Tokens:
    from numpyclip.server.access.tokens import Tokens, checked_token

    variable = os.environ.get("NUMPYCLIP_TOKEN")
    token = checked_token(variable, "$NUMPYCLIP_TOKEN") if variable else None
    return Tokens(token) if arguments.token_file is None else Tokens(path=arguments.token_file)


def _allowed_hosts(arguments: argparse.Namespace) -> tuple[str, ...]:
    if not (is_loopback(arguments) or arguments.allow_host):
        return ()
    own = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    return "127.0.0.1", "[::1]", "localhost", own, *(host.lower() for host in arguments.allow_host)


def is_loopback(arguments: argparse.Namespace) -> bool:
    """Tell whether only this machine reaches the server."""
    return ipaddress.ip_address(arguments.host).is_loopback


def _add_list(
    options: Options,
    name: str,
    metavar: str,
    meaning: str,
    kind: Callable[[str], object] = str,
    default: str = "",
) -> None:
    """Add an option that may be given several times."""
    more = f"; may be given several times{default}"
    options.add_argument(name, action="append", default=[], type=kind, metavar=metavar, help=meaning + more)


def _checked(check: Callable[[str], _T]) -> Callable[[str], _T]:
    """Make what reads an argument that is checked."""

    def read(text: str) -> _T:
        try:
            return check(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error

    return read


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
    return int(text)


def _minutes(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r:.60} is no number of minutes; expected one such as 10, at most 999999, or 0 for never"
        )
    return int(text)


def _seconds(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text) or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no number of seconds; expected 1 to 999999")
    return int(text)


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})([KMG]?)", text.upper())
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected one such as 500K, 64M or 1G")
    return int(match[1]) * _UNITS[match[2]]
