//! What a graph says of itself, read before ONNX Runtime opens it: its inputs and outputs, and which other files it
//! needs.
//!
//! The field numbers are those of `onnx.proto3` (ONNX 1.19). Everything but the path to the tensors' external data is
//! stepped over, so a graph with its weights inside is not read either.

use std::collections::BTreeMap;
use std::io::{BufRead, Seek};
use std::path::{Component, Path};

use super::proto::{Field, fields};
use super::signature::Port;

/// File name, relative to the graph → bytes it has to have.
pub(crate) type ExternalFiles = BTreeMap<String, u64>;

/// What a graph says of itself.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Header {
    /// Those whose element type we know.
    pub inputs: Vec<Port>,
    /// Those whose element type we know.
    pub outputs: Vec<Port>,
    pub external: ExternalFiles,
}

impl Header {
    /// Reads the header of the graph of `size_bytes` in `reader`.
    ///
    /// # Errors
    /// What is wrong with the graph, to be put behind its name.
    pub(super) fn read(reader: impl BufRead + Seek, size_bytes: u64) -> Result<Self, String> {
        let mut scan = Scan {
            reader,
            position: 0,
            graphs: 0,
            header: Self::default(),
        };
        scan.message(Kind::Model, size_bytes, 0)?;
        if scan.graphs == 0 {
            return Err(NOT_ONNX.into());
        }
        Ok(scan.header)
    }

    /// The input called `name`.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }
}

/// Whether `name` stays in the graph's folder.
pub(super) fn is_inside(name: &str) -> bool {
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(name).components().all(inside)
}

const NOT_ONNX: &str = "is not an ONNX graph; expected a .onnx file";
const TRUNCATED: &str = "is cut short; copy or export it again";
const DEPTH_MAX: usize = 64;

/// The messages on the way to a tensor.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    Tensor,
}

impl Kind {
    fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Some(Self::Graph),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Some(Self::Tensor),
            (Self::Node, 5) => Some(Self::Attribute),
            _ => None,
        }
    }
}

/// `TensorProto.external_data`.
const EXTERNAL_DATA: u64 = 13;

/// `GraphProto.input` and `GraphProto.output`.
const INPUT: u64 = 11;
const OUTPUT: u64 = 12;

struct Scan<R> {
    reader: R,
    position: u64,
    graphs: usize,
    header: Header,
}

impl<R: BufRead + Seek> Scan<R> {
    fn message(&mut self, kind: Kind, end: u64, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(NOT_ONNX.into());
        }
        self.graphs += usize::from(kind == Kind::Graph);
        let mut entries = BTreeMap::new();
        while self.position < end {
            let key = self.varint()?;
            match (key & 7, key >> 3) {
                (0, _) => drop(self.varint()?),
                (1, _) => self.skip(8, end)?,
                (5, _) => self.skip(4, end)?,
                (2, number) => self.field(kind, number, end, depth, &mut entries)?,
                _ => return Err(NOT_ONNX.into()),
            }
        }
        self.note(&entries)
    }

    fn field(
        &mut self,
        kind: Kind,
        number: u64,
        end: u64,
        depth: usize,
        entries: &mut BTreeMap<String, String>,
    ) -> Result<(), String> {
        let size_bytes = self.varint()?;
        let field_end = self
            .position
            .checked_add(size_bytes)
            .filter(|field_end| *field_end <= end)
            .ok_or(TRUNCATED)?;
        match (kind, number) {
            (Kind::Tensor, EXTERNAL_DATA) => {
                entries.extend(entry(&self.bytes(size_bytes)?)?);
                Ok(())
            }
            // Those of the main graph: inner ones, in branches and loops, nobody feeds.
            (Kind::Graph, INPUT) if depth == 1 => {
                let port = Port::from_onnx(&self.bytes(size_bytes)?)?;
                self.header.inputs.extend(port);
                Ok(())
            }
            (Kind::Graph, OUTPUT) if depth == 1 => {
                let port = Port::from_onnx(&self.bytes(size_bytes)?)?;
                self.header.outputs.extend(port);
                Ok(())
            }
            _ => match kind.field(number) {
                Some(inner) => self.message(inner, field_end, depth + 1),
                None => self.skip(size_bytes, end),
            },
        }
    }

    fn note(&mut self, entries: &BTreeMap<String, String>) -> Result<(), String> {
        let Some(location) = entries.get("location") else {
            return Ok(());
        };
        let number = |name| entries.get(name).map_or(Ok(0), |text| text.parse::<u64>());
        let bad =
            |_| format!("has a tensor in {location} with an offset or length that is no number");
        let (offset, length) = (
            number("offset").map_err(bad)?,
            number("length").map_err(bad)?,
        );
        let needed = self.header.external.entry(location.clone()).or_default();
        *needed = (*needed).max(offset.saturating_add(length));
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(NOT_ONNX.into())
    }

    fn byte(&mut self) -> Result<u8, String> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte).map_err(|_| TRUNCATED)?;
        self.position += 1;
        Ok(byte[0])
    }

    /// A small message or text, whole.
    fn bytes(&mut self, size_bytes: u64) -> Result<Vec<u8>, String> {
        let size = usize::try_from(size_bytes).ok();
        let size = size.filter(|size| *size <= 1 << 16).ok_or(NOT_ONNX)?;
        let mut bytes = vec![0; size];
        self.reader.read_exact(&mut bytes).map_err(|_| TRUNCATED)?;
        self.position += size_bytes;
        Ok(bytes)
    }

    fn skip(&mut self, size_bytes: u64, end: u64) -> Result<(), String> {
        let position = self
            .position
            .checked_add(size_bytes)
            .filter(|position| *position <= end)
            .ok_or(TRUNCATED)?;
        let offset = i64::try_from(size_bytes).map_err(|_| TRUNCATED)?;
        self.reader.seek_relative(offset).map_err(|_| TRUNCATED)?;
        self.position = position;
        Ok(())
    }
}

/// A `StringStringEntryProto`: key in field 1, value in field 2.
fn entry(bytes: &[u8]) -> Result<Option<(String, String)>, String> {
    let (mut key, mut value) = (None, None);
    for field in fields(bytes) {
        match field.ok_or(TRUNCATED)? {
            (1, Field::Bytes(text)) => key = Some(text),
            (2, Field::Bytes(text)) => value = Some(text),
            _ => {}
        }
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| NOT_ONNX);
    match (key, value) {
        (Some(key), Some(value)) => Ok(Some((text(key)?, text(value)?))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Dtype;
    use std::io::Cursor;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    fn entry(key: &str, value: &str) -> Vec<u8> {
        field(
            13,
            &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat(),
        )
    }

    fn model() -> Vec<u8> {
        let tensor = [
            entry("location", "weights_1"),
            entry("offset", "10"),
            entry("length", "20"),
        ]
        .concat();
        let other = [entry("location", "weights_1"), entry("length", "5")].concat();
        let inner = field(5, &field(6, &field(5, &entry("location", "in_a_branch"))));
        field(
            7,
            &[field(5, &tensor), field(5, &other), field(1, &inner)].concat(),
        )
    }

    fn scan(bytes: &[u8]) -> Result<Header, String> {
        Header::read(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn every_file_is_listed_with_the_bytes_it_needs() {
        let header = scan(&model()).unwrap();
        assert_eq!(
            header.external,
            ExternalFiles::from([("weights_1".into(), 30), ("in_a_branch".into(), 0)])
        );
    }

    #[test]
    fn a_graph_cut_anywhere_is_an_error() {
        let model = model();
        for length in 0..model.len() {
            assert!(scan(&model[..length]).is_err(), "cut after {length} bytes");
        }
    }

    #[test]
    fn inputs_are_listed_with_type_and_dimensions() {
        let dims = [
            field(1, &field(2, b"batch")),
            field(1, &[8, 1]),
            field(1, &[]),
        ]
        .concat();
        let tensor = [&[8, 10][..], &field(2, &dims)].concat();
        let input = [
            field(1, b"past_key_values.0.key"),
            field(2, &field(1, &tensor)),
        ]
        .concat();
        let header = scan(&field(7, &field(11, &input))).unwrap();
        let port = header.input("past_key_values.0.key").unwrap();
        assert_eq!(
            (port.dtype, &port.dims[..]),
            (Dtype::F16, &[None, Some(1), None][..])
        );
        assert_eq!(port.symbols, ["batch", "", ""]);
        assert!(header.input("attention_mask").is_none());
    }

    #[test]
    fn text_is_not_a_graph() {
        assert!(scan(b"version 1 of a pointer\n").is_err());
    }

    #[test]
    fn a_graph_nested_without_end_is_refused() {
        let mut graph = Vec::new();
        for _ in 0..30 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        assert!(scan(&field(7, &graph)).is_err());
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_seen() {
        assert!(is_inside("weights.onnx_data") && is_inside("./data/w"));
        assert!(!is_inside("../w") && !is_inside("/etc/passwd"));
    }
}
