"""Webdataset: a tar archive in which files that follow each other and have one name but for the suffix belong together.

Read from the beginning to the end, so that an archive of any size needs little memory. Python's tarfile ends without a
word where a header is damaged, and half a dataset would be evaluated as if it were all: here that is an error.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.images.find import is_picture_name
from numpyclip.images.open import reason_of
from numpyclip.tasks.evaluation.datasets.dataset import Example, Report, as_captions, as_label

_MOST_PICTURE = 2**28  # bytes
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
    """A file in an archive, whose header must be sound."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0 or (member.type in _HEADERS and member.size > _MOST_TEXT):
            raise _DamagedError(f"a header says that it has {member.size} bytes")
        return member

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Member:
        try:
            member: _Member = super().fromtarfile(tarfile_)  # which calls `frombuf` of this class
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # the mark at the end, which is as it should be
                raise
            raise _DamagedError(str(error)) from error
        return member


@dataclass(frozen=True)
class Tar:
    """One archive.

    Attributes
    ----------
    path : Path
    """

    path: Path

    def __call__(self, report: Report) -> Iterator[Example]:
        """Iterate over the examples; where the archive is damaged they end, and that is reported."""
        key, parts = "", dict[str, bytes]()
        try:
            with tarfile.open(self.path, "r|*", tarinfo=_Member) as archive:
                for member in archive:
                    stem, suffix = _split(member.name)
                    if stem != key:
                        yield from self._example(key, parts, report)
                        key, parts = stem, {}
                    if member.isreg() and _is_used(suffix):
                        content = self._content(
                            archive, member, _MOST_TEXT if suffix in _TEXTS else _MOST_PICTURE, report
                        )
                        if content is not None:
                            parts[suffix] = content
            yield from self._example(key, parts, report)
        except NumPyCLIPError:  # of a report that raises
            raise
        except Exception as error:  # decompressors raise errors of every kind
            report(InputError(f"{self.path}: damaged after {key or 'its beginning'!r:.100} ({reason_of(error)})."))

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, most: int, report: Report) -> bytes | None:
        if member.size > most:
            report(InputError(f"{self.path}: {member.name!r:.100} has {member.size} bytes; expected {most} at most."))
            return None
        file = archive.extractfile(member)
        return None if file is None else file.read()

    def _example(self, key: str, parts: dict[str, bytes], report: Report) -> Iterator[Example]:
        """Put together what one key has; nothing where it has neither picture nor text."""
        if not parts:
            return
        name = f"{self.path}/{key}"
        try:
            yield _assembled(name, parts)
        except InputError as error:
            report(error)


def _is_used(suffix: str) -> bool:
    """Tell whether a file is the picture or a text; "b.seg.png" is another picture than "b.png"."""
    return suffix in _TEXTS or ("." not in suffix and is_picture_name(f".{suffix}"))


def _split(name: str) -> tuple[str, str]:
    """Split the path of a member at the first dot of its last part, as webdataset does."""
    folder, slash, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return folder + slash + stem, suffix.lower()


def _assembled(name: str, parts: dict[str, bytes]) -> Example:
    suffix = next((suffix for suffix in parts if suffix not in _TEXTS), None)
    if suffix is None:
        raise InputError(f"{name}: has no picture, but {', '.join(parts)} alone.")
    facts = _json(name, parts["json"]) if "json" in parts else {}
    label = as_label(_text(name, parts["cls"]) if "cls" in parts else _first(facts, _LABEL_KEYS), name)
    captions = as_captions(_text(name, parts["txt"]) if "txt" in parts else _first(facts, _CAPTION_KEYS), name)
    if label is None and not captions:
        raise InputError(f"{name}: has neither a label nor captions; expected them as .cls, .txt or .json.")
    return Example(f"{name}.{suffix}", parts[suffix], label, captions)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: its text is not UTF-8 ({error.reason}).") from error


def _json(name: str, content: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: its .json is none ({error!s:.100}).") from error
    if isinstance(facts, dict):
        return facts
    return {"label": facts}  # a bare number or text


def _first(facts: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((facts[key] for key in keys if facts.get(key) is not None), None)
