"""TOWERS → ONNX: the prepared towers of a model as graphs, which engines and other runtimes compute.

Why not trace? The NumPy towers compute with columns in chunks and in place, which is what makes them fast, and a trace
would fix what is dynamic: batch and length. The readable reference knows one family. So a graph is written: a visitor
for each kind of layer names operators in place of calls. It is short, because what is difficult has been done when the
tower was prepared: names and shapes of checkpoints, options of families, weights folded into each other.

To add a family: for `numpyclip/model/vision/new.py` write `numpyclip/graph/vision/new.py`, with a function for each
class of layers that is new, which `visits` registers (see `numpyclip.graph.vision.vit` for a tower, and
`numpyclip.graph.transformer` for its layers)::

    @visits(NewTower)
    def add_new_tower(tower: NewTower, g: Graph, pixels: Pixels) -> Value:  # -> (b, e)
        x = visit(tower.stem, g.at("stem"), pixels.planes(g))
        ...

`visit` finds it: modules here have the names of those in `numpyclip.model`. `g.at` names nodes and weights as the
checkpoint names its modules; arrays among the inputs of `g.op` become constants. Tokens are the rows of matrices,
(b n, d), feature maps (b, c, y, x). `g.matrix` adds what lower precisions round; the first layer's is a `g.weight`, for
its error would be the largest: pixels are not standardized. `tests/graph/test_families.py` has every family that is
recorded, and fails for one without a graph.
"""

from numpyclip.extras import missing
from numpyclip.interrupts import deferred_interrupts

try:
    with deferred_interrupts():
        from numpyclip.graph.build import image_graph, text_graph
        from numpyclip.graph.read import read_graph
        from numpyclip.graph.write import stream_graph, write_graph
except ImportError as error:
    if error.name != "onnx":
        raise
    raise missing("ONNX graphs need the package onnx", "onnx") from error

__all__ = ["image_graph", "read_graph", "stream_graph", "text_graph", "write_graph"]
