"""Repositories of the Hugging Face hub, downloaded into its cache; `huggingface_hub` is only asked for a token.

Its settings hold here, too: ``$HF_HOME``, ``$HF_HUB_CACHE``, ``$HF_TOKEN``, ``$HF_ENDPOINT``, ``$HF_HUB_OFFLINE``.
"""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from numpyclip.errors import (
    ChecksumError,
    DownloadError,
    ModelNotFoundError,
    NumPyCLIPError,
    OfflineError,
    listed,
    quoted,
)
from numpyclip.weights.local import Folder
from numpyclip.weights.network_settings import hub_cache, hub_endpoint, remedy_to_send_token, setting_against_hub

if TYPE_CHECKING:  # http and tls take a while to import
    from numpyclip.weights.hub_client import HubClient

PREFIX = "hf-hub:"


class Choose(Protocol):
    """Chooses from the names of files, the weights last; none if there are no weights.

    If the names may not be all (`is_all`), none either unless no other file could change what is read of them.
    """

    def __call__(self, names: Iterable[str], *, is_all: bool = True) -> list[str]:
        """Choose."""
        ...


# As `huggingface_hub` checks the names of repositories; revisions become paths, too.
_PART = r"\w(?:[\w.-]{0,94}\w)?"
_NAME = re.compile(
    rf"{PREFIX}(?P<repository>(?:{_PART}/)?{_PART}(?<!\.git))(?:@(?P<revision>[\w+-][\w./+-]{{0,200}}))?", re.ASCII
)


def repository_of(name: str) -> str | None:
    """Return the repository that a name of a model on the hub stands for, without a revision; None for other names."""
    return name.removeprefix(PREFIX).partition("@")[0] if name.startswith(PREFIX) else None


def obtain(name: str, choose: Choose, cache_dir: Folder | None = None) -> Path:
    """Return a snapshot of a repository in the cache, after downloading the chosen files that are missing.

    If they cannot be fetched, it is the last snapshot that is known to be complete.

    Parameters
    ----------
    name : str
        ``"hf-hub:organization/name"``, perhaps with ``@revision``: a branch, a tag or a commit.
    choose : Choose
    cache_dir : path-like, optional
        By default that of `huggingface_hub`.

    Raises
    ------
    ModelNotFoundError
        If there is no such repository or revision, it is closed to this user, or has no weights.
    OfflineError
        If files are missing, and ``$NUMPYCLIP_OFFLINE`` or ``$HF_HUB_OFFLINE`` forbids the network.
    ChecksumError
        If the hub sends other files than it states.
    DownloadError
        If they cannot be fetched or written.

    Warns
    -----
    UserWarning
        If they cannot be fetched, and a snapshot in the cache is used.
    """
    return _Download(name, choose, cache_dir).obtain()


def find(name: str, choose: Choose, cache_dir: Folder | None = None) -> Path | None:
    """Find a snapshot in the cache that has all chosen files; see `obtain`. Nothing is downloaded."""
    return _Download(name, choose, cache_dir).find()


class _Download:
    """One revision of one repository."""

    def __init__(self, name: str, choose: Choose, cache_dir: Folder | None) -> None:
        from numpyclip.weights.hub_cache import CachedRepository

        match = _NAME.fullmatch(name)
        if not match or ".." in name or "--" in match["repository"] or "//" in name:
            raise ModelNotFoundError(
                f"{name!r:.200}: names no repository; expected {PREFIX}organization/name, perhaps with @revision."
            )
        self._name, self._choose = name, choose
        self._repository, self._revision = match["repository"], match["revision"]
        self._cache = CachedRepository(Path(cache_dir).expanduser() if cache_dir else hub_cache(), self._repository)

    def obtain(self) -> Path:
        """Return the folder with the files, online or not."""
        if setting := setting_against_hub():
            return self.find() or self._raise_offline(setting)
        from numpyclip.weights.hub_client import HubClient
        from numpyclip.weights.web_request import Broken, Refused, Wrong

        client = HubClient(self._repository)
        try:
            return self._fetch(client)
        except (Broken, Refused, DownloadError) as failure:
            is_final = isinstance(failure, Wrong) or getattr(failure, "code", "") == "RevisionNotFound"
            if is_final or not (folder := self.find()):
                if isinstance(failure, DownloadError):
                    raise
                raise self._error(failure, client) from failure
            warnings.warn(
                f"{self._name}: not fetched from {client.page} ({failure}). The snapshot {folder} is used; with "
                "HF_HUB_OFFLINE=1 the hub is not asked.",
                stacklevel=3,
            )
            return folder

    def _fetch(self, client: "HubClient") -> Path:
        from numpyclip.weights.hub_cache import stays_inside
        from numpyclip.weights.web_request import Refused

        listing = client.list_files(self._revision)
        chosen = self._choose(listing.files)
        if not chosen:
            raise ModelNotFoundError(
                f"{self._name}: has no weights that are read here, such as model.safetensors; it has "
                f"{listed(listing.files) or 'no files'}."
            )
        if outside := [file for file in chosen if not stays_inside(file)]:
            raise DownloadError(f"{self._name}: {client.page} lists {quoted(outside[0])}, which is outside its folder.")
        cache, folder = self._cache, self._cache.snapshot(listing.commit)
        cache.note_listing(listing.commit, listing.files)
        for file in chosen:
            if not (folder / file).is_file():
                stated = client.ask_about(listing.commit, file)
                if stated.commit != listing.commit:
                    raise Refused(
                        f"lists files of commit {listing.commit!r}, but sends {quoted(file)} of commit "
                        f"{stated.commit!r}"
                    )
                client.fetch(cache, stated, file)
        cache.note(self._revision or "main", listing.commit)
        return folder

    def find(self) -> Path | None:
        """Return a snapshot in the cache that has all files; if no revision was named, of any commit."""
        cache = self._cache
        for commit in cache.commits(self._revision):
            here, listing = set(cache.files(commit)), cache.listing(commit)
            # what another program has fetched may not be all: transformers' models leave out how to preprocess
            is_known = listing is not None and here.issubset(listing)
            chosen = self._choose(listing or () if is_known else here, is_all=is_known)
            if chosen and here.issuperset(chosen):
                return cache.snapshot(commit)
        return None

    def _raise_offline(self, setting: str) -> NoReturn:
        here = sorted({file for commit in self._cache.commits(self._revision) for file in self._cache.files(commit)})
        found = f" (it has {listed(here)})" if here else ""
        raise OfflineError(
            f"{self._name}: not completely in the cache{found}, and {setting} forbids the network. Unset it, or copy "
            f"the cache of a machine that has it, or load a folder with the files of {hub_endpoint()}/"
            f"{self._repository}."
        )

    def _error(self, failure: Exception, client: "HubClient") -> NumPyCLIPError:
        from numpyclip.weights.web_request import Refused, Wrong

        is_refusal = isinstance(failure, Refused) and failure.host is None  # of the hub, not of where it redirects to
        status, code = (failure.status, failure.code) if isinstance(failure, Refused) and is_refusal else (0, "")
        log_in = remedy_to_send_token() or (
            "set $HF_TOKEN to a token of your account, or log in with huggingface_hub (the extra 'hub')"
        )
        if code == "GatedRepo":
            way = "with the account of the token that was sent" if client.has_token else f"and {log_in}"
            return ModelNotFoundError(
                f"{self._name}: is open only to those who have accepted its license. Accept it at {client.page}, {way}."
            )
        if code == "RevisionNotFound":
            return ModelNotFoundError(
                f"{self._name}: {client.page} has no such revision; expected a branch, a tag or a commit."
            )
        if code == "RepoNotFound" or (status in (401, 403, 404) and code != "EntryNotFound"):
            access = "the token that was sent may not read it" if client.has_token else f"if it is private, {log_in}"
            return ModelNotFoundError(
                f"{self._name}: not found at {client.page}, or closed to you ({failure}). Check its spelling; {access}."
            )
        kept = " (what has arrived is kept, to be continued)" if self._cache.has_parts() else ""
        kind = ChecksumError if isinstance(failure, Wrong) else DownloadError
        return kind(
            f"{self._name}: could not be downloaded from {client.page}: {str(failure).rstrip('.')}. Try again{kept}, "
            "or set $HF_ENDPOINT to a mirror, or download its files by hand, and load the folder that has them."
        )
