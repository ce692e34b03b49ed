"""ANSWERS → PROGRAMS: adapters by which other frameworks embed with a CLIP.

Each module is imported by itself, and needs the extra of its name: ``chroma``, ``langchain``, ``llama_index``, ``llm``,
``sklearn``.
"""
