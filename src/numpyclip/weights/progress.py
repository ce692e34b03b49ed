"""How far a download is, on stderr, if that is a terminal."""

import sys
from typing import Any

from numpyclip.escaping import printable


class Progress:
    """Bytes, rate and time left, behind a label."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._visible = sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, text: str) -> None:
        """Write a line of its own."""
        if self._visible:
            self._close()
            print(printable(f"{self._label}: {text}"), file=sys.stderr)

    def show(self, size: int, total: int | None) -> None:
        """Draw how many bytes are there, of how many; a file that shrank starts a new bar."""
        if not self._visible:
            return
        from tqdm import tqdm

        if self._bar is not None and size < self._bar.n:
            self._close()
        if self._bar is None:
            scale: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
            self._bar = tqdm(desc=printable(self._label), initial=size, total=total, file=sys.stderr, **scale)
        self._bar.total = total
        self._bar.update(size - self._bar.n)
