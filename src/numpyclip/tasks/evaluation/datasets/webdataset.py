"""WEBDATASET → EXAMPLES: a tar archive in which consecutive files with one name but for the suffix are one example.

It is streamed, so that an archive of any size needs little memory. At a damaged header Python's tarfile stops as if the
archive ended there, and a part of the dataset would be evaluated as all of it: here that is an error.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.images.find import is_picture_name
from numpyclip.images.open import reason_of
from numpyclip.tasks.evaluation.datasets.dataset import Example, Report

_MOST_IMAGE = 2**28  # bytes
_MOST_TEXT = 2**20
_TEXTS = ("cls", "txt", "json")
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_LABEL_KEYS = ("label", "cls", "class")
_CAPTION_KEYS = ("captions", "caption", "text", "txt")


class _DamagedError(Exception):
    """An archive cannot be read any further."""


class _Member(tarfile.TarInfo):
    """A file in an archive; a damaged header is an error."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0 or (member.type in _HEADERS and member.size > _MOST_TEXT):
            raise _DamagedError(f"a header says that it has {member.size} bytes")
        return member

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Member:
        try:
            member: _Member = super().fromtarfile(tarfile_)  # calls `frombuf`
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # the end-of-archive mark
                raise
            raise _DamagedError(str(error)) from error
        return member


def tar_examples(path: Path, report: Report) -> Iterator[Example]:
    """Iterate over the examples of an archive; a damaged one ends early, and that is reported."""
    key, parts = "", dict[str, bytes]()
    try:
        with tarfile.open(path, "r|*", tarinfo=_Member) as archive:
            for member in archive:
                stem, suffix = _split(member.name)
                if stem != key:
                    yield from _example(f"{path}/{key}", parts, report)
                    key, parts = stem, {}
                if not (member.isreg() and _is_used(suffix)):
                    continue
                most = _MOST_TEXT if suffix in _TEXTS else _MOST_IMAGE
                if member.size > most:
                    name = f"{member.name!r:.100}"
                    report(InputError(f"{path}: {name} has {member.size} bytes; expected {most} at most."))
                elif (file := archive.extractfile(member)) is not None:
                    parts[suffix] = file.read()
        yield from _example(f"{path}/{key}", parts, report)
    except NumPyCLIPError:  # of a report that raises
        raise
    except Exception as error:  # decompressors raise errors of every kind
        report(InputError(f"{path}: damaged after {key or 'its beginning'!r:.100} ({reason_of(error)})."))


def _example(name: str, parts: dict[str, bytes], report: Report) -> Iterator[Example]:
    """Assemble the files with one name, by suffix; nothing if there are neither images nor texts."""
    if not parts:
        return
    try:
        suffix = next((suffix for suffix in parts if suffix not in _TEXTS), None)
        if suffix is None:
            raise InputError(f"{name}: has no image, only {', '.join(parts)}.")
        facts = _json(name, parts["json"]) if "json" in parts else {}
        label = _text(name, parts["cls"]) if "cls" in parts else _first(facts, _LABEL_KEYS)
        captions = _text(name, parts["txt"]) if "txt" in parts else _first(facts, _CAPTION_KEYS)
        yield Example.of(f"{name}.{suffix}", parts[suffix], label, captions)
    except InputError as error:
        report(error)


def _is_used(suffix: str) -> bool:
    """Tell whether a file is the image or a text; "b.seg.png" is not the image of "b.png"."""
    return suffix in _TEXTS or ("." not in suffix and is_picture_name(f".{suffix}"))


def _split(name: str) -> tuple[str, str]:
    """Split the path of a member at the first dot of its last part, as webdataset does."""
    folder, slash, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return folder + slash + stem, suffix.lower()


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: its text is not UTF-8 ({error.reason}).") from error


def _json(name: str, content: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: its .json is not JSON ({error!s:.100}).") from error
    if isinstance(facts, dict):
        return facts
    return {"label": facts}  # a bare number or string


def _first(facts: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((facts[key] for key in keys if facts.get(key) is not None), None)
