"""OpenVINO that keeps compiled models in a folder, so that the second start of a program is faster."""

from pathlib import Path

import openvino

from contest.contestants.openvino import OpenVINO
from contest.files import HOME, Checkpoint


class Cached(OpenVINO):
    """Compiles for any batch: only then need it not read the model to find the compiled one."""

    def _compile(self, path: Path, shape: tuple[int, ...]) -> openvino.CompiledModel:
        return self.core.compile_model(path, "CPU", self.settings)


def load(checkpoint: Checkpoint, threads: int) -> Cached:
    return Cached(checkpoint, threads, {"INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": str(HOME / "openvino-cache")})
