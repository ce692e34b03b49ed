"""The tables of an index.

Paths are bytes, as file systems have them, and a folder and all below it are a range of them. The modality of an
embedding, images or texts, is the column ``side``: its name stays for the indexes that there are. In SQLite,
embeddings are beside the database, each a row of the shards of its generation and modality; in PostgreSQL they are in
the table. `folders.ignored` is a JSON list of patterns; null marks a folder that was forgotten. Texts are bytes, since
they need not be Unicode, and are told apart by their SHA-256, as paths are in PostgreSQL, whose indexes take no long
values. `files.cause` says with which versions and limits a file could not be read, so that it is retried with others.

An image may have several embeddings, of which `vectors.part` says what each is of: empty for the image as models see
it, the name of another view of it, or seconds of a video. `marks` are favorites, ratings, tags and albums of an
image, by its content: they stay when the image is removed.
"""

from __future__ import annotations

APPLICATION_ID = 0x4E434C50  # "NCLP", in the header of an SQLite file; the number of the writer's lock in PostgreSQL
VERSION = 3  # of an index in a folder
POSTGRES_VERSION = 4

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL){without_rowid};
CREATE TABLE IF NOT EXISTS folders (path {bytes} NOT NULL, ignored TEXT NOT NULL{key_of_folders}){without_rowid};
CREATE TABLE IF NOT EXISTS pictures (
    id {number}, digest {bytes} NOT NULL UNIQUE, width INTEGER NOT NULL, height INTEGER NOT NULL,
    taken TEXT, latitude DOUBLE PRECISION, longitude DOUBLE PRECISION, camera TEXT, lens TEXT,
    utc_offset TEXT, duration DOUBLE PRECISION
);
CREATE TABLE IF NOT EXISTS files (
    directory {bytes} NOT NULL, name {bytes} NOT NULL, size BIGINT NOT NULL, mtime_ns BIGINT NOT NULL,
    date {date} NOT NULL, picture BIGINT REFERENCES pictures, problem TEXT, cause TEXT{key_of_files}
){without_rowid};
{texts}
CREATE TABLE IF NOT EXISTS vectors (generation INTEGER NOT NULL, side TEXT NOT NULL, {vectors}){without_rowid};
"""
_MARKS = """CREATE TABLE IF NOT EXISTS marks (
    digest {bytes} NOT NULL, kind TEXT NOT NULL, name {exact} NOT NULL, PRIMARY KEY (digest, kind, name)
){without_rowid}"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS files_of_picture ON files (picture, date)",
    "CREATE INDEX IF NOT EXISTS files_by_date ON files (date, picture)",
    "CREATE INDEX IF NOT EXISTS pictures_by_camera ON pictures (camera) WHERE camera IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS pictures_by_lens ON pictures (lens) WHERE lens IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS pictures_by_place ON pictures (latitude, longitude) WHERE latitude IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS marks_by_name ON marks (kind, name, digest)",
    "CREATE UNIQUE INDEX IF NOT EXISTS one_rating ON marks (digest) WHERE kind = 'rating'",
)

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
_POSTGRES_KEYS = (
    "CREATE UNIQUE INDEX IF NOT EXISTS folders_key ON folders (sha256(path))",
    f"CREATE UNIQUE INDEX IF NOT EXISTS files_key ON files ({POSTGRES_KEY_OF_FILES})",
    "CREATE INDEX IF NOT EXISTS files_of_directory ON files USING hash (directory)",
)
_SQLITE_TYPES = {
    "bytes": "BLOB",
    "number": "INTEGER PRIMARY KEY",
    "exact": "TEXT",
    "without_rowid": " WITHOUT ROWID",
}
_POSTGRES_TYPES = {
    "bytes": "bytea",
    "number": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "exact": 'text COLLATE "C"',
    "without_rowid": "",
}
_SQLITE_PART, _POSTGRES_PART = (
    f"part {types['exact']} NOT NULL DEFAULT ''" for types in (_SQLITE_TYPES, _POSTGRES_TYPES)
)
_SQLITE_ITEMS = "CREATE UNIQUE INDEX IF NOT EXISTS vectors_of_item ON vectors (generation, side, item, part)"

SQLITE = ";\n".join(
    (
        _TABLES.format(
            **_SQLITE_TYPES,
            date="TEXT",
            key_of_folders=", PRIMARY KEY (path)",
            key_of_files=", PRIMARY KEY (directory, name)",
            texts=_TEXTS.format(**_SQLITE_TYPES),
            vectors=f"row INTEGER NOT NULL, item INTEGER NOT NULL, {_SQLITE_PART}, PRIMARY KEY (generation, side, row)",
        ),
        _MARKS.format(**_SQLITE_TYPES),
        *_INDEXES,
        _SQLITE_ITEMS,
    )
)
POSTGRES = ";\n".join(
    (
        _TABLES.format(
            **_POSTGRES_TYPES,
            date=_POSTGRES_TYPES["exact"],
            key_of_folders="",
            key_of_files="",
            texts=_TEXTS.format(**_POSTGRES_TYPES),
            vectors="item bigint NOT NULL, embedding vector NOT NULL, "
            f"{_POSTGRES_PART}, PRIMARY KEY (generation, side, item, part)",
        ),
        _MARKS.format(**_POSTGRES_TYPES),
        *_INDEXES,
        *_POSTGRES_KEYS,
        _FILES_BELOW,
        _WHOLE_ROWS,
        "",
    )
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
        "camera": "text",
        "lens": "text",
        "utc_offset": "text",
        "duration": "double precision",
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
    "marks": {"digest": "bytea", "kind": "text", "name": "text"},
}

# What an index of an earlier version has not is read as empty, until the next writer brings it up to date.
_VIEWS = """
CREATE TEMPORARY VIEW pictures AS SELECT id, digest, width, height, taken, latitude, longitude,
    NULL{text} AS camera, NULL{text} AS lens, NULL{text} AS utc_offset, NULL{float} AS duration FROM {schema}.pictures;
CREATE TEMPORARY VIEW vectors AS SELECT generation, side, {vector}, item, ''{text} AS part FROM {schema}.vectors;
CREATE TEMPORARY VIEW marks AS SELECT NULL{bytes} AS digest, NULL{text} AS kind, NULL{text} AS name WHERE 1 = 0;
"""
SQLITE_VIEWS = _VIEWS.format(schema="main", vector="row", text="", float="", bytes="")
POSTGRES_VIEWS = _VIEWS.format(
    schema="numpyclip", vector="embedding", text="::text", float="::double precision", bytes="::bytea"
)
POSTGRES_DROP_VIEWS = "DROP VIEW IF EXISTS pg_temp.pictures, pg_temp.vectors, pg_temp.marks"

# By the version that an index has. In SQLite `sha256` is a function of the connection's.
_COLUMNS_OF_PICTURES = (
    "ALTER TABLE pictures ADD COLUMN camera TEXT",
    "ALTER TABLE pictures ADD COLUMN lens TEXT",
    "ALTER TABLE pictures ADD COLUMN utc_offset TEXT",
    "ALTER TABLE pictures ADD COLUMN duration DOUBLE PRECISION",
    "DROP INDEX files_of_picture",
    "DROP INDEX files_by_date",
)
_SQLITE_TO_2 = (
    "ALTER TABLE files ADD COLUMN cause TEXT",
    "ALTER TABLE texts RENAME TO texts_1",
    _TEXTS.format(**_SQLITE_TYPES),
    "INSERT INTO texts SELECT id, CAST(text AS BLOB), sha256(CAST(text AS BLOB)) FROM texts_1",
    "DROP TABLE texts_1",
)
_UNREAD_EXIF = "INSERT INTO meta SELECT 'unread_exif', CAST(id AS TEXT) FROM pictures ORDER BY id DESC LIMIT 1"
_SQLITE_TO_3 = (
    *_COLUMNS_OF_PICTURES,
    _UNREAD_EXIF,
    f"ALTER TABLE vectors ADD COLUMN {_SQLITE_PART}",
    "DROP INDEX vectors_of_item",
    _SQLITE_ITEMS,
    _MARKS.format(**_SQLITE_TYPES),
    *_INDEXES,
    f"PRAGMA user_version = {VERSION}",
)
SQLITE_UPGRADES = {1: (*_SQLITE_TO_2, *_SQLITE_TO_3), 2: _SQLITE_TO_3}
_POSTGRES_TO_2 = (
    "ALTER TABLE files ADD COLUMN cause TEXT",
    "ALTER TABLE texts DROP CONSTRAINT texts_text_key",
    "ALTER TABLE texts ALTER COLUMN text TYPE bytea USING convert_to(text, 'UTF8'), ADD COLUMN digest bytea UNIQUE",
    "UPDATE texts SET digest = sha256(text)",
    "ALTER TABLE texts ALTER COLUMN digest SET NOT NULL",
    "ALTER TABLE folders DROP CONSTRAINT folders_pkey",
    "ALTER TABLE files DROP CONSTRAINT files_pkey",
)
_POSTGRES_TO_3 = ("DROP INDEX IF EXISTS files_key", *_POSTGRES_KEYS, _FILES_BELOW, _WHOLE_ROWS)
_POSTGRES_TO_4 = (
    *_COLUMNS_OF_PICTURES,
    _UNREAD_EXIF,
    f"ALTER TABLE vectors ADD COLUMN {_POSTGRES_PART}",
    "ALTER TABLE vectors DROP CONSTRAINT vectors_pkey, ADD PRIMARY KEY (generation, side, item, part)",
    _MARKS.format(**_POSTGRES_TYPES),
    *_INDEXES,
    f"UPDATE meta SET value = '{POSTGRES_VERSION}' WHERE key = 'version'",
)
POSTGRES_UPGRADES = {
    1: (*_POSTGRES_TO_2, *_POSTGRES_TO_3, *_POSTGRES_TO_4),
    2: (*_POSTGRES_TO_3, *_POSTGRES_TO_4),
    3: _POSTGRES_TO_4,
}
