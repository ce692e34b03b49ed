"""What a processor has, by Linux's words and by NumPy's."""

from pathlib import Path

import pytest

from numpyclip.engines import processor
from numpyclip.engines.processor import Processor

XEON = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum
flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp sve i8mm bf16\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name", "features"),
    [
        (XEON, "Intel(R) Xeon(R) Platinum", "AMX-BF16 AMX-INT8 AVX512-BF16 AVX512-VNNI AVX512 AVX2"),
        (GRAVITON, "arm", "SVE BF16 I8MM FP16 DOTPROD NEON"),
    ],
)
def test_linux_says_what_a_core_has(
    cpuinfo: str, name: str, features: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo, "utf-8")
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.processor", lambda: "arm")
    here = Processor.here()
    assert (here.name, here.features) == (name, tuple(features.split()))
    assert here.cores >= 1


def test_elsewhere_numpy_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "nothing")
    of_numpy = Processor.here()
    assert of_numpy.name
    assert of_numpy.features
    monkeypatch.setattr(processor, "import_module", lambda name: object())
    assert Processor.here().features == ()
