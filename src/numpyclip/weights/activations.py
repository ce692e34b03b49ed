"""The activations that a file of weights can record, and its user can pass: one list, without imports."""

from typing import Literal, get_args

Activation = Literal["quick_gelu", "gelu", "gelu_tanh"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
