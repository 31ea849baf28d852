//! Values that go into and come out of graphs.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::vec::HalfFloatVecExt;
use half::{bf16, f16};
use ort::memory::{AllocationDevice, Allocator};
use ort::value::{
    DynTensor, DynTensorValueType, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor,
};

use super::library;
use super::signature::{Dtype, Port};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A tensor that ONNX Runtime holds, on the host or on a device.
///
/// What one run gives, the next can take: no number is copied on the way.
pub struct Value {
    tensor: DynTensor,
}

impl Value {
    /// A value over `tensor`'s own memory, without a copy.
    ///
    /// # Errors
    /// As [`library::initialize`](super::library::initialize); so do all that make a value.
    pub fn f32(tensor: Tensor<f32>) -> Result<Self> {
        Self::owning(tensor)
    }

    /// As [`Value::f32`], for indices and positions.
    pub fn i64(tensor: Tensor<i64>) -> Result<Self> {
        Self::owning(tensor)
    }

    /// `tensor` as the element type that a port wants; only i64 goes without a copy.
    ///
    /// # Errors
    /// `Graph` when `dtype` is neither i64, i32 nor bool.
    pub fn whole_as(dtype: Dtype, tensor: Tensor<i64>) -> Result<Self> {
        let shape = tensor.shape().to_vec();
        match dtype {
            Dtype::I64 => Self::i64(tensor),
            Dtype::I32 => {
                let narrow = tensor.data().iter().map(|number| i32::try_from(*number));
                let narrow = narrow.collect::<std::result::Result<Vec<i32>, _>>();
                let narrow = narrow.map_err(|cause| {
                    Error::graph("value", "expected numbers of 32 bits").with_source(cause)
                })?;
                Self::owning(Tensor::new(shape, narrow)?)
            }
            Dtype::Bool => {
                let flags = tensor.data().iter().map(|number| *number != 0);
                Self::bool(Tensor::new(shape, flags.collect())?)
            }
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::I8 | Dtype::U8 => Err(Error::graph(
                "value",
                format!("expected a type of whole numbers, found {dtype}"),
            )),
        }
    }

    /// The last `count` rows of each head of `[1, heads, rows, width]`, on the host.
    ///
    /// # Errors
    /// `Graph` when there are fewer rows, or they cannot be read.
    pub fn last_rows(&self, count: usize) -> Result<Self> {
        if !self.is_on_host() {
            return self.to_host()?.last_rows(count);
        }
        match self.dtype() {
            Dtype::F32 => self.last_rows_of::<f32>(count),
            Dtype::F16 => self.last_rows_of::<f16>(count),
            Dtype::Bf16 => self.last_rows_of::<bf16>(count),
            Dtype::I8 => self.last_rows_of::<i8>(count),
            Dtype::U8 => self.last_rows_of::<u8>(count),
            Dtype::I64 | Dtype::I32 | Dtype::Bool => Err(self.not("keys or values")),
        }
    }

    fn last_rows_of<T: PrimitiveTensorElementType + Clone + fmt::Debug + 'static>(
        &self,
        count: usize,
    ) -> Result<Self> {
        let [batch, heads, rows, width] = self.shape()[..] else {
            return Err(self.not("[1, heads, rows, width]"));
        };
        let dropped = rows
            .checked_sub(count)
            .ok_or_else(|| self.not("more rows"))?;
        let elements = self.slice::<T>()?;
        let kept = elements
            .chunks_exact((rows * width).max(1))
            .flat_map(|head| &head[dropped * width..]);
        let kept = kept.cloned().collect();
        Self::owning(Tensor::new([batch, heads, count, width], kept)?)
    }

    /// As [`Value::f32`], for masks.
    pub fn bool(tensor: Tensor<bool>) -> Result<Self> {
        Self::owning(tensor)
    }

    /// `tensor` as the element type that a port wants; only f32 goes without a copy.
    ///
    /// # Errors
    /// `Graph` when `dtype` is not a float.
    pub fn float_as(dtype: Dtype, tensor: Tensor<f32>) -> Result<Self> {
        match dtype {
            Dtype::F32 => Self::f32(tensor),
            Dtype::F16 => {
                let shape = tensor.shape().to_vec();
                Self::owning(Tensor::new(
                    shape,
                    Vec::<f16>::from_f32_slice(tensor.data()),
                )?)
            }
            Dtype::Bf16 => {
                let shape = tensor.shape().to_vec();
                Self::owning(Tensor::new(
                    shape,
                    Vec::<bf16>::from_f32_slice(tensor.data()),
                )?)
            }
            Dtype::I64 | Dtype::I32 | Dtype::I8 | Dtype::U8 | Dtype::Bool => Err(Error::graph(
                "value",
                format!("expected a float type, found {dtype}"),
            )),
        }
    }

    /// Zeros on the host. A dimension may be 0, as that of an empty cache is.
    pub fn zeros(dtype: Dtype, shape: &[usize]) -> Result<Self> {
        library::environment()?;
        let tensor = DynTensor::new(&Allocator::default(), dtype.to_ort(), shape);
        let tensor = tensor.map_err(|cause| cannot_be_made(shape, cause))?;
        Ok(Self { tensor })
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        // Only values of these types are ever made, and `from_output` refuses others.
        Dtype::from_ort(*self.tensor.data_type()).unwrap_or(Dtype::U8)
    }

    /// One size per dimension.
    pub fn shape(&self) -> Vec<usize> {
        self.dims()
            .iter()
            .map(|dim| usize::try_from(*dim).unwrap_or(0))
            .collect()
    }

    /// The elements as f32: a copy, widened from f16 or bf16, brought from the device if they are there.
    ///
    /// # Errors
    /// `Graph` when the elements are no floats or cannot be read.
    pub fn to_f32(&self) -> Result<Tensor<f32>> {
        if !self.is_on_host() {
            return self.to_host()?.to_f32();
        }
        let data = match self.dtype() {
            Dtype::F32 => self.as_f32_slice()?.to_vec(),
            Dtype::F16 => self.slice::<f16>()?.to_f32_vec(),
            Dtype::Bf16 => self.slice::<bf16>()?.to_f32_vec(),
            Dtype::I64 | Dtype::I32 | Dtype::I8 | Dtype::U8 | Dtype::Bool => {
                return Err(self.not("floats"));
            }
        };
        Tensor::new(self.shape(), data)
    }

    /// The elements where they are.
    ///
    /// # Errors
    /// `Graph` when they are not f32 or not on the host.
    pub fn as_f32_slice(&self) -> Result<&[f32]> {
        self.slice()
    }

    /// What a run gave, unless it is no tensor of a type we know; the error is what it is.
    pub(super) fn from_output(value: DynValue) -> std::result::Result<Self, String> {
        let dtype = value.dtype().to_string();
        let tensor = value
            .downcast::<DynTensorValueType>()
            .map_err(|_| dtype.clone())?;
        let known = Dtype::from_ort(*tensor.data_type()).is_some();
        if known {
            Ok(Self { tensor })
        } else {
            Err(dtype)
        }
    }

    pub(super) fn tensor(&self) -> &DynTensor {
        &self.tensor
    }

    pub(super) fn fits(&self, port: &Port) -> bool {
        port.accepts(self.dtype(), self.dims())
    }

    fn is_on_host(&self) -> bool {
        self.tensor.memory_info().is_cpu_accessible()
    }

    /// A copy on the host.
    fn to_host(&self) -> Result<Self> {
        let tensor = self.tensor.to(AllocationDevice::CPU, 0);
        let tensor =
            tensor.map_err(|cause| self.not("something the device gives").with_source(cause))?;
        Ok(Self { tensor })
    }

    fn dims(&self) -> &[i64] {
        self.tensor.shape()
    }

    fn owning<T: PrimitiveTensorElementType + Clone + fmt::Debug + 'static>(
        tensor: Tensor<T>,
    ) -> Result<Self> {
        library::environment()?;
        let shape = tensor.shape().to_vec();
        let tensor = OrtTensor::from_array((shape.as_slice(), tensor.into_data()));
        let tensor = tensor.map_err(|cause| cannot_be_made(&shape, cause))?;
        Ok(Self {
            tensor: tensor.upcast(),
        })
    }

    fn slice<T: PrimitiveTensorElementType>(&self) -> Result<&[T]> {
        let expected = || format!("{} on the host", T::into_tensor_element_type());
        let extracted = self.tensor.try_extract_tensor::<T>();
        let (_, elements) = extracted.map_err(|cause| self.not(&expected()).with_source(cause))?;
        Ok(elements)
    }

    fn not(&self, expected: &str) -> Error {
        Error::graph("value", format!("expected {expected}, found {self}"))
    }
}

/// Prints `[1, 1, 25, 64] f16`, with `on Cuda` when it is not on the host.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.dims(), self.dtype())?;
        if !self.is_on_host() {
            write!(
                f,
                " on {}",
                self.tensor.memory_info().allocation_device().as_str()
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({self})")
    }
}

fn cannot_be_made(shape: &[usize], cause: ort::Error) -> Error {
    Error::graph("value", format!("of shape {shape:?} cannot be made")).with_source(cause)
}
