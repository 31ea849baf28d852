"""A thin layer over `onnx.helper`: one `GraphBuilder` per graph, one method per operator family that we use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
IR_VERSION = 10
MICROSOFT = "com.microsoft"
EXTERNAL_BYTES_MIN = 1024
TYPES = {"f32": TensorProto.FLOAT, "i64": TensorProto.INT64, "i32": TensorProto.INT32, "bool": TensorProto.BOOL}


@dataclass
class GraphBuilder:
    """Collects nodes and initializers of one graph.

    `half_storage` keeps large float weights as float16 in the file, with a Cast to float32 that ONNX Runtime folds
    when it opens the graph: half the bytes on disk, float32 arithmetic. The caller must have rounded the weights of
    the checkpoint to float16 before, or the graph is not exact.
    """

    name: str
    half_storage: bool = False
    nodes: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    initializers: dict = field(default_factory=dict)
    count: int = 0

    def fresh(self, stem: str) -> str:
        """A new value name."""
        self.count += 1
        return f"{stem}_{self.count}"

    def input(self, name: str, kind: str, shape: list) -> str:
        """Declares a graph input; `shape` holds numbers and symbolic names."""
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))
        return name

    def output(self, name: str, kind: str, shape: list) -> None:
        """Declares a graph output that some node has already produced under this name."""
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))

    def const(self, value, stem: str = "const", dtype=None) -> str:
        """A small constant; equal constants are stored once."""
        array = np.asarray(value, dtype=dtype)
        key = (stem, array.dtype.str, array.shape, array.tobytes())
        for name, (other, _) in self.initializers.items():
            if other == key:
                return name
        name = self.fresh(stem)
        self.initializers[name] = (key, numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        """A 1-D int64 constant."""
        return self.const(list(values), "ints", np.int64)

    def weight(self, array: np.ndarray, name: str) -> str:
        """A float32 weight, stored as float16 when `half_storage` is set and nothing is lost by it."""
        array = np.ascontiguousarray(array, dtype=np.float32)
        half = array.astype(np.float16)
        if self.half_storage and array.size >= 512 and np.array_equal(half.astype(np.float32), array):
            stored = f"{name}.f16"
            self.initializers[stored] = (stored, numpy_helper.from_array(half, stored))
            return self.op("Cast", [stored], out=name, to=TensorProto.FLOAT)
        self.initializers[name] = (name, numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, inputs: list, out: str | list | None = None, domain: str = "", **attributes):
        """Adds one node and returns its output name, or the list of names when `out` is a list."""
        outputs = out if isinstance(out, list) else [out or self.fresh(kind)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs if isinstance(out, list) else outputs[0]

    def linear(self, x: str, weight: np.ndarray, name: str) -> str:
        """`x @ weight.T` for a PyTorch weight `[out, in]`."""
        return self.op("MatMul", [x, self.weight(weight.T, name)])

    def rms_norm(self, x: str, scale: np.ndarray, eps: float) -> str:
        """RMSNorm over the last axis, times `scale`."""
        gamma = self.const(scale, "gamma", np.float32)
        return self.op("SimplifiedLayerNormalization", [x, gamma], axis=-1, epsilon=eps, stash_type=1)

    def add_rms_norm(self, x: str, skip: str, scale: np.ndarray, eps: float) -> tuple[str, str]:
        """`(RMSNorm(x + skip) * scale, x + skip)` in one operator."""
        gamma = self.const(scale, "gamma", np.float32)
        outputs = [self.fresh("norm"), "", "", self.fresh("sum")]
        self.op("SkipSimplifiedLayerNormalization", [x, skip, gamma], outputs, MICROSOFT, epsilon=eps)
        return outputs[0], outputs[3]

    def reshape(self, x: str, *shape: int, out: str | None = None) -> str:
        """Reshape; 0 copies a dimension, -1 infers one."""
        return self.op("Reshape", [x, self.ints(*shape)], out=out)

    def split(self, x: str, sizes: list[int], axis: int = -1) -> list[str]:
        """Split into parts of the given sizes."""
        return self.op("Split", [x, self.ints(*sizes)], [self.fresh("split") for _ in sizes], axis=axis)

    def model(self) -> onnx.ModelProto:
        """The finished model, without shapes of inner values, doc strings or metadata."""
        tensors = [tensor for _, tensor in self.initializers.values()]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lapidary")


def save(model: onnx.ModelProto, path: Path) -> int:
    """Writes `path` and `path` + "_data" beside it; returns the bytes of both."""
    data = path.with_name(path.name + "_data")
    for old in (path, data):
        old.unlink(missing_ok=True)
    onnx.save_model(
        model, str(path), save_as_external_data=True, all_tensors_to_one_file=True,
        location=data.name, size_threshold=EXTERNAL_BYTES_MIN, convert_attribute=False,
    )
    return path.stat().st_size + data.stat().st_size
