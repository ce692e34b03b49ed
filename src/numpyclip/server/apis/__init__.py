"""The APIs: one module for each compatible API, and NumPyCLIP's own for search and photo libraries."""
