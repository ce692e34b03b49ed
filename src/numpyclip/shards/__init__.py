"""SOURCES → PARTS → ROWS, and rows → output: a million at a time, here or in object stores."""
