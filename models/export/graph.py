"""A thin layer over `onnx.helper`: one `GraphBuilder` per graph, one method per operator family that we use."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from .data import FILE_BYTES_MAX, DataFiles
from .quantize import block_count, quantize

OPSET = 21
IR_VERSION = 10
MICROSOFT = "com.microsoft"
TYPES = {
    "f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "i64": TensorProto.INT64, "i32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}
# A matrix product above this is cut into several, so that no tensor fills a data file and none is read whole.
PRODUCT_BYTES_MAX = 2**29
HALF_ELEMENTS_MIN = 512


@dataclass(frozen=True)
class Storage:
    """How numbers are stored and computed with.

    `half`: float16 weights and arithmetic. `block`: linear weights in 4 bits by blocks of this many, 0 for none.
    `accuracy`: MatMulNBits' level, 4 for products with 8-bit activations (fast), 1 for float32.
    `half_files`: float16 in the files with a Cast to float32 behind, which ONNX Runtime folds when it opens the
    graph: half the bytes on disk, float32 arithmetic. The checkpoint must have been rounded to float16 before, or the
    graph is not exact. `contrib`: operators beyond the standard may be used where they are faster. `file_bytes_max`:
    where a data file ends and the next begins.
    """

    half: bool = False
    block: int = 0
    accuracy: int = 4
    half_files: bool = False
    contrib: bool = True
    file_bytes_max: int = FILE_BYTES_MAX


class GraphBuilder:
    """Collects nodes of one graph and writes its weights beside `path` as they come."""

    def __init__(self, name: str, path: Path, storage: Storage, parent: GraphBuilder | None = None):
        self.name, self.path, self.storage = name, path, storage
        self.nodes, self.inputs, self.outputs = [], [], []
        self.data = parent.data if parent else DataFiles(path, storage.file_bytes_max)
        self.initializers = parent.initializers if parent else {}
        self.constants = parent.constants if parent else {}
        self.counter = parent.counter if parent else itertools.count(1)

    def child(self, name: str) -> GraphBuilder:
        """A graph inside an operator's attribute: sees this graph's values, shares its weights and names."""
        return GraphBuilder(name, self.path, self.storage, self)

    @property
    def kind(self) -> str:
        """The arithmetic's type as `input` and `output` name it."""
        return "f16" if self.storage.half else "f32"

    def fresh(self, stem: str) -> str:
        """A new value name."""
        return f"{stem}_{next(self.counter)}"

    def input(self, name: str, kind: str, shape: list) -> str:
        """Declares a graph input; `shape` holds numbers and symbolic names."""
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))
        return name

    def output(self, name: str, kind: str, shape: list) -> None:
        """Declares a graph output that some node has already produced under this name."""
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))

    def const(self, value, stem: str = "const", dtype=None) -> str:
        """A small constant; equal constants are stored once. float32 means the graph's arithmetic."""
        if dtype is np.float32 and self.storage.half:
            dtype = np.float16
            limit = float(np.finfo(np.float16).max)
            value = np.clip(np.asarray(value, np.float64), -limit, limit)
        return self.exact(value, stem, dtype)

    def exact(self, value, stem: str = "const", dtype=None) -> str:
        """A constant in just this type."""
        array = np.asarray(value, dtype=dtype)
        key = (stem, array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            name = self.fresh(stem)
            self.constants[key] = name
            # Shape inference reads whole numbers, and cannot look into other files.
            self.initializers[name] = self.data.add(name, array, inline=array.dtype.kind in "ib")
        return self.constants[key]

    def ints(self, *values: int) -> str:
        """A 1-D int64 constant."""
        return self.exact(list(values), "ints", np.int64)

    def weight(self, array: np.ndarray, name: str) -> str:
        """A float weight. With `half_files` it is stored as float16 when it is large and nothing is lost by it."""
        array = np.ascontiguousarray(array, dtype=np.float32)
        half = array.astype(np.float16)
        if self.storage.half:
            array = half
        elif self.storage.half_files and array.size >= HALF_ELEMENTS_MIN and np.array_equal(half.astype(np.float32), array):
            stored = f"{name}.f16"
            self.initializers[stored] = self.data.add(stored, half)
            return self.op("Cast", [stored], out=name, to=TensorProto.FLOAT)
        self.initializers[name] = self.data.add(name, array)
        return name

    def weight_blocks(self, shape: tuple[int, ...], blocks: Iterable[np.ndarray], name: str) -> str:
        """The same for a weight that comes as blocks along its first axis."""
        if self.storage.half_files:
            return self.weight(np.concatenate(list(blocks)).reshape(shape), name)
        dtype = np.float16 if self.storage.half else np.float32
        self.initializers[name], region = self.data.reserve(name, dtype, shape)
        for block in blocks:
            region.write(block.astype(dtype))
        return name

    def op(self, kind: str, inputs: list, out: str | list | None = None, domain: str = "", **attributes):
        """Adds one node and returns its output name, or the list of names when `out` is a list."""
        outputs = out if isinstance(out, list) else [out or self.fresh(kind)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs if isinstance(out, list) else outputs[0]

    def to_float(self, x: str, kind: str | None = None, out: str | None = None) -> str:
        """Cast to the graph's arithmetic, or to `kind`."""
        return self.op("Cast", [x], out=out, to=TYPES[kind or self.kind])

    def entering(self, x: str) -> str:
        """A float32 input of the graph in the graph's arithmetic."""
        return self.to_float(x) if self.storage.half else x

    def leaving(self, x: str, out: str) -> None:
        """Makes the last node's value `x` the float32 output `out`."""
        if self.storage.half:
            self.to_float(x, "f32", out)
        else:
            self.nodes[-1].output[0] = out

    def linear(self, x: str, weight: np.ndarray, name: str, bits: int = 4) -> str:
        """`x @ weight.T` for a PyTorch weight `[out, in]`; quantised where the storage says so."""
        return self.linear_blocks(x, weight.shape, [weight], name, bits)

    def linear_blocks(self, x: str, shape: tuple[int, int], blocks: Iterable[np.ndarray], name: str, bits: int = 4):
        """The same for a weight that comes as blocks of rows."""
        if self.storage.block:
            return self.matmul_bits(x, self.quantized(shape, blocks, name, bits), shape, bits)
        parts, rows, rows_max = [], [], max(1, PRODUCT_BYTES_MAX // (4 * shape[1]))
        for block in blocks:
            rows.append(block)
            if sum(len(row) for row in rows) >= rows_max:
                parts.append(self.product(x, rows, f"{name}.{len(parts)}"))
                rows = []
        if not parts:
            return self.product(x, rows, name)
        if rows:
            parts.append(self.product(x, rows, f"{name}.{len(parts)}"))
        return self.op("Concat", parts, axis=-1) if len(parts) > 1 else parts[0]

    def product(self, x: str, rows: list[np.ndarray], name: str) -> str:
        """One MatMul."""
        weight = rows[0] if len(rows) == 1 else np.concatenate(rows)
        return self.op("MatMul", [x, self.weight(weight.T, name)])

    def matmul_bits(self, x: str, tensors: list[str], shape: tuple[int, int], bits: int) -> str:
        """Product with quantised weights."""
        return self.op(
            "MatMulNBits", [x, *tensors], domain=MICROSOFT, N=shape[0], K=shape[1], bits=bits,
            block_size=self.storage.block, accuracy_level=self.storage.accuracy,
        )

    def quantized(self, shape: tuple[int, ...], blocks: Iterable[np.ndarray], name: str, bits: int = 4,
                  flat: bool = False) -> list[str]:
        """Numbers, scales and zero points of `[…, rows, width]`, given as blocks along the first axis.

        Numbers are `[…, rows, blocks, bytes]`, or with `flat` `[…, rows, blocks * bytes]`.
        """
        block, width, ahead = self.storage.block, shape[-1], tuple(shape[:-1])
        count, size = block_count(width, block), block * bits // 8
        packed = (ahead + (count * size,)) if flat else (ahead + (count, size))
        plan = {
            f"{name}.q{bits}": (np.uint8, packed),
            f"{name}.scales": (np.float16 if self.storage.half else np.float32, ahead + (count,)),
            f"{name}.zeros": (np.uint8, ahead + (-(-count * bits // 8),)),
        }
        regions = []
        for key, (dtype, dims) in plan.items():
            self.initializers[key], region = self.data.reserve(key, dtype, dims)
            regions.append((dtype, region))
        for rows in blocks:
            found = quantize(rows.reshape(-1, width), block, bits)
            for (dtype, region), array in zip(regions, (found.numbers, found.scales, found.zero_points)):
                region.write(array.astype(dtype))
        return list(plan)

    def rms_norm(self, x: str, scale: np.ndarray | None, eps: float) -> str:
        """RMSNorm over the last axis, times `scale`."""
        if self.storage.contrib:
            gamma = self.const(scale, "gamma", np.float32)
            return self.op("SimplifiedLayerNormalization", [x, gamma], axis=-1, epsilon=eps, stash_type=1)
        wide = self.to_float(x, "f32") if self.storage.half else x
        mean = self.op("ReduceMean", [self.op("Mul", [wide, wide]), self.ints(-1)], keepdims=1)
        root = self.op("Sqrt", [self.op("Add", [mean, self.exact(eps, "eps", np.float32)])])
        normed = self.op("Div", [wide, root])
        return self.op("Mul", [self.entering(normed), self.const(scale, "gamma", np.float32)])

    def add_rms_norm(self, x: str, skip: str, scale: np.ndarray, eps: float) -> tuple[str, str]:
        """`(RMSNorm(x + skip) * scale, x + skip)`."""
        if not self.storage.contrib:
            total = self.op("Add", [x, skip])
            return self.rms_norm(total, scale, eps), total
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

    def graph(self) -> onnx.GraphProto:
        """The graph alone, for an operator's attribute: its weights are the outermost graph's."""
        return helper.make_graph(self.nodes, self.name, self.inputs, self.outputs)

    def model(self) -> onnx.ModelProto:
        """The finished model, without shapes of inner values, doc strings or metadata."""
        tensors = list(self.initializers.values())
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lapidary")

    def save(self) -> int:
        """Writes the graph beside its data; returns the bytes of both."""
        self.path.write_bytes(self.model().SerializeToString())
        return self.path.stat().st_size + self.data.size_bytes
