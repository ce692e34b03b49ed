"""The names of engines and precisions, which options offer without importing what has them."""

from typing import Literal, TypeAlias, get_args

Engine: TypeAlias = Literal["numpy", "openvino", "onnxruntime"]
Precision: TypeAlias = Literal["float32", "bfloat16", "float16", "int8"]

ENGINES: tuple[Engine, ...] = get_args(Engine)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
