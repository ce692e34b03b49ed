"""Where the weights of OpenAI's models come from: the disk, a mirror, OpenAI, or a copy on the Hugging Face hub."""

import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import ENOSPC
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from numpyclip.atomic import resumable_part, resumable_path
from numpyclip.errors import CheckpointError, ChecksumError, DownloadError, OfflineError
from numpyclip.weights.catalogue import Copy, KnownModel
from numpyclip.weights.hub import PREFIX
from numpyclip.weights.hub_cache import CachedRepository
from numpyclip.weights.local import (
    Folder,
    make_folder,
    sha256_of,
    stat_regular_file,
    weights_folder,
    write_stamp,
)
from numpyclip.weights.network_settings import HUB, hub_cache, is_offline, mirror, setting_against_hub

if TYPE_CHECKING:  # http and tls take a while to import; a model that is here needs neither
    from numpyclip.weights.download import Attempts

Check = Callable[[Path], None]  # raises CheckpointError for a copy that is not the model

_TINY = (
    "To try NumPyCLIP without a download, use the model in the package: load('tiny'), numpyclip classify --model tiny."
)


class Weights(NamedTuple):
    """A file of weights, and whether it is a copy: a file of another library."""

    path: Path
    is_copy: bool


def obtain(model: KnownModel, download_root: Folder | None, check: Check) -> Weights:
    """Return the weights of a model, after downloading them if they are neither here nor in the hub's cache.

    Parameters
    ----------
    model : KnownModel
    download_root : path-like or None
        The folder of the file, and the cache of copies; see `weights_folder`.
    check : callable
        Raises CheckpointError for a copy that is not this model.

    Raises
    ------
    OfflineError
        If they are missing, and ``$NUMPYCLIP_OFFLINE`` is set.
    ChecksumError
        If a source has another file and none the published one; or the file here is damaged, and
        ``$NUMPYCLIP_OFFLINE`` is set.
    DownloadError
        If they cannot be fetched or written.

    Warns
    -----
    UserWarning
        If a damaged file is replaced.
    """
    return _Search(model, download_root, check).obtain()


def find(model: KnownModel, download_root: Folder | None, check: Check) -> Path | None:
    """Find the file of a model, which is not verified, also in its usual folder, or a copy of it on the disk."""
    files = (weights_folder(folder) / model.file for folder in (download_root, None))
    return next(filter(Path.is_file, files), None) or _find_copy(model, _caches(download_root), check)


def _find_copy(model: KnownModel, caches: Iterable[Path], check: Check) -> Path | None:
    for cache, copy in product(caches, model.copies):
        for path in CachedRepository(cache, copy.repository).find(copy):
            with suppress(CheckpointError):
                check(path)
                return path
    return None


def _caches(download_root: Folder | None) -> list[Path]:
    """Return where copies are looked for; in the first they are downloaded."""
    given = [Path(download_root).expanduser()] if download_root else []
    return list(dict.fromkeys([*given, hub_cache()]))


class _Search:
    """The search for one model."""

    def __init__(self, model: KnownModel, download_root: Folder | None, check: Check) -> None:
        self._model, self._check = model, check
        self._file = weights_folder(download_root) / model.file
        self._usual_file = weights_folder() / model.file
        self._caches = _caches(download_root)

    def obtain(self) -> Weights:
        """Return the first that there is."""
        if here := self._here(found := self._sha256_of(self._file)):
            return here
        if is_offline():
            raise self._offline_error(found)
        with suppress(DownloadError):  # it is raised below, where no copy can be had
            make_folder(self._file.parent)
        message = f"{self._file.name}: another process is downloading it; waiting for it"
        with resumable_path(self._file, message) as part:
            # another process may have downloaded it meanwhile
            if here := self._here(found := self._sha256_of(self._file)):
                return here
            if found:
                message = f"{self._file}: has SHA-256 {found}; expected {self._model.sha256}. It is downloaded again."
                warnings.warn(message, stacklevel=2)
            return self._download(part)

    def _sha256_of(self, file: Path) -> str | None:
        return sha256_of(file, self._model.sha256)

    def _here(self, found: str | None) -> Weights | None:
        """Return what is on the disk: the file, of which the SHA-256 was found, or a copy in the cache of the hub."""
        if found == self._model.sha256:
            return Weights(self._file, False)
        with suppress(DownloadError):  # of a file that cannot be read, where none need be
            if self._usual_file != self._file and self._sha256_of(self._usual_file) == self._model.sha256:
                return Weights(self._usual_file, False)
        copy = _find_copy(self._model, self._caches, self._check)
        return Weights(copy, True) if copy else None

    def _download(self, part: Path) -> Weights:
        from numpyclip.weights.download import Attempts, pull_first, save
        from numpyclip.weights.partial_file import Expected, Part
        from numpyclip.weights.progress import Progress

        attempts, expected = Attempts(), Expected(sha256=self._model.sha256)

        def fill(partial_file: Part, progress: Progress) -> bool:
            return pull_first(self._urls(attempts), partial_file, progress, expected, attempts)

        try:
            make_folder(self._file.parent)
            is_here = save(part, self._file, expected, self._file.name, fill)
        except DownloadError as error:
            if not self._model.copies or getattr(error.__cause__, "errno", None) == ENOSPC:
                raise
            attempts.add(str(self._file), error)  # the cache of the hub may be on another disk
            is_here = False
        if is_here:
            if status := stat_regular_file(self._file):
                write_stamp(self._file, status, self._model.sha256)
            return Weights(self._file, False)
        for copy in self._model.copies:
            if path := self._download_copy(copy, attempts):
                with suppress(OSError):
                    part.unlink()
                return Weights(path, True)
        raise self._error(attempts, part)

    def _urls(self, attempts: "Attempts") -> tuple[str, ...]:
        """Return the URLs of the file in the order to try, those of ``$NUMPYCLIP_MIRROR`` first."""
        model = self._model
        try:
            found = mirror()
        except DownloadError as error:
            attempts.add(model.file, error)
            found = None
        return (*((f"{found}/{model.file}", f"{found}/{model.sha256}/{model.file}") if found else ()), *model.urls)

    def _download_copy(self, copy: Copy, attempts: "Attempts") -> Path | None:
        from numpyclip.weights.hub_client import HubClient
        from numpyclip.weights.web_request import Broken, Refused

        try:
            client = HubClient(copy.repository, is_public=True)
        except DownloadError as error:  # of a setting
            attempts.add(f"{copy.repository}/{copy.file}", error)
            return None
        url = client.url(copy.revision, copy.file)
        if setting := setting_against_hub():
            attempts.add(url, DownloadError(f"{setting} forbids it"))
        elif not attempts.skip(url):
            try:
                stated = client.ask_about(copy.revision, copy.file, copy.sha256)
                cache = CachedRepository(self._caches[0], copy.repository)
                path = client.fetch(cache, stated, copy.file, is_suspect=True)  # if it is here, it is no copy
                self._check(path)
                cache.note(copy.revision, stated.commit)
                return path
            except (Broken, Refused, CheckpointError, DownloadError) as failure:
                attempts.add(url, failure)
        return None

    def _ways(self, attempts: "Attempts | None" = None) -> list[str]:
        """Say what helps where these attempts have failed: which file to put where, from a URL that may work."""
        model, refused = self._model, attempts.refused if attempts else ()
        original = next((f", from {url}," for url in model.urls if url not in refused), "")
        ways = [f"Put {model.file} (SHA-256 {model.sha256}){original} into {self._file.parent} by hand."]
        for copy in model.copies:
            address = f"{HUB}/{copy.repository}/resolve/{copy.revision}/{copy.file}"
            if address not in refused:
                folder = CachedRepository(self._caches[0], copy.repository).snapshot(copy.revision)
                return [*ways, f"Or put {address} into {folder} by hand."]
        return ways

    def _offline_error(self, found: str | None) -> DownloadError:
        model, file = self._model, self._file
        if found:
            error: DownloadError = ChecksumError(f"{file}: has SHA-256 {found}; expected {model.sha256}.")
        else:
            what = f"is missing, and $NUMPYCLIP_OFFLINE forbids the download; expected SHA-256 {model.sha256}"
            error = OfflineError(f"{file}: {what}.")
        error.lines = (*self._ways(), "Or unset $NUMPYCLIP_OFFLINE.", _TINY)
        return error

    def _error(self, attempts: "Attempts", part: Path) -> DownloadError:
        error = attempts.kind(f"{self._model.name}: could not be downloaded.")
        lines = [f"{failure}." for failure in attempts.failures]
        if part == resumable_part(self._file) and part.exists():
            lines.append(f"{part.stat().st_size:,} bytes are kept in {part}, to be continued.")
        lines += ["Try again later."] if attempts.may_pass else []
        mirrors = "$NUMPYCLIP_MIRROR to a URL that has it"
        ways = self._ways(attempts)
        if self._model.copies:
            mirrors += ", or $HF_ENDPOINT to a mirror of the hub"
            name = f"{PREFIX}{self._model.copies[-1].repository}"
            download = f"numpyclip models download {name}"
            ways.append(
                f"Or run {download} on another machine, and copy its cache: then load that name (--model {name})."
            )
        error.lines = (*lines, *ways, f"Or set {mirrors}.", _TINY)
        return error
