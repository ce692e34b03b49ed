"""The tables of an index."""

from contextlib import closing

from numpyclip.index.database.schema import POSTGRES_COLUMNS, SQLITE, SQLITE_UPGRADES
from numpyclip.index.open_store import open_store


def test_columns_are_filled_by_their_types(empty_postgres: str) -> None:
    import psycopg

    open_store(empty_postgres, create=True).close()
    sql = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'numpyclip'"
    with closing(psycopg.connect(empty_postgres)) as connection:
        types = {(table, column): found for table, column, found in connection.execute(sql)}
    for table, columns in POSTGRES_COLUMNS.items():
        assert columns == {column: types[table, column] for column in columns}


def test_sqlite_before_3_39_reads_all_statements() -> None:
    for sql in (SQLITE, *(sql for upgrade in SQLITE_UPGRADES.values() for sql in upgrade)):
        assert "HAVING" not in sql or "GROUP BY" in sql
