"""The tables of an index.

Paths are bytes, as file systems have them, and a folder and all below it are a range of them. The modality of an
embedding, pictures or texts, is the column ``side``: its name stays for the indexes that there are. In SQLite,
embeddings are beside the database, each a row of the shards of its generation and modality; in PostgreSQL they are in
the table. `folders.ignored` is a JSON list of patterns; null marks a folder that was forgotten. Texts are bytes, since
they need not be Unicode, and are told apart by their SHA-256, as paths are in PostgreSQL, whose indexes take no long
values. `files.cause` says with which versions and limits a file could not be read, so that it is retried with others.
"""

from __future__ import annotations

APPLICATION_ID = 0x4E434C50  # "NCLP", in the header of an SQLite file; the number of the writer's lock in PostgreSQL
VERSION = 2  # of an index in a folder
POSTGRES_VERSION = 3

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL){without_rowid};
CREATE TABLE IF NOT EXISTS folders (path {bytes} NOT NULL, ignored TEXT NOT NULL{key_of_folders}){without_rowid};
CREATE TABLE IF NOT EXISTS pictures (
    id {number}, digest {bytes} NOT NULL UNIQUE, width INTEGER NOT NULL, height INTEGER NOT NULL,
    taken TEXT, latitude DOUBLE PRECISION, longitude DOUBLE PRECISION
);
CREATE TABLE IF NOT EXISTS files (
    directory {bytes} NOT NULL, name {bytes} NOT NULL, size BIGINT NOT NULL, mtime_ns BIGINT NOT NULL,
    date {date} NOT NULL, picture BIGINT REFERENCES pictures, problem TEXT, cause TEXT{key_of_files}
){without_rowid};
CREATE INDEX IF NOT EXISTS files_of_picture ON files (picture);
CREATE INDEX IF NOT EXISTS files_by_date ON files (date);
{texts}
CREATE TABLE IF NOT EXISTS vectors (generation INTEGER NOT NULL, side TEXT NOT NULL, {vectors}){without_rowid};
"""

_TEXTS = "CREATE TABLE IF NOT EXISTS texts (id {number}, text {bytes} NOT NULL, digest {bytes} NOT NULL UNIQUE);"
FOLDER_BYTES = 1024  # of a path, by which PostgreSQL finds all files below it: its indexes take no long values
# Names are in it as they are, so that those of one folder are beside each other; but not those that are longer than in
# any file system, as in URLs and archives.
POSTGRES_KEY_OF_FILES = (
    "sha256(directory), (CASE WHEN length(name) > 1024 THEN substr(name, 1, 1024) || sha256(name) ELSE name END)"
)
_FILES_BELOW = f"CREATE INDEX IF NOT EXISTS files_below ON files (substr(directory, 1, {FOLDER_BYTES}))"
# By itself PostgreSQL keeps rows of more than 2 kB elsewhere; to compare embeddings there takes ten times as long. Rows
# that are there when this is set stay where they are.
_WHOLE_ROWS = "ALTER TABLE vectors SET (toast_tuple_target = 8160)"
_POSTGRES_KEYS = f"""
CREATE UNIQUE INDEX IF NOT EXISTS folders_key ON folders (sha256(path));
CREATE UNIQUE INDEX IF NOT EXISTS files_key ON files ({POSTGRES_KEY_OF_FILES});
CREATE INDEX IF NOT EXISTS files_of_directory ON files USING hash (directory);
"""
_SQLITE_TYPES = {"bytes": "BLOB", "number": "INTEGER PRIMARY KEY"}
_POSTGRES_TYPES = {"bytes": "bytea", "number": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"}

SQLITE = (
    _TABLES.format(
        **_SQLITE_TYPES,
        without_rowid=" WITHOUT ROWID",
        date="TEXT",
        key_of_folders=", PRIMARY KEY (path)",
        key_of_files=", PRIMARY KEY (directory, name)",
        texts=_TEXTS.format(**_SQLITE_TYPES),
        vectors="row INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (generation, side, row)",
    )
    + "CREATE UNIQUE INDEX IF NOT EXISTS vectors_of_item ON vectors (generation, side, item);"
)
POSTGRES = (
    _TABLES.format(
        **_POSTGRES_TYPES,
        without_rowid="",
        date='text COLLATE "C"',
        key_of_folders="",
        key_of_files="",
        texts=_TEXTS.format(**_POSTGRES_TYPES),
        vectors="item bigint NOT NULL, embedding vector NOT NULL, PRIMARY KEY (generation, side, item)",
    )
    + _POSTGRES_KEYS
    + f"{_FILES_BELOW};{_WHOLE_ROWS};"
)
POSTGRES_COLUMNS = {  # types of those that `Connection.insert` fills
    "folders": {"path": "bytea", "ignored": "text"},
    "pictures": {
        "digest": "bytea",
        "width": "integer",
        "height": "integer",
        "taken": "text",
        "latitude": "double precision",
        "longitude": "double precision",
    },
    "files": {
        "directory": "bytea",
        "name": "bytea",
        "size": "bigint",
        "mtime_ns": "bigint",
        "date": "text",
        "picture": "bigint",
        "problem": "text",
        "cause": "text",
    },
    "texts": {"digest": "bytea", "text": "bytea"},
}

# From version 1. In SQLite `sha256` is a function of the connection's.
SQLITE_UPGRADE = (
    "ALTER TABLE files ADD COLUMN cause TEXT",
    "ALTER TABLE texts RENAME TO texts_1",
    _TEXTS.format(**_SQLITE_TYPES),
    "INSERT INTO texts SELECT id, CAST(text AS BLOB), sha256(CAST(text AS BLOB)) FROM texts_1",
    "DROP TABLE texts_1",
    f"PRAGMA user_version = {VERSION}",
)
_TO_VERSION_2 = (
    "ALTER TABLE files ADD COLUMN cause TEXT",
    "ALTER TABLE texts DROP CONSTRAINT texts_text_key",
    "ALTER TABLE texts ALTER COLUMN text TYPE bytea USING convert_to(text, 'UTF8'), ADD COLUMN digest bytea UNIQUE",
    "UPDATE texts SET digest = sha256(text)",
    "ALTER TABLE texts ALTER COLUMN digest SET NOT NULL",
    "ALTER TABLE folders DROP CONSTRAINT folders_pkey",
    "ALTER TABLE files DROP CONSTRAINT files_pkey",
)
_TO_VERSION_3 = (
    "DROP INDEX IF EXISTS files_key",
    *_POSTGRES_KEYS.strip().split("\n"),
    _FILES_BELOW,
    _WHOLE_ROWS,
    f"UPDATE meta SET value = '{POSTGRES_VERSION}' WHERE key = 'version'",
)
POSTGRES_UPGRADES = {1: (*_TO_VERSION_2, *_TO_VERSION_3), 2: _TO_VERSION_3}  # by the version that an index has
