"""OpenVINO as it comes: in bfloat16 where the processor can."""

from contest.contestants.openvino import OpenVINO
from contest.files import Checkpoint


def load(checkpoint: Checkpoint, threads: int) -> OpenVINO:
    return OpenVINO(checkpoint, threads, {})
