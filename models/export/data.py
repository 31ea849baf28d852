"""External data of one graph: tensors appended to `.onnx_data`, `.onnx_data_1`, … as they come, never held.

A tensor is reserved first and written block by block, so that a table larger than memory passes through. Files stay
below 2 GiB, because browsers cannot hold more in one buffer; a larger tensor is the caller's to split.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

FILE_BYTES_MAX = 2**31 - 2**16
INLINE_BYTES_MAX = 1023
# Large tensors begin on a page, so that a runtime may map them instead of reading them.
PAGE_BYTES, PAGE_FROM_BYTES = 4096, 2**20


@dataclass
class Region:
    """Reserved bytes of one tensor; `write` fills them front to back."""

    path: Path
    position: int
    end: int

    def write(self, array: np.ndarray) -> None:
        """Appends the array's bytes, in C order."""
        array = np.ascontiguousarray(array)
        if self.position + array.nbytes > self.end:
            raise ValueError(f"{self.path.name}: more data than was reserved")
        with self.path.open("r+b") as file:
            file.seek(self.position)
            array.tofile(file)
        self.position += array.nbytes


class DataFiles:
    """The data files of the graph that will be saved as `path`."""

    def __init__(self, path: Path, file_bytes_max: int = FILE_BYTES_MAX):
        self.path, self.file_bytes_max = path, file_bytes_max
        for old in path.parent.glob(f"{path.name}_data*"):
            old.unlink()
        self.files: list[Path] = []
        self.used = 0

    def reserve(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> tuple[TensorProto, Region]:
        """A tensor whose bytes the caller will write into the region."""
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        start = self.place(size)
        path, self.used = self.files[-1], start + size
        with path.open("r+b") as file:
            file.truncate(self.used)
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(dtype), dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", path.name), ("offset", start), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor, Region(path, start, self.used)

    def place(self, size: int) -> int:
        """The offset of the next tensor; opens another file when the last one would grow too large."""
        start = self.used
        if size >= PAGE_FROM_BYTES:
            start = -(-start // PAGE_BYTES) * PAGE_BYTES
        if self.files and start + size <= self.file_bytes_max:
            return start
        suffix = f"_data_{len(self.files)}" if self.files else "_data"
        self.files.append(self.path.with_name(self.path.name + suffix))
        self.files[-1].write_bytes(b"")
        return 0

    def add(self, name: str, array: np.ndarray, inline: bool = False) -> TensorProto:
        """A whole array: inside the graph when it is small or `inline`, else in the files."""
        if inline or array.nbytes <= INLINE_BYTES_MAX:
            return helper.make_tensor(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape,
                np.ascontiguousarray(array).tobytes(), raw=True,
            )
        tensor, region = self.reserve(name, array.dtype, array.shape)
        region.write(array)
        return tensor

    @property
    def size_bytes(self) -> int:
        """Bytes of all files so far."""
        return sum(file.stat().st_size for file in self.files)
