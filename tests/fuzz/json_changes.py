"""Changes of files that are mostly JSON."""

import copy
import json
import random
from typing import Any

ODD: list[Any] = [
    *(None, True, -1, 0, 1, 17, 2**31, 2**32 - 1, 2**64, 10**400, 0.5, 1e308, -1e308),
    *("", " ", "\0", "\ud800", "a", "a" * 1000, "(?:a*)*b", "Sequence", "Regex", "Precompiled", "/////wAAAAAAAAAA"),
    *([], {}, [[]] * 20, ["a", "a"], {"type": "Replace", "pattern": {"Regex": ""}, "content": "a"}),
]


def changed(content: Any, chance: random.Random) -> bytes:
    """Replace, remove or double one to three values anywhere in a JSON object."""
    made = copy.deepcopy(content)
    for _ in range(chance.randint(1, 3)):
        parent, keys = made, list(made)
        while True:
            key = chance.choice(keys)
            value = parent[key]
            if not isinstance(value, dict | list) or not value or chance.random() < 0.2:
                break
            parent, keys = value, list(value) if isinstance(value, dict) else list(range(len(value)))
        what = chance.random()
        if what < 0.2:
            del parent[key]
            if not parent and parent is made:
                return b"{}"
        elif what < 0.3 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(chance.choice([value, *ODD])))
        else:
            parent[key] = copy.deepcopy(chance.choice(ODD))
    return json.dumps(made).encode()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Overwrite, cut out or repeat a few bytes."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        position, length = chance.randrange(len(data)), chance.choice([1, 1, 1, 4, 100])
        what = chance.random()
        if what < 0.6:
            data[position : position + length] = chance.randbytes(length)
        elif what < 0.8:
            del data[position : position + length]
        else:
            data[position:position] = data[position : position + length]
        data = data or bytearray(b"\0")
    return bytes(data)
