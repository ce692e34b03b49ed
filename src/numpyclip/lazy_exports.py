"""Public names of a package, imported on first use (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # true for type checkers; importing `typing` would take longer than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def lazy_exports(
    package: str, names: Sequence[str], modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make a package's `__getattr__` and `__dir__`.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    names : sequence of str
        Its ``__all__``, which `dir` shows.
    modules : mapping of str to str
        The module of each name, relative to the package. A name that is its own module is that module; no other name
        may be that of a module, whose import would replace it.
    """

    def get(name: str) -> object:
        from importlib import import_module

        if name not in modules:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=sys.modules[package])
        module = import_module(f"{package}.{modules[name]}")
        value = module if modules[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(names)
