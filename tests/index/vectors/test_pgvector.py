"""Embeddings in PostgreSQL."""

from contextlib import closing

import numpy as np

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.index.open_store import open_store


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
