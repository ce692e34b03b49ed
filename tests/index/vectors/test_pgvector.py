"""Embeddings in PostgreSQL."""

from contextlib import closing
from typing import Any

import numpy as np

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.index.open_store import open_store
from numpyclip.index.vectors import Space
from numpyclip.index.vectors.pgvector import PgVectors
from numpyclip.index.where import EVERYWHERE
from tests.index.vectors.explained import Explained


def test_embeddings_are_where_they_are_compared(empty_postgres: str) -> None:
    embeddings = np.eye(512, dtype=np.float32)[:20]
    with closing(open_store(empty_postgres, create=True)) as store:
        with store.writing():
            store.begin(Fingerprint("0" * 64, "", "", "", "float32"), 512)
            store.write_texts([f"text {number}" for number in range(20)], embeddings)
        with store._database.reading() as connection:
            sql = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'vectors'::regclass"
            (elsewhere,) = connection.execute(sql).fetchone()
        assert elsewhere == 0
        found = {match.text: match.embedding for match in store.everything("texts")}
    for number, embedding in enumerate(embeddings):
        np.testing.assert_array_equal(found[f"text {number}"], embedding)


def test_only_what_is_found_is_written_out(empty_postgres: str) -> None:
    embeddings = np.eye(64, dtype=np.float32)
    with closing(open_store(empty_postgres, create=True)) as store:
        with store.writing():
            store.begin(Fingerprint("0" * 64, "", "", "", "float32"), 64)
            store.write_texts([str(number) for number in range(64)], embeddings)
        with store._database.reading() as connection:
            explained: Any = Explained(connection)
            (found,) = PgVectors().nearest(explained, Space(1, "texts"), embeddings[:1], 3, EVERYWHERE)
            assert connection.execute("SHOW jit").fetchone() == ("off",)
    assert found[0].cosine == 1
    (plan,) = explained.plans
    assert plan.count("vector_send") == 1  # above the sort
