"""WEBDATASET → ROWS: a tar archive in which consecutive files that differ only in their suffix are one sample.

Archives are streamed in constant memory. At a damaged header, Python's tarfile stops as if the archive ended there, and
the rest of the dataset would be lost silently: here that is an error.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn, cast

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.file_systems import without_secrets
from numpyclip.images.find import is_picture_name
from numpyclip.images.open import reason_of
from numpyclip.remote import open_stream
from numpyclip.sources.columns import CAPTION, free_names, valid_text
from numpyclip.sources.part import MOST_BYTES, Part, ReadOptions, Row

_MOST_TEXT = 2**20  # bytes
_MOST_NAME = 4096  # characters
_MOST_FACTS = 256  # of a sample
_BLOCK = 1 << 20  # bytes that are read at once where nothing is expected
_TEXTS = ("cls", "txt", "json")
_TEXT_KEYS = ("caption", "captions", "text", "txt")
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


@dataclass(eq=False)
class Sample:
    """The files with one name.

    Attributes
    ----------
    name : str
        Of the archive and the files, without their suffix.
    key : str
        Name of the files alone; empty for an archive that is damaged, after what could be read of it.
    suffix : str or None
        Of the image, which is the first one.
    image : bytes or None
    texts : dict of str to bytes
        Contents of ``.cls``, ``.txt`` and ``.json``, by suffix.
    problems : list of str
        What cannot be read.
    suffixes : set of str
        Of the files that are the image, a text, a problem, or another image.
    """

    name: str
    key: str
    suffix: str | None = None
    image: bytes | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    suffixes: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether there are neither images nor texts."""
        return self.image is None and not self.texts

    def picture(self) -> bytes:
        """Return the content of the image's file; InputError if there is none."""
        if self.image is None:
            raise InputError(f"{self.name}: has no image, only {', '.join(self.texts)}.")
        return self.image

    def text(self, suffix: str, errors: str = "strict") -> str | None:
        """Return the text in a file, None if there is no such file; by default InputError if it is not UTF-8."""
        if (content := self.texts.get(suffix)) is None:
            return None
        try:
            return content.decode("utf-8-sig", errors)
        except UnicodeDecodeError as error:
            raise InputError(f"{self.name}: its text is not UTF-8 ({error.reason}).") from error

    def facts(self) -> dict[str, Any]:
        """Return what is in ``.json``, where a bare number or string is a label; InputError if it is not JSON."""
        if (content := self.texts.get("json")) is None:
            return {}
        try:
            facts = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.name}: its .json is not JSON ({error!s:.100}).") from error
        return facts if isinstance(facts, dict) else {"label": facts}


class _DamagedError(Exception):
    """An archive cannot be read any further."""


class _Member(tarfile.TarInfo):
    """A file in an archive; errors are a damaged header, and a sparse file, where one stands for any zeros."""

    def _refuse(self, *_: object) -> NoReturn:
        raise _DamagedError("it has a sparse file")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse

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


class _Whole:
    """A stream that is damaged where it ends, since archives are read up to their mark of the end, and no further.

    Python's tarfile would pass over a file of any size after that, in as many reads of nothing.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        # Whatever is before a false checksum is returned by `read1`, but not by `read`.
        self._read = stream.read1 if isinstance(stream, gzip.GzipFile) else stream.read

    def read(self, size: int) -> bytes:
        if not (content := self._read(size)):
            raise _DamagedError("unexpected end of data")
        return content


def read_webdataset(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the samples of an archive; a damaged one ends with a row of the error."""
    shard = without_secrets(part.source)
    for sample in samples(part.source, with_images=options.kind == "images"):
        key = f"{shard}/{sample.key}" if sample.key else shard
        try:
            row = _row(key, sample, options)
        except InputError as error:
            row = Row(key, None, {}, str(error))
        yield row


def samples(source: str, *, with_images: bool = True) -> Iterator[Sample]:
    """Iterate over the samples of an archive, a path or URL; a damaged one ends with a sample that says so.

    Raises
    ------
    InputError
        If it cannot be read: it does not exist, or the connection broke repeatedly.
    """
    with open_stream(source) as stream:
        source = without_secrets(source)
        sample = Sample(f"{source}/", "")
        try:
            content = _content(stream)
            for stem, suffix, member, file in _members(content):
                if stem != sample.key or suffix in sample.suffixes:
                    if sample.suffixes:
                        yield sample
                    sample = Sample(f"{source}/{stem}", stem)
                if _is_used(suffix):
                    _add(sample, source, suffix, member, file if with_images or suffix in _TEXTS else None)
            if not sample.key:  # as of a disk that has failed, which may be all zeros
                sample.problems.append(f"{source}: has no files; expected images or texts.")
            if sample.suffixes or sample.problems:
                yield sample
            while isinstance(content, gzip.GzipFile) and content.read(_BLOCK):
                pass  # its checksum is at its end
        except NumPyCLIPError:  # of the stream
            raise
        except Exception as error:  # decompressors raise errors of every kind
            after = f"{sample.key or 'its beginning'!r:.100}"
            yield Sample(source, "", problems=[f"{source}: damaged after {after} ({reason_of(error)})."])


def _content(stream: IO[bytes]) -> IO[bytes]:
    """Return the content of a gzip stream, whose checksum Python's tarfile does not read, and others as they are."""
    is_gzip = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb")) if is_gzip else stream


def _members(stream: IO[bytes]) -> Iterator[tuple[str, str, tarfile.TarInfo, IO[bytes]]]:
    """Iterate over the regular files in an archive, each to be read before the next one, with key and suffix."""
    with tarfile.open(fileobj=cast("IO[bytes]", _Whole(stream)), mode="r|*", tarinfo=_Member) as archive:
        if archive.firstmember is None:  # type: ignore[attr-defined]  # after which Python 3.10 would seek
            return
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # which would grow with the archive
            if member.isreg() and (file := archive.extractfile(member)) is not None:
                stem, suffix = _split(member.name)
                if stem and not stem.endswith("/"):  # skips hidden files, such as those that macOS adds for every file
                    yield stem[:_MOST_NAME], suffix, member, file


def _add(sample: Sample, source: str, suffix: str, member: tarfile.TarInfo, file: IO[bytes] | None) -> None:
    """Read a file of a sample, unless it is too large or not the first image; None for an image that is not needed."""
    most = _MOST_TEXT if suffix in _TEXTS else MOST_BYTES
    sample.suffixes.add(suffix)
    if (length := len(member.name)) > _MOST_NAME:
        some = f"{member.name!r:.100}"
        sample.problems.append(f"{source}: {some}: its name has {length} characters; expected at most {_MOST_NAME}.")
    elif file is None:
        sample.image = b""
    elif member.size > most:
        sample.problems.append(f"{source}: {member.name!r:.100} has {member.size} bytes; expected {most} at most.")
    elif suffix in _TEXTS:
        sample.texts[suffix] = file.read()
    elif sample.image is None:
        sample.suffix, sample.image = suffix, file.read()


def _is_used(suffix: str) -> bool:
    """Tell whether a file is the image or a text; "b.seg.png" is not the image of "b.png"."""
    return suffix in _TEXTS or ("." not in suffix and is_picture_name(f".{suffix}"))


def _split(name: str) -> tuple[str, str]:
    """Split the path of a member at the first dot of its last part, as webdataset does."""
    folder, slash, file = name.rpartition("/")
    stem, _, suffix = file.partition(".")
    return folder + slash + stem, suffix.lower()


def _row(key: str, sample: Sample, options: ReadOptions) -> Row:
    """Make a row of a sample, with its caption, its class and what is in ``.json``; InputError if it cannot be one.

    Damaged metadata loses no image: texts that are not UTF-8 are escaped, other damaged values left out.
    """
    is_image = options.kind == "images"
    if sample.problems and not (is_image and sample.image is not None):
        raise InputError(sample.problems[0])
    errors = "backslashreplace" if is_image else "strict"
    found = {CAPTION: sample.text("txt", errors), "cls": sample.text("cls", errors)}
    columns: dict[str, Any] = {name: text.strip() for name, text in found.items() if text is not None}
    content: str | bytes
    facts: dict[str, Any] = {}
    with suppress(InputError) if is_image else nullcontext():
        facts = sample.facts()
    if is_image:
        content = sample.picture()
    else:
        content = columns[CAPTION] = _text(sample.name, columns.get(CAPTION), facts, options.column)
    if options.columns is not None:
        wanted = options.columns if is_image else {*options.columns, CAPTION}
        facts = {name: facts.get(name) for name in options.columns if name not in columns}
        columns = {name: text for name, text in columns.items() if name in wanted}
    if len(facts) > _MOST_FACTS:
        facts = {}
    columns |= {new: facts[name] for name, new in free_names(facts, columns).items()}
    return Row(key, content, columns)


def _text(name: str, caption: str | None, facts: dict[str, Any], key: str | None) -> str:
    """Return the text of a sample, by default its caption, and take it out of `facts` if it is from there."""
    if caption and key in (None, CAPTION):
        return caption
    for known in (key,) if key else _TEXT_KEYS:
        if isinstance(text := facts.get(known), str) and text.strip():
            del facts[known]
            return valid_text(text.strip())
    raise InputError(f"{name}: has no text; expected .txt, or a string {key or CAPTION} in .json.")
