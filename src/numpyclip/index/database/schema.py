"""The tables of an index.

Paths are bytes, as file systems have them, and a folder and all below it are a range of them. The modality of an
embedding, pictures or texts, is the column ``side``: its name stays for the indexes that there are. In SQLite,
embeddings are beside the database, each a row of the shards of its generation and modality; in PostgreSQL they are in
the table. `folders.ignored` is a JSON list of patterns; null marks a folder that was forgotten.
"""

from __future__ import annotations

APPLICATION_ID = 0x4E434C50  # "NCLP", in the header of an SQLite file; the number of the writer's lock in PostgreSQL
VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL){without_rowid};
CREATE TABLE IF NOT EXISTS folders (path {bytes} PRIMARY KEY, ignored TEXT NOT NULL){without_rowid};
CREATE TABLE IF NOT EXISTS pictures (
    id {number}, digest {bytes} NOT NULL UNIQUE, width INTEGER NOT NULL, height INTEGER NOT NULL,
    taken TEXT, latitude DOUBLE PRECISION, longitude DOUBLE PRECISION
);
CREATE TABLE IF NOT EXISTS files (
    directory {bytes} NOT NULL, name {bytes} NOT NULL, size BIGINT NOT NULL, mtime_ns BIGINT NOT NULL,
    date {date} NOT NULL, picture BIGINT REFERENCES pictures, problem TEXT, PRIMARY KEY (directory, name)
){without_rowid};
CREATE INDEX IF NOT EXISTS files_of_picture ON files (picture);
CREATE INDEX IF NOT EXISTS files_by_date ON files (date);
CREATE TABLE IF NOT EXISTS texts (id {number}, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS vectors (generation INTEGER NOT NULL, side TEXT NOT NULL, {vectors}){without_rowid};
"""

SQLITE = (
    _TABLES.format(
        without_rowid=" WITHOUT ROWID",
        bytes="BLOB",
        number="INTEGER PRIMARY KEY",
        date="TEXT",
        vectors="row INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (generation, side, row)",
    )
    + "CREATE UNIQUE INDEX IF NOT EXISTS vectors_of_item ON vectors (generation, side, item);"
)
POSTGRES = _TABLES.format(
    without_rowid="",
    bytes="bytea",
    number="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    date='text COLLATE "C"',
    vectors="item bigint NOT NULL, embedding vector NOT NULL, PRIMARY KEY (generation, side, item)",
)
