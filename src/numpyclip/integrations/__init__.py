"""Adapters for other frameworks.

Import the module of your framework; it needs the extra of its name: ``chroma``, ``langchain``, ``llama-index``,
``llm``, ``sklearn``.
"""
