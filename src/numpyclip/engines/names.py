"""The names of engines, which options offer without importing what has them."""

from typing import Literal, TypeAlias, get_args

EngineName: TypeAlias = Literal["numpy", "openvino", "onnxruntime"]

ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
