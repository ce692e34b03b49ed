"""Progress of downloads, on stderr; if that is no terminal, only a line when a large one begins."""

import sys
from typing import Any

from numpyclip.escaping import printable

_LARGE = 10_000_000  # bytes that take a while


class Progress:
    """Bytes, rate and time left, after a label."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._visible = sys.stderr is not None and sys.stderr.isatty()
        self._is_told = False  # that it has begun
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
            if not self._is_told and sys.stderr is not None and (total is None or total - size >= _LARGE):
                what = "" if total is None else f" {(total - size) / 1e6:,.0f} MB"
                print(printable(f"{self._label}: downloading{what}"), file=sys.stderr, flush=True)
            self._is_told = True
            return
        from tqdm import tqdm

        if self._bar is not None and size < self._bar.n:
            self._close()
        if self._bar is None:
            scale: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
            self._bar = tqdm(desc=printable(self._label), initial=size, total=total, file=sys.stderr, **scale)
        self._bar.total = total
        self._bar.update(size - self._bar.n)
