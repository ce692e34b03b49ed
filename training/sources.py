"""sources.toml → packages and sets of drawings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomllib

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Package:
    """A package of a registry: of npm or of Debian."""

    name: str
    registry: str
    title: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Set:
    """Drawings of one hand: "emoji", "icons" and "things" are trained on, "vendors" and "styles" are for tests.

    `brands` are captions of trade marks, which are not the things that they are called after: an apple, a mastodon.
    """

    name: str
    group: str
    package: str
    licence: str
    credit: str
    url: str = ""
    brands: Sequence[str] = ()

    @property
    def is_trained_on(self) -> bool:
        return self.group in ("emoji", "icons", "things")


def _table() -> dict:
    return tomllib.loads((HERE / "sources.toml").read_text("utf-8"))


def packages() -> dict[str, Package]:
    found = {}
    for name, values in _table()["packages"].items():
        registry = "npm" if "npm" in values else "debian"
        found[name] = Package(name, registry, values[registry], values["version"], values["sha256"])
    return found


def sets() -> dict[str, Set]:
    return {name: Set(name, **values) for name, values in _table()["sets"].items()}


def names(*groups: str) -> list[str]:
    """Return the names of the sets of some groups."""
    return [name for name, drawn in sets().items() if drawn.group in groups]


def trained_on() -> list[Set]:
    return [drawn for drawn in sets().values() if drawn.is_trained_on]
