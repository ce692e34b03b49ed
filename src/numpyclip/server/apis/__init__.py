"""The APIs: a module for each client that is answered as it expects, and NumPyCLIP's own for search and libraries."""
