"""Have the reference of the Python API show choices with their true default.

An extension of griffe, named in mkdocs.yml: of a parameter ``mode : {"a", "b"}, optional`` griffe takes the first for
the default, whatever the signature says.
"""

import re
from typing import Any

import griffe

CHOICES = re.compile(r"^( *\w+(?:, \w+)* : .*?)\{(.+?)\}", re.MULTILINE)


class Choices(griffe.Extension):
    """Write "one of" in place of the braces, which griffe takes as it is."""

    def on_object(self, *, obj: griffe.Object, **_more: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = CHOICES.sub(r"\1one of \2", obj.docstring.value)
