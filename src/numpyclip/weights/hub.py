"""Models of the Hugging Face hub, downloaded by the package `huggingface_hub`.

Network and cache are that package's and follow its settings (``$HF_HOME``, ``$HF_TOKEN``, ``$HF_HUB_OFFLINE``,
``$HF_ENDPOINT``, ...). Added here: the choice of files, ``$NUMPYCLIP_OFFLINE``, and our errors.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numpyclip.errors import DownloadError, ModelNotFoundError, NumPyCLIPError, OfflineError
from numpyclip.weights.download import is_offline
from numpyclip.weights.local import Folder

PREFIX = "hf-hub:"

Choose = Callable[[Iterable[str]], list[str]]

# The package checks the names of repositories, but uses revisions as paths unchecked.
_NAME = re.compile(rf"{PREFIX}(?P<repository>[^@]+)(@(?P<revision>[\w+-][\w./+-]*))?", re.ASCII)


def obtain(name: str, choose: Choose, cache_dir: Folder | None = None) -> Path:
    """Return a snapshot of a repository in the cache, after downloading the chosen files that are missing.

    If the hub cannot be reached, it is the last snapshot, if that is complete.

    Parameters
    ----------
    name : str
        ``"hf-hub:organization/name"``, perhaps with ``@revision``: a branch, a tag or a commit.
    choose : callable
        Chooses from the names of files, the weights last; none if there are no weights.
    cache_dir : path-like, optional
        By default that of the settings of `huggingface_hub`.

    Raises
    ------
    ModelNotFoundError
        If there is no such repository or revision, it is closed to this user, or has no weights.
    OfflineError
        If files are missing, and ``$NUMPYCLIP_OFFLINE`` or ``$HF_HUB_OFFLINE`` forbids the network.
    DownloadError
        If they cannot be fetched or written, or `huggingface_hub` is not installed.
    """
    match = _NAME.fullmatch(name)
    if not match or ".." in name:
        raise ModelNotFoundError(
            f"{name!r:.200}: names no repository; expected {PREFIX}organization/name, perhaps with @revision."
        )
    place = {"repo_id": match["repository"], "revision": match["revision"], "cache_dir": cache_dir}
    return _Repository(_import_hub(match["repository"]), name, place, choose).obtain()


def _import_hub(repository: str) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise DownloadError(
            f"{PREFIX}{repository}: cannot be downloaded without the package huggingface_hub ({error}). Install it "
            "with `pip install 'numpyclip[hub]'`. Or download its config files (.json), tokenizer and weights by hand "
            f"from https://huggingface.co/{repository}, and load the folder that has them."
        ) from error
    return huggingface_hub


class _Repository:
    """One revision of one repository.

    Over its versions, the package raises errors of three HTTP libraries without a common base; all become ours.
    """

    def __init__(self, hub: Any, name: str, place: dict[str, Any], choose: Choose) -> None:
        self._api, self._errors = hub.HfApi(library_name="numpyclip"), hub.errors
        self._name, self._place, self._choose = name, place, choose
        self._url = f"{self._api.endpoint}/{place['repo_id']}"

    def obtain(self) -> Path:
        """Return the folder with the files, online or not."""
        try:
            files = self._listed()
        except Exception as error:
            gone = isinstance(error, self._errors.RevisionNotFoundError)
            if not gone and (folder := self._cached()):
                return folder
            raise self._failure(error) from error
        chosen = self._choose(files)
        if not chosen:
            raise ModelNotFoundError(
                f"{self._name}: has no weights that are read here, such as model.safetensors; it has "
                f"{', '.join(f'{file!r:.60}' for file in files[:10]) or 'no files'}."
            )
        try:
            return self._fetched(chosen)
        except Exception as error:
            raise self._failure(error) from error

    def _listed(self) -> list[str]:
        if is_offline():
            raise self._errors.OfflineModeIsEnabled("$NUMPYCLIP_OFFLINE is set")
        info = self._api.model_info(self._place["repo_id"], revision=self._place["revision"])
        return [sibling.rfilename for sibling in info.siblings or ()]

    def _fetched(self, chosen: list[str]) -> Path:
        """Fetch the first file, which resolves the revision to a commit, and the others from that commit."""
        first = Path(self._api.hf_hub_download(filename=chosen[0], **self._place))
        for file in chosen[1:]:
            self._api.hf_hub_download(filename=file, **{**self._place, "revision": first.parent.name})
        return first.parent

    def _cached(self) -> Path | None:
        """Return the snapshot in the cache, if it has weights: they are fetched last."""
        try:  # allowing no file keeps the package from refusing a snapshot without the files that were not chosen
            folder = Path(self._api.snapshot_download(local_files_only=True, allow_patterns=[], **self._place))
        except (self._errors.LocalEntryNotFoundError, self._errors.HFValidationError):
            return None
        return folder if self._choose(file.name for file in folder.iterdir() if file.exists()) else None

    def _failure(self, error: Exception) -> NumPyCLIPError:
        errors = self._errors
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(error, errors.HFValidationError):
            return ModelNotFoundError(f"{self._name}: names no repository: {reason}")
        if isinstance(error, errors.GatedRepoError):
            return ModelNotFoundError(
                f"{self._name}: is open only to those who have accepted its licence. Accept it at {self._url}, and "
                "set $HF_TOKEN to a token of your account."
            )
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
            return ModelNotFoundError(
                f"{self._name}: not found at {self._url}, or closed to you. Check its spelling; if it is private, "
                "set $HF_TOKEN to a token that may read it."
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return ModelNotFoundError(
                f"{self._name}: {self._url} has no such revision; expected a branch, a tag or a commit."
            )
        if isinstance(error, errors.OfflineModeIsEnabled):
            return OfflineError(
                f"{self._name}: not completely in the cache, and the network is forbidden: {reason}. Allow it, or copy "
                f"the cache of a machine that has it, or load a folder with the files of {self._url}."
            )
        return DownloadError(
            f"{self._name}: could not be downloaded from {self._url}: {reason}. Try again, or download its files by "
            "hand, and load the folder that has them."
        )
