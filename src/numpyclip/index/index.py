"""An index with its model: the way in for Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.images.find import FileState
from numpyclip.index.folder.shards import Precision
from numpyclip.index.open import open_store
from numpyclip.index.records import EVERYWHERE, Match, Side, Where
from numpyclip.index.store import Store
from numpyclip.index.update import Report, Updater
from numpyclip.model.chunks import batched
from numpyclip.model.clip import CLIP
from numpyclip.model.inputs import checked_embeddings
from numpyclip.model.ops import Array
from numpyclip.tasks.background import Background
from numpyclip.tasks.query import Query


class Index:
    """Pictures and texts that can be searched with words and pictures.

    >>> index = Index("photos.index", model, create=True)  # doctest: +SKIP
    >>> index.update(["photos/"])  # doctest: +SKIP
    >>> [match.path for match in index.search("a dog on a beach", n=5)]  # doctest: +SKIP

    Parameters
    ----------
    store : str, path or Store
        A folder, or an address that begins with ``postgresql://``.
    model : CLIP
        Whose embeddings the index holds, or is to hold.
    create : bool, default=False
        Make the index if it is not there.
    precision : {"float32", "float16", "int8"}, optional
        See `FolderStore`.

    Raises
    ------
    InputError
        If the index holds embeddings of another model; those do not compare.
    StoreError
        If there is no index, or it cannot be read.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store,
        model: CLIP,
        *,
        create: bool = False,
        precision: Precision | None = None,
    ) -> None:
        is_ours = isinstance(store, str | os.PathLike)
        if isinstance(store, str | os.PathLike):
            store = open_store(store, create=create, precision=precision)
        self.store: Store = store
        self.model = model
        found = self.store.fingerprint
        if found is not None and found != model.fingerprint:
            if is_ours:
                self.store.close()
            raise InputError(
                f"{self.store.place}: holds embeddings of another model ({found.differences(model.fingerprint)}). Name "
                "the model that it was made with, or embed everything anew: numpyclip index --migrate --model NEW."
            )

    def __enter__(self) -> Index:
        """Use it for the length of a block."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go of it."""
        self.close()

    def close(self) -> None:
        """Close connections to a server, if it has any."""
        self.store.close()

    @cached_property
    def background(self) -> Background:
        """What cosines of texts and pictures are compared with, to become probabilities."""
        return Background(self.model)

    def update(
        self,
        folders: Iterable[str | os.PathLike[str]] = (),
        *,
        ignore: Sequence[str] = (),
        batch_size: int = 32,
        draft: bool = True,
        progress: Callable[[list[tuple[str, FileState]]], Iterable[tuple[str, FileState]]] = iter,
        report: Callable[[str], object] = lambda problem: None,
    ) -> Report:
        """Bring the index up to date; files that have not changed since cost a look at their size and time.

        What is done is kept batch by batch, whatever happens.

        Parameters
        ----------
        folders : iterable of paths
            Folders to add; none for those that the index knows.
        ignore : sequence of str
            Patterns of names to leave out in the folders that are added, as in a shell.
        batch_size, draft, progress, report
            See `Updater`.

        Returns
        -------
        Report

        Raises
        ------
        InputError
            If a folder is none, or there is none.
        StoreError
            If another process writes to the index, or the disk is full.
        """
        added = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100  a link stays as it was named
        for folder in added:
            if not Path(folder).is_dir():
                raise InputError(f"{folder}: is no folder; expected one with pictures in it.")
            own = Path(self.store.place)
            if Path(folder).resolve() == own or own in Path(folder).resolve().parents:
                raise InputError(f"{folder}: is the folder of the index itself.")
        with self.store.writing():
            self.begin()
            known = self.store.folders()
            for folder in added:
                if ignore or folder not in known:
                    self.store.set_folder(folder, ignore)
            chosen = _outermost(added or list(known))
            if not chosen:
                raise InputError(f"{self.store.place}: knows no folders yet; name one: numpyclip index FOLDER.")
            updater = Updater(
                self.store, self.model, batch_size=batch_size, draft=draft, progress=progress, report=report
            )
            return updater.update(chosen)

    def add_texts(self, texts: Iterable[str], *, batch_size: int = 256) -> int:
        """Add texts, such as captions or a list of words, to be found by pictures and by other texts.

        Parameters
        ----------
        texts : iterable of str
            Cut where they are too long for the model. Those that are there already are passed over.
        batch_size : int, default=256

        Returns
        -------
        int
            How many are new.
        """
        added = 0
        with self.store.writing():
            self.begin()
            for batch in batched(texts, batch_size):
                if new := self.store.unknown_texts(batch):
                    self.store.write_texts(new, self.model.embed_texts(new, truncate=True))
                    added += len(new)
        return added

    def search(
        self, query: str | Query | ArrayLike, n: int = 20, *, where: Where = EVERYWHERE, side: Side = "pictures"
    ) -> list[Match]:
        """Find what is nearest to a query, exactly, unless a graph was built for the index.

        Parameters
        ----------
        query : str, Query or array_like of shape (embed_dim,)
            Words; a sum of words and pictures such as ``"horse + stripes"`` (see `Query.parse`); or an embedding.
        n : int, default=20
        where : Where, optional
            Which pictures are searched.
        side : {"pictures", "texts"}

        Returns
        -------
        list of Match
            The best first. If the query is a single text and pictures are searched, each has its probability.
        """
        parsed = Query.parse(query) if isinstance(query, str) else query
        embedding = parsed.embed(self.model) if isinstance(parsed, Query) else np.asarray(parsed, np.float32)
        (matches,) = self.search_embeddings(embedding[np.newaxis], n, where=where, side=side)
        if side == "pictures" and isinstance(parsed, Query) and parsed.is_text:
            return self.judged(matches, embedding)
        return matches

    def judged(self, matches: Sequence[Match], text: Array) -> list[Match]:
        """Say of pictures how probable it is that a text, given its embedding (e,), is about them."""
        if not matches:
            return []
        found = np.stack([match.embedding for match in matches])
        probabilities = self.background.probabilities(found, text[np.newaxis])[:, 0].tolist()
        return [replace(match, probability=p) for match, p in zip(matches, probabilities, strict=True)]

    def search_embeddings(
        self, queries: Array, n: int = 20, *, where: Where = EVERYWHERE, side: Side = "pictures"
    ) -> list[list[Match]]:
        """Find what is nearest to embeddings (m, e) of unit length, for each a list."""
        count = whole_number(n)
        if count is None or count < 1:
            raise InputError(f"n is {n!r:.60}; expected a whole number above 0.")
        checked = checked_embeddings(queries, self.model.config.embed_dim, "queries")
        return self.store.search(side, checked, count, where)

    def cutoff(self) -> float:
        """Say which probability the best match must reach to be one at all: of many pictures one fits by chance."""
        return self.background.cutoff(self.store.counts().pictures)

    def begin(self) -> None:
        """Settle, if nothing has yet, that the index holds embeddings of this model."""
        if self.store.fingerprint is None:
            self.store.begin(self.model.fingerprint, self.model.config.embed_dim)


def _outermost(folders: Sequence[str]) -> list[str]:
    """Leave out folders that lie in another one, which are looked at with it."""
    return [
        folder
        for folder in dict.fromkeys(folders)
        if not any(other != folder and folder.startswith(os.path.join(other, "")) for other in folders)  # noqa: PTH118
    ]
