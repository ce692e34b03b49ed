"""Folders and files of an index: the part of `Store` that an update asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from numpyclip.errors import InputError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import picture_rows, rows
from numpyclip.index.database import Database
from numpyclip.index.where import absolute, is_path


class IndexedFiles:
    """See `Store`."""

    _database: Database

    def folders(self) -> dict[str, tuple[str, ...]]:
        """Return folders that are indexed, with the patterns of what is ignored in each."""
        with self._database.reading() as connection:
            return rows.folders_in(connection)

    def set_folder(self, folder: str, ignore: Sequence[str]) -> None:
        """Add a folder, or change what is ignored in it."""
        with self._database.transaction() as connection:
            rows.put_folder(connection, absolute(folder), [pattern for pattern in ignore if pattern])

    def forget_folder(self, folder: str) -> int:
        """Remove a folder and all files below it, return how many; folders above it ignore it until it is added."""
        if not is_path(folder):
            raise InputError(f"{folder!r:.60}: is a folder that no path can be.")
        folder = absolute(folder)
        with self._database.transaction() as connection:
            return rows.forget_folder(connection, folder)

    def directories(self, folder: str | None = None) -> list[str]:
        """List the folder and those below it, or all folders, in which there are files of this machine."""
        with self._database.reading() as connection:
            return picture_rows.directories_in(connection, folder)

    def files(self, directory: str) -> dict[str, FileState]:
        """Return the files directly in a folder, by name."""
        with self._database.reading() as connection:
            return picture_rows.files_in(connection, directory)

    def unreadable(self, directory: str) -> dict[str, str | None]:
        """Return the files directly in a folder that could not be read, by name, and what each was tried with."""
        with self._database.reading() as connection:
            return picture_rows.unreadable_in(connection, directory)

    def knows(self, digest: bytes) -> bool:
        """Tell whether an image with this content has an embedding."""
        with self._database.reading() as connection:
            return bool(picture_rows.pictures_of(connection, [digest]))

    def number_at(self, path: str) -> int | None:
        """Look up the number of an image by a path that the index has of it; no file is looked at."""
        if not (path and is_path(path)):
            return None
        with self._database.reading() as connection:
            return picture_rows.number_at(connection, absolute(path))

    def digests(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Look up the SHA-256 of images of which there is a file, by their numbers; others are left out."""
        with self._database.reading() as connection:
            return picture_rows.digests_of(connection, numbers)

    def paths_of(self, digests: Sequence[bytes]) -> dict[bytes, set[str]]:
        """Look up where images are, by the SHA-256 of their files; those that are not there are left out."""
        with self._database.reading() as connection:
            return picture_rows.paths_of(connection, digests)

    def no_file(self) -> str | None:
        """Return the path of an image that is no file on this machine, such as a URL, if there is one."""
        with self._database.reading() as connection:
            return picture_rows.no_file(connection)

    def unread_exif(self, n: int, below: int) -> dict[int, list[tuple[str, FileState]]]:
        """Return files of images below a number of which an earlier version has read less; the last ones first."""
        with self._database.reading() as connection:
            numbers = picture_rows.unread_exif(connection, n, below)
            files = picture_rows.files_of(connection, numbers)
        return {number: [(path, state) for path, state, *_ in files[number] if state.is_here] for number in numbers}

    def replace_exif(self, found: Mapping[int, Exif], last: int) -> None:
        """Replace what is known of images; of all from the number `last` on, nothing is to be read again."""
        with self._database.transaction() as connection:
            picture_rows.replace_exif(connection, found, last)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Iterate over files that cannot be read, each with the reason."""
        with self._database.reading() as connection:
            found = picture_rows.problems(connection)
        yield from found
