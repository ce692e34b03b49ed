"""An HNSW index of pgvector's. Random rows are the hardest there are for one."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, StoreError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index, Where
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.repair import check_index
from numpyclip.index.store import Store
from numpyclip.index.vectors import LEAST_RECALL, Space, pgvector_hnsw
from numpyclip.index.vectors.pgvector import PgVectors
from numpyclip.model.ops import Array
from tests.index.conftest import PACKAGES
from tests.index.vectors.explained import Explained

ROWS, WIDTH = 600, 32
NAME = "pictures_1_hnsw"


def unit(rows: int, seed: int = 0) -> Array:
    vectors = np.random.default_rng(seed).standard_normal((rows, WIDTH), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def changes_of(vectors: Array, start: int = 0) -> Changes:
    """One picture in each file, of which every fortieth is in the folder `/photos/some`."""
    changes = Changes()
    for number, vector in enumerate(vectors, start):
        digest = hashlib.sha256(str(number).encode()).digest()
        folder = "some" if number % 40 == 0 else "most"
        changes.filed.append(Filed(f"/photos/{folder}/{number:05}.jpg", FileState(1, number), digest))
        changes.pictures[digest] = NewPicture(Exif(1, 1, f"{2000 + number % 20}-01-01T00:00:00"), {"": vector})
    return changes


def add(store: Store, vectors: Array, start: int = 0) -> None:
    with store.writing(shared=True):
        store.begin(Fingerprint("0" * 64, "", "", "", "float32"), WIDTH)
        store.write(changes_of(vectors, start))


@pytest.fixture(params=PACKAGES)
def postgres(request: pytest.FixtureRequest, server_of: Callable[[str], str]) -> str:
    """Each server that there is: what pgvector can do is not the same."""
    return server_of(request.param)


@pytest.fixture
def store(empty_postgres: str) -> Iterator[Store]:
    store = open_store(empty_postgres, create=True)
    add(store, unit(ROWS))
    yield store
    store.close()


def is_new(store: Store) -> bool:
    """Tell whether pgvector has iterative scans."""
    with store._database.reading() as connection:
        (version,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    return tuple(map(int, version.split("."))) >= (0, 8)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows searches have found in a graph; 0 if not all that they wanted."""
    found: list[int] = []
    search = pgvector_hnsw.search

    def counted(*arguments: Any) -> tuple[list[tuple[int, str, bytes]], bool]:
        rows, are_all = search(*arguments)
        found.append(len(rows) * are_all)
        return rows, are_all

    monkeypatch.setattr("numpyclip.index.vectors.pgvector.search", counted)
    return found


def nearest(vectors: Array, query: Array, n: int) -> list[str]:
    return [f"{row:05}.jpg" for row in np.argsort(-(vectors @ query), kind="stable")[:n]]


def names(store: Store, query: Array, n: int, where: Where = Where()) -> list[str]:  # noqa: B008
    (found,) = store.search("pictures", query[np.newaxis], n, where)
    assert [match.cosine for match in found] == sorted((match.cosine for match in found), reverse=True)
    return [Path(str(match.path)).name for match in found]


def test_it_finds_nearly_all_and_tells_how_much(store: Store, searches: list[int]) -> None:
    steps: list[int] = []
    recall = store.build_hnsw(lambda numbers: (steps.append(number) or number for number in numbers))  # type: ignore[func-returns-value]
    assert sum(steps) == ROWS
    assert (recall.queries, recall.n) == (200, 10)
    assert recall.least > 0.95
    vectors, hits = unit(ROWS), 0
    for query in unit(20, seed=1):
        hits += len(set(nearest(vectors, query, 10)) & set(names(store, query, 10)))
    assert searches == [10] * 20
    assert hits > 0.95 * 200


def test_the_graph_is_what_the_server_reads(store: Store) -> None:
    store.build_hnsw()
    with store._database.reading() as connection:
        graph = pgvector_hnsw.Graph.of(connection, NAME)
        assert graph is not None
        explained: Any = Explained(connection)
        for where in (Where(), Where("/photos/some"), Where(after="2005")):
            pgvector_hnsw.search(explained, graph, Space(1, "pictures"), unit(1)[0], 10, where)
    assert len(explained.plans) == 3
    for plan in explained.plans:
        assert f"Index Scan using {NAME}" in plan
        assert plan.count("vector_send") == 1  # of those that are found, not of all candidates


def test_conditions_leave_no_search_short(store: Store, searches: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, query, numbers = unit(ROWS), unit(1, seed=2)[0], np.arange(ROWS)[:, np.newaxis]
    in_folder = Where("/photos/some"), nearest(np.where(numbers % 40 == 0, vectors, -query), query, 10)
    of_date = Where(after="2010"), nearest(np.where(numbers % 20 >= 10, vectors, -query), query, 10)
    store.build_hnsw()
    for where, expected in (in_folder, of_date):
        assert names(store, query, 10, where) == expected
    assert searches == []  # few pass them
    monkeypatch.setattr(pgvector_hnsw, "_FEW", 10)
    for where, expected in (in_folder, of_date):
        assert len(set(names(store, query, 10, where)) & set(expected)) >= (10 if where.folder else 9)
    assert searches == ([0, 10] if is_new(store) else [])  # of those in a folder there are too few to stop at


def test_the_graph_is_not_tried_where_too_few_of_it_pass(
    store: Store, searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.build_hnsw()
    monkeypatch.setattr(pgvector_hnsw, "_FEW", 10)
    monkeypatch.setattr(pgvector_hnsw, "_VISITED", ROWS)  # 64 candidates pass if 64 files do
    for where in (Where("/photos/some"), Where(after="2010")):
        assert len(names(store, unit(1)[0], 10, where)) == 10
    assert searches == ([10] if is_new(store) else [])


def test_rows_that_came_later_are_found(store: Store, searches: list[int]) -> None:
    store.build_hnsw()
    later = unit(20, seed=3)
    add(store, later, ROWS)
    for number, query in enumerate(later, ROWS):
        assert names(store, query, 1) == [f"{number:05}.jpg"]
    assert searches == [1] * 20


def test_more_may_be_wanted_than_there_are(store: Store) -> None:
    store.build_hnsw()
    assert len(names(store, unit(1)[0], 2000)) == ROWS


def test_one_that_misses_too_much_is_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.build_hnsw()
    weak: dict[str, Any] = {"pgvector_hnsw._CONNECTIONS": 2, "pgvector_hnsw._EXPANSION": 4, "pgvector_hnsw._MOST": 10}
    weak |= {"recall.CANDIDATES": (10,), "recall._WIDTH": 1}
    for name, value in weak.items():
        monkeypatch.setattr(f"numpyclip.index.vectors.{name}", value)
    recall = store.build_hnsw()
    assert recall.least < LEAST_RECALL
    assert not recall.is_good
    assert not store.remove_hnsw()  # nor is there the one before


def test_candidates_are_as_many_as_recall_needs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    few: dict[str, Any] = {"pgvector_hnsw._CONNECTIONS": 4, "pgvector_hnsw._EXPANSION": 8, "pgvector_hnsw._MOST": 40}
    few |= {"recall.CANDIDATES": (10, 40, 600), "recall._WIDTH": 1}
    for name, value in few.items():
        monkeypatch.setattr(f"numpyclip.index.vectors.{name}", value)
    recall = store.build_hnsw()
    assert recall.candidates == (600 if is_new(store) else 40)  # more than PostgreSQL finds at once
    assert recall.is_good == is_new(store)
    with store._database.reading() as connection:
        graph = pgvector_hnsw.Graph.of(connection, NAME)
    assert (graph is not None and graph.candidates == 600) == recall.is_good


def number_of(store: Store, name: str) -> Any:
    """What PostgreSQL knows an index by, whatever its name."""
    with store._database.reading() as connection:
        return connection.execute("SELECT to_regclass(?)::oid", (f"numpyclip.{name}",)).fetchone()[0]


@pytest.mark.parametrize("moment", ["nearest_of", "measure"])
def test_a_build_that_is_interrupted_goes_on(
    store: Store, searches: list[int], empty_postgres: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    store.build_hnsw()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pgvector_hnsw, moment, interrupted)
        store.build_hnsw()
    assert len(names(store, unit(1)[0], 5)) == 5
    assert searches == ([5] if moment == "nearest_of" else [])  # in the one before, until the new one is measured
    built = number_of(store, f"{NAME}_new")
    (problem,) = check_index(empty_postgres)
    assert problem.startswith("HNSW index: built again, recall ")
    assert number_of(store, NAME) == built is not None
    assert not store.has_damaged_hnsw()
    assert number_of(store, f"{NAME}_new") is None
    store.build_hnsw()
    assert number_of(store, NAME) != built


def test_a_build_that_fails_leaves_the_one_before(
    store: Store, searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.build_hnsw()
    monkeypatch.setattr(pgvector_hnsw, "_EXPANSION", 4)  # which pgvector finds too few when it begins to build
    with pytest.raises(StoreError, match="ef_construction"):
        store.build_hnsw()
    assert len(names(store, unit(1)[0], 5)) == 5
    assert searches == [5]
    assert not store.has_damaged_hnsw()


def test_one_of_another_kind_is_passed_over_and_built_again(
    store: Store, searches: list[int], empty_postgres: str
) -> None:
    with store._database.building() as connection:
        connection.execute(
            f"CREATE INDEX {NAME}_new ON vectors USING hnsw ((embedding::vector({WIDTH})) vector_ip_ops)"
        )
    other = number_of(store, f"{NAME}_new")
    assert len(names(store, unit(1)[0], 5)) == 5
    assert searches == []
    assert store.has_damaged_hnsw()
    (problem,) = check_index(empty_postgres)
    assert problem.startswith("HNSW index: built again, recall ")
    assert number_of(store, NAME) != other
    assert store.remove_hnsw()
    assert not store.remove_hnsw()


def test_settings_of_searches_end_with_them(store: Store) -> None:
    store.build_hnsw()
    names(store, unit(1)[0], 5)
    with store._database.reading() as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in ("enable_sort", "hnsw.ef_search")]
    assert shown == ["on", "40"]


def test_an_exhaustive_search_after_one_in_the_graph_sorts_as_any(store: Store) -> None:
    store.build_hnsw()
    with store._database.reading() as connection:
        explained: Any = Explained(connection)
        PgVectors().nearest(explained, Space(1, "pictures"), unit(1), ROWS + 1, Where())
        assert connection.execute("SHOW enable_sort").fetchone() == ("on",)
    assert [NAME in plan for plan in explained.plans] == [True, False]


def test_the_server_ends_statements_that_take_long_but_no_build(
    empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(empty_postgres) as connection:
        limits = ["statement_timeout"] + ["transaction_timeout"] * (connection.info.server_version >= 170000)
    monkeypatch.setenv("PGOPTIONS", " ".join(f"-c {limit}=60000" for limit in limits))
    with contextlib.closing(open_store(empty_postgres, create=True)) as store:
        for opened, value in ((store._database.building, "0"), (store._database.reading, "1min")):
            with opened() as opened_connection:
                shown = [opened_connection.execute(f"SHOW {limit}").fetchone()[0] for limit in limits]
            assert shown == [value] * len(limits)


def test_a_role_that_owns_no_tables_is_told_who_does(
    store: Store, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(empty_postgres) as connection:
        connection.execute("CREATE ROLE few; GRANT USAGE ON SCHEMA numpyclip TO few")
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA numpyclip TO few")
    monkeypatch.setenv("PGOPTIONS", "-c role=few")
    try:
        with (
            contextlib.closing(open_store(empty_postgres)) as others,
            pytest.raises(StoreError, match=r"must be owner of .*\. Whoever made the index builds its graph\.$"),
        ):
            others.build_hnsw()
    finally:
        monkeypatch.delenv("PGOPTIONS")
        with psycopg.connect(empty_postgres) as connection:
            connection.execute("DROP OWNED BY few; DROP ROLE few")


def test_an_index_of_somebody_else_s_is_left_alone(store: Store, empty_postgres: str) -> None:
    with store._database.building() as connection:
        connection.execute('CREATE INDEX "Pictures_1_hnsw by Eve" ON vectors (item)')
    assert not store.has_damaged_hnsw()
    assert not store.remove_hnsw()
    assert check_index(empty_postgres) == []
    with store._database.building() as connection:
        connection.execute('DROP INDEX "Pictures_1_hnsw by Eve"')


def test_that_of_a_model_before_is_removed(empty_postgres: str, photos: Path, tiny: CLIP) -> None:
    with Index(empty_postgres, tiny, create=True) as index:
        index.update([photos])
        expected = [match.path for match in index.search("a bird", 4)]
        assert index.store.build_hnsw().least == 1
        assert [match.path for match in index.search("a bird", 4)] == expected
        with index.store.writing():
            index.store.start_migration(index.model.fingerprint, WIDTH)
            index.store.finish_migration()
        assert not index.store.remove_hnsw()


@pytest.mark.parametrize(
    ("version", "width", "said"),
    [
        ("0.4.4", 32, "needs pgvector 0.5"),
        ("0.6.2", 2001, r"2000 dimensions; embeddings have 2001\. Update it to 0\.7, which takes 4000.* or re-embed"),
        ("0.6.2", 4001, r"2000 dimensions; embeddings have 4001\. Re-embed"),
        ("0.8.5", 4001, r"4000 dimensions; embeddings have 4001\. Re-embed.*--truncate-dim 4000"),
    ],
)
def test_what_a_server_cannot_do_is_refused(version: str, width: int, said: str) -> None:
    class Server:
        def execute(self, sql: str, values: Any = (), /) -> Any:
            self.row = (version,) if "extversion" in sql else (width,)
            return self

        def fetchone(self) -> Any:
            return self.row

    server: Any = Server()
    with pytest.raises(InputError, match=said):
        pgvector_hnsw.build(server, Space(1, "pictures"), iter)


def test_of_nothing_there_is_no_graph(empty_postgres: str) -> None:
    store = open_store(empty_postgres, create=True)
    with pytest.raises(StoreError, match="holds no images yet"):
        store.build_hnsw()
    store.close()
