"""Features of the processor, such as AVX512-BF16, as the operating system or NumPy lists them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

# Features that decide how fast an engine is, by their names in Linux (x86, Arm) and in NumPy; the fastest first.
_FEATURES = {
    "AMX-FP16": {"amx_fp16"},
    "AMX-BF16": {"amx_bf16"},
    "AMX-INT8": {"amx_int8"},
    "AVX512-FP16": {"avx512_fp16", "AVX512_SPR"},
    "AVX512-BF16": {"avx512_bf16", "AVX512BF16"},
    "AVX512-VNNI": {"avx512_vnni", "AVX512VNNI", "AVX512_ICL"},
    "AVX512": {"avx512f", "AVX512F"},
    "AVX-VNNI": {"avx_vnni"},
    "AVX2": {"avx2", "AVX2"},
    "SVE": {"sve", "SVE"},
    "BF16": {"bf16"},
    "I8MM": {"i8mm"},
    "FP16": {"asimdhp", "ASIMDHP"},
    "DOTPROD": {"asimddp", "ASIMDDP"},
    "NEON": {"asimd", "ASIMD", "NEON"},
}
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Processor:
    """A processor: its name, the cores that this process may use, and what it can compute, the fastest first."""

    name: str
    cores: int
    features: tuple[str, ...]

    @classmethod
    def here(cls) -> Processor:
        """Describe the processor of this machine."""
        about = _cpuinfo()
        flags = set(f"{about.get('flags', '')} {about.get('Features', '')}".split()) or _known_to_numpy()
        name = about.get("model name") or platform.processor() or platform.machine()
        return cls(name, cores(), tuple(name for name, flag in _FEATURES.items() if flag & flags))


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first core; nothing elsewhere."""
    try:
        first_core = _CPUINFO.read_text("utf-8", "replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first_core.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _known_to_numpy() -> set[str]:
    for module in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):  # the latter until NumPy 1.26
        try:
            features: dict[str, bool] = import_module(module).__cpu_features__
        except (ImportError, AttributeError):
            continue
        return {name for name, is_there in features.items() if is_there}
    return set()


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS or Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
