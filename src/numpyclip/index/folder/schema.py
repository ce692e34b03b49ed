"""The tables of an index in a folder."""

from __future__ import annotations

# Paths are bytes, as file systems have them, and a folder and all below it are a range of them. A vector is a row of
# the shards of its generation and side: a migration fills the next generation, which then takes the place of the one
# before.
APPLICATION_ID = 0x4E434C50  # "NCLP", in the header of the file
VERSION = 1

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE folders (path BLOB PRIMARY KEY, ignored TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, width INTEGER NOT NULL, height INTEGER NOT NULL,
    taken TEXT, latitude REAL, longitude REAL
);
CREATE TABLE files (
    directory BLOB NOT NULL, name BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, date TEXT NOT NULL,
    picture INTEGER REFERENCES pictures, problem TEXT, PRIMARY KEY (directory, name)
) WITHOUT ROWID;
CREATE INDEX files_of_picture ON files (picture);
CREATE INDEX files_by_date ON files (date);
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE vectors (
    generation INTEGER NOT NULL, side TEXT NOT NULL, row INTEGER NOT NULL, item INTEGER NOT NULL,
    PRIMARY KEY (generation, side, row)
) WITHOUT ROWID;
CREATE UNIQUE INDEX vectors_of_item ON vectors (generation, side, item);
"""
