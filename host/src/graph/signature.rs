//! What a graph takes and gives: names, element types and dimensions.

use std::collections::HashMap;
use std::fmt;

use super::proto::{Field, fields};
use ort::value::{Outlet, TensorElementType, ValueType};

/// The element type of a port or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 16-bit float, IEEE.
    F16,
    /// 16-bit float, the upper half of a 32-bit one.
    Bf16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    pub(super) fn from_ort(ty: TensorElementType) -> Option<Self> {
        match ty {
            TensorElementType::Float32 => Some(Self::F32),
            TensorElementType::Float16 => Some(Self::F16),
            TensorElementType::Bfloat16 => Some(Self::Bf16),
            TensorElementType::Int64 => Some(Self::I64),
            TensorElementType::Int32 => Some(Self::I32),
            TensorElementType::Int8 => Some(Self::I8),
            TensorElementType::Uint8 => Some(Self::U8),
            TensorElementType::Bool => Some(Self::Bool),
            _ => None,
        }
    }

    /// `TensorProto.DataType`.
    fn from_onnx(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::F32),
            2 => Some(Self::U8),
            3 => Some(Self::I8),
            6 => Some(Self::I32),
            7 => Some(Self::I64),
            9 => Some(Self::Bool),
            10 => Some(Self::F16),
            16 => Some(Self::Bf16),
            _ => None,
        }
    }

    pub(super) fn to_ort(self) -> TensorElementType {
        match self {
            Self::F32 => TensorElementType::Float32,
            Self::F16 => TensorElementType::Float16,
            Self::Bf16 => TensorElementType::Bfloat16,
            Self::I64 => TensorElementType::Int64,
            Self::I32 => TensorElementType::Int32,
            Self::I8 => TensorElementType::Int8,
            Self::U8 => TensorElementType::Uint8,
            Self::Bool => TensorElementType::Bool,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
        })
    }
}

/// One input or output of a graph. `{}` prints `past_key_values.0.key [?, 1, ?, 64] f32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name that [`Graph::run`](super::Graph::run) knows it by.
    pub name: String,
    /// The element type.
    pub dtype: Dtype,
    /// One size per dimension; `None` where it is decided per run.
    pub dims: Vec<Option<usize>>,
    /// What the graph calls the dimensions that are decided per run; empty for the others.
    pub symbols: Vec<String>,
}

impl Port {
    /// Whether a value of this type and shape can go through.
    pub(super) fn accepts(&self, dtype: Dtype, shape: &[i64]) -> bool {
        let fits = |(dim, size): (&Option<usize>, &i64)| {
            dim.is_none_or(|dim| usize::try_from(*size) == Ok(dim))
        };
        self.dtype == dtype
            && self.dims.len() == shape.len()
            && self.dims.iter().zip(shape).all(fits)
    }

    /// From a `ValueInfoProto`; `None` for what is no tensor of a type that we know.
    pub(super) fn from_onnx(bytes: &[u8]) -> Result<Option<Self>, String> {
        let (mut name, mut tensor) = (&[][..], None);
        for field in fields(bytes) {
            match field.ok_or("has a damaged list of inputs")? {
                (1, Field::Bytes(text)) => name = text,
                (2, Field::Bytes(kind)) => tensor = first_message(kind),
                _ => {}
            }
        }
        let (mut dtype, mut dims, mut symbols) = (None, Vec::new(), Vec::new());
        for field in tensor.into_iter().flat_map(fields).flatten() {
            match field {
                (1, Field::Number(code)) => dtype = Dtype::from_onnx(code),
                (2, Field::Bytes(shape)) => (dims, symbols) = onnx_dims(shape),
                _ => {}
            }
        }
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(dtype.map(|dtype| Self {
            name,
            dtype,
            dims,
            symbols,
        }))
    }

    /// The detail of the error is the whole answer when the port has a type that we have no word for.
    fn from_ort(outlet: &Outlet) -> Result<Self, String> {
        let name = outlet.name().to_owned();
        let ValueType::Tensor {
            ty,
            shape,
            dimension_symbols,
        } = outlet.dtype()
        else {
            return Err(format!("{name} is {}, expected a tensor", outlet.dtype()));
        };
        let dtype = Dtype::from_ort(*ty)
            .ok_or_else(|| format!("{name} has elements of type {ty}, which is not supported"))?;
        let dims = shape.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let symbols = dimension_symbols.iter().map(ToString::to_string).collect();
        Ok(Self {
            name,
            dtype,
            dims,
            symbols,
        })
    }
}

/// `TypeProto.tensor_type`.
fn first_message(bytes: &[u8]) -> Option<&[u8]> {
    fields(bytes).flatten().find_map(|field| match field {
        (1, Field::Bytes(inner)) => Some(inner),
        _ => None,
    })
}

/// `TensorShapeProto`: a dimension has a value, a symbol, or neither.
fn onnx_dims(bytes: &[u8]) -> (Vec<Option<usize>>, Vec<String>) {
    let dim = |bytes| {
        let (mut size, mut symbol) = (None, String::new());
        for field in fields(bytes).flatten() {
            match field {
                (1, Field::Number(number)) => size = usize::try_from(number).ok(),
                (2, Field::Bytes(text)) => symbol = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
        (size, symbol)
    };
    let dims = fields(bytes).flatten().filter_map(|field| match field {
        (1, Field::Bytes(bytes)) => Some(dim(bytes)),
        _ => None,
    });
    dims.unzip()
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |dim: &Option<usize>| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string());
        let dims: Vec<String> = self.dims.iter().map(size).collect();
        write!(f, "{} [{}] {}", self.name, dims.join(", "), self.dtype)
    }
}

/// The ports of one side, in the graph's order.
#[derive(Debug)]
pub(super) struct Ports {
    ports: Vec<Port>,
    index: HashMap<String, usize>,
}

impl Ports {
    pub(super) fn from_ort(outlets: &[Outlet]) -> Result<Self, String> {
        let ports: Vec<Port> = outlets
            .iter()
            .map(Port::from_ort)
            .collect::<Result<_, _>>()?;
        Ok(Self::new(ports))
    }

    fn new(ports: Vec<Port>) -> Self {
        let index = ports
            .iter()
            .enumerate()
            .map(|(index, port)| (port.name.clone(), index))
            .collect();
        Self { ports, index }
    }

    pub(super) fn as_slice(&self) -> &[Port] {
        &self.ports
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Port> {
        self.ports.get(self.position(name)?)
    }

    /// `a, b, c`, for messages.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.ports.iter().map(|port| port.name.as_str()).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Port {
        Port {
            name: "past.0.key".into(),
            dtype: Dtype::F16,
            dims: vec![None, Some(1), None, Some(64)],
            symbols: Vec::new(),
        }
    }

    #[test]
    fn a_symbolic_dimension_takes_any_length_even_none() {
        assert!(key().accepts(Dtype::F16, &[1, 1, 0, 64]));
        assert!(key().accepts(Dtype::F16, &[2, 1, 7, 64]));
    }

    #[test]
    fn a_fixed_dimension_another_rank_or_another_type_is_refused() {
        assert!(!key().accepts(Dtype::F16, &[1, 2, 7, 64]));
        assert!(!key().accepts(Dtype::F16, &[1, 1, 64]));
        assert!(!key().accepts(Dtype::F32, &[1, 1, 7, 64]));
    }

    #[test]
    fn a_port_prints_as_one_line() {
        assert_eq!(key().to_string(), "past.0.key [?, 1, ?, 64] f16");
    }

    #[test]
    fn ports_are_found_by_name() {
        let ports = Ports::new(vec![key()]);
        assert_eq!(ports.position("past.0.key"), Some(0));
        assert!(ports.get("past.1.key").is_none());
    }
}
