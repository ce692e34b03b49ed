"""The names of engines, which options offer without importing what has them."""

from typing import Literal, TypeAlias, get_args

Engine: TypeAlias = Literal["numpy", "openvino", "onnxruntime"]

ENGINES: tuple[Engine, ...] = get_args(Engine)
