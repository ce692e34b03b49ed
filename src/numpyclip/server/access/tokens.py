"""Tokens with names, from a file that may change at any time, and the sessions of browsers that have sent one."""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import os
import re
import stat
import time
from collections.abc import Mapping

from numpyclip.errors import InputError

_LOG = logging.getLogger("numpyclip.server")
_LINE = re.compile(r"([A-Za-z0-9._@-]{1,64}):\s+(.+)")
_USUAL_NAME = "token"
_MAX_FILE = 1 << 20  # bytes
_RETRY = 5.0  # seconds until a file that could not be read is tried again, though it has not changed
SESSION_SECONDS = 30 * 24 * 3600


class Tokens:
    """The accepted tokens; without any, requests need none.

    Parameters
    ----------
    token : str, optional
        The only token.
    path : str, optional
        A file of tokens (see `read_tokens`) in place of it, which is read again whenever it changes. If it cannot be
        read then, the tokens stay as they were.

    Raises
    ------
    InputError
        If the file cannot be read.
    """

    def __init__(self, token: str | None = None, path: str | None = None) -> None:
        self._path = path
        self._signature = _signature(path)
        self._retry_at = math.inf
        found = read_tokens(path) if path is not None else {_USUAL_NAME: token} if token is not None else {}
        self._set(found)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def name_of(self, sent: bytes) -> str | None:
        """Return the name of a token; None if it is wrong."""
        self._read_again()
        digest = hashlib.sha256(sent).digest()
        return self._first({name: hmac.compare_digest(digest, known) for name, (_, known) in self._keys.items()})

    def session(self, sent: bytes) -> str | None:
        """Make a cookie for a browser that has sent a token; None if the token is wrong.

        It holds its expiry and a signature by the token, so that any process can verify it, also after a restart, as
        long as the token is valid; the token cannot be computed from it.
        """
        name = self.name_of(sent)
        if name is None:
            return None
        end = str(int(time.time()) + SESSION_SECONDS)
        return f"{end}.{_signed(self._keys[name][0], end)}"

    def name_of_session(self, cookie: str) -> str | None:
        """Return the name of the token that a cookie was made for; None if it is invalid or expired."""
        self._read_again()
        end, _, signature = cookie.partition(".")
        if not re.fullmatch("[0-9]{1,12}", end) or int(end) < time.time():
            return None
        sent = signature.encode("utf-8", "surrogatepass")
        keys = self._keys.items()
        return self._first({name: hmac.compare_digest(sent, _signed(key, end).encode()) for name, (key, _) in keys})

    def _first(self, matches: Mapping[str, bool]) -> str | None:
        """Return the name that matches, after all comparisons, so that the time does not reveal which."""
        return next((name for name, matched in matches.items() if matched), None)

    def _set(self, tokens: Mapping[str, str]) -> None:
        encoded = {name: token.encode("utf-8", "surrogatepass") for name, token in tokens.items()}
        self._keys = {name: (token, hashlib.sha256(token).digest()) for name, token in encoded.items()}

    def _read_again(self) -> None:
        if self._path is None:
            return
        signature = _signature(self._path)
        if signature == self._signature and time.monotonic() < self._retry_at:
            return
        self._signature, self._retry_at = signature, math.inf
        try:
            self._set(read_tokens(self._path))
        except InputError as error:
            if isinstance(error.__cause__, OSError):  # such as too many open files, which passes
                self._retry_at = time.monotonic() + _RETRY
            _LOG.error("%s The tokens stay as they were.", error)
        else:
            _LOG.info("%s: read again; tokens: %s", self._path, ", ".join(self._keys))


def read_tokens(path: str) -> dict[str, str]:
    """Read a file of tokens: ``name: token`` on each line, and lines of comments (``#``); or one token without a name.

    Returns
    -------
    dict
        The tokens by their names.

    Raises
    ------
    InputError
        If it cannot be read or is empty, a line is none of these, or a name or a token is there twice. Lines are
        named by their number: messages contain no token.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123
            text = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise InputError(f"{path}: cannot be read ({reason}).") from error
    if len(text) > _MAX_FILE:
        raise InputError(f"{path}: is too large; expected one token a line.")
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    lines_with_tokens = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines_with_tokens:
        raise InputError(f"{path}: is empty; expected a token.")
    alone = lines_with_tokens[0][1]
    if len(lines_with_tokens) == 1 and _is_token(alone) and ":" not in alone:
        return {_USUAL_NAME: alone}
    tokens: dict[str, str] = {}
    for number, line in lines_with_tokens:
        match = _LINE.fullmatch(line)
        if match is None or not _is_token(match[2]):
            raise InputError(
                f"{path}: line {number} is no token with a name; expected `name: token`, without whitespace in the "
                "token."
            )
        if match[1] in tokens or match[2] in tokens.values():
            raise InputError(f"{path}: line {number} repeats a name or token of an earlier line; expected others.")
        tokens[match[1]] = match[2]
    return tokens


def checked_token(text: str, place: str) -> str:
    """Return a token without surrounding whitespace.

    Raises
    ------
    InputError
        If clients could not send it.
    """
    token = text.strip()
    if not _is_token(token):
        raise InputError(f"{place} is no token; expected printable characters without whitespace.")
    return token


def _is_token(text: str) -> bool:
    return bool(text) and text.isprintable() and " " not in text


def _signature(path: str | None) -> tuple[int, ...] | None:
    """Return values that change whenever a file does; None for a pipe, which cannot be read again."""
    try:
        found = os.stat(path) if path is not None else None  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _signed(token: bytes, end: str) -> str:
    return hmac.new(token, f"numpyclip-session until {end}".encode(), hashlib.sha256).hexdigest()
