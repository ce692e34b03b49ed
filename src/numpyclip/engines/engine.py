"""The base class of engines: compile the graph of a tower for a device, to a session that computes embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from numpy.typing import NDArray

from numpyclip.arguments import EngineName, Precision
from numpyclip.errors import EngineError, MissingPackageError, NumPyCLIPError
from numpyclip.extras import missing
from numpyclip.interrupts import deferred_interrupts
from numpyclip.model.ops import Array

# A compiled graph of one input and one output, used by one thread at a time: (b, ...) -> (b, e).
Session: TypeAlias = Callable[[NDArray[Any]], Array]


class PrecisionError(EngineError):
    """A device that is here does not compute in a precision."""


@dataclass(frozen=True, eq=False)
class CachedGraph:
    """A compiled graph in a file: `weights` come first in it, so that an engine may memory-map them.

    For OpenVINO `weights` is everything, and `graph` is empty.
    """

    path: Path
    weights: memoryview
    graph: bytes


@dataclass(frozen=True)
class Engine(ABC):
    """A library that compiles graphs for a device. It is imported when it is used, not when this is made.

    Attributes
    ----------
    device : str
        Such as ``"cpu"`` or ``"cuda:1"``.
    precision : str
    """

    device: str
    precision: Precision

    name: ClassVar[EngineName]
    devices: ClassVar[Mapping[str, tuple[Precision, ...]]]  # that it may have, each with its precisions

    def __str__(self) -> str:
        return f"{self.name} on {self.device} in {self.precision}"

    @property
    def options(self) -> str:
        """The options of commands that choose it."""
        precision = "" if self.precision == "float32" else f" --precision {self.precision}"
        return f"--engine {self.name}{precision}" + ("" if self.device == "cpu" else f" --device {self.device}")

    @classmethod
    def is_installed(cls) -> bool:
        """Tell whether the library, and the package onnx, which writes graphs, are installed."""
        return all(find_spec(package) is not None for package in (cls.name, "onnx"))

    @classmethod
    def missing(cls, device: str = "cpu") -> MissingPackageError:
        """Return the error that says what to install for a device."""
        if find_spec(cls.name) is not None:
            return missing(f"engine {cls.name!r} needs the package onnx", "onnx")
        package = cls.package(device)
        needed = (package,) if package == cls.name else ("onnx", package)
        return missing(f"engine {cls.name!r} is not installed", *needed)

    @classmethod
    def package(cls, device: str) -> str:
        """Return the package that has a device."""
        return cls.name

    @classmethod
    def library(cls) -> Any:
        """Import the library; raise EngineError if it is installed, and cannot be imported."""
        try:
            with deferred_interrupts():
                return import_module(cls.name)
        except Exception as error:  # of a file that is missing or damaged, or of another version of something
            raise EngineError(f"{cls.name}: cannot be imported ({error}). Install it anew.") from error

    @classmethod
    @abstractmethod
    def available(cls) -> list[str]:
        """List the devices that it has here."""

    def is_usable(self) -> bool:
        """Tell whether `check` finds no error."""
        try:
            self.check()
        except EngineError:
            return False
        return True

    @property
    def can_cache(self) -> bool:
        """Whether compiled graphs can be written to files, and opened from them."""
        return True

    @classmethod
    def version(cls) -> str:
        """Return the version of the library."""
        return str(cls.library().__version__)

    @abstractmethod
    def check(self) -> None:
        """Raise EngineError unless the device is here, and has the precision."""

    @abstractmethod
    def compile(self, graph: Path, threads: int, cache: Path | None) -> tuple[Session, bytes]:
        """Compile a graph; write the weights to the file `cache`, and return also the graph that goes with them."""

    @abstractmethod
    def open(self, cached: CachedGraph, threads: int) -> Session:
        """Make a session of what `compile` has cached."""

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise EngineError from any error of the library, quoting it."""
        try:
            yield
        except NumPyCLIPError:
            raise
        except Exception as error:  # of no common class
            raise EngineError(f"{self.name} on {self.device}: {error}") from error
