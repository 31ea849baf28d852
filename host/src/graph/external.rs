//! Which other files a graph needs, read from the graph before ONNX Runtime opens it.
//!
//! The field numbers are those of `onnx.proto3` (ONNX 1.19). Everything but the path to the tensors' external data is
//! stepped over, so a graph with its weights inside is not read either.

use std::collections::BTreeMap;
use std::io::{BufRead, Seek};
use std::path::{Component, Path};

/// File name, relative to the graph → bytes it has to have.
pub(super) type ExternalFiles = BTreeMap<String, u64>;

/// Lists the external files of the graph of `size_bytes` in `reader`.
///
/// # Errors
/// What is wrong with the graph, to be put behind its name.
pub(super) fn external_files(
    reader: impl BufRead + Seek,
    size_bytes: u64,
) -> Result<ExternalFiles, String> {
    let mut scan = Scan {
        reader,
        position: 0,
        graphs: 0,
        files: ExternalFiles::new(),
    };
    scan.message(Kind::Model, size_bytes, 0)?;
    if scan.graphs == 0 {
        return Err(NOT_ONNX.into());
    }
    Ok(scan.files)
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

struct Scan<R> {
    reader: R,
    position: u64,
    graphs: usize,
    files: ExternalFiles,
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
        if kind == Kind::Tensor && number == EXTERNAL_DATA {
            let (key, value) = self.entry(field_end)?;
            entries.insert(key, value);
            return Ok(());
        }
        match kind.field(number) {
            Some(inner) => self.message(inner, field_end, depth + 1),
            None => self.skip(size_bytes, end),
        }
    }

    /// A `StringStringEntryProto`: key in field 1, value in field 2.
    fn entry(&mut self, end: u64) -> Result<(String, String), String> {
        let mut texts = [String::new(), String::new()];
        while self.position < end {
            let key = self.varint()?;
            let size_bytes = self.varint()?;
            let left = end
                .checked_sub(self.position)
                .filter(|left| size_bytes <= *left)
                .ok_or(TRUNCATED)?;
            let text = self.text(size_bytes.min(left))?;
            match key {
                0x0a => texts[0] = text,
                0x12 => texts[1] = text,
                _ => {}
            }
        }
        let [key, value] = texts;
        Ok((key, value))
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
        let needed = self.files.entry(location.clone()).or_default();
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

    fn text(&mut self, size_bytes: u64) -> Result<String, String> {
        let mut bytes = vec![
            0;
            usize::try_from(size_bytes)
                .ok()
                .filter(|size| *size <= 1 << 16)
                .ok_or(NOT_ONNX)?
        ];
        self.reader.read_exact(&mut bytes).map_err(|_| TRUNCATED)?;
        self.position += size_bytes;
        String::from_utf8(bytes).map_err(|_| NOT_ONNX.into())
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

#[cfg(test)]
mod tests {
    use super::*;
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

    fn scan(bytes: &[u8]) -> Result<ExternalFiles, String> {
        external_files(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn every_file_is_listed_with_the_bytes_it_needs() {
        let files = scan(&model()).unwrap();
        assert_eq!(
            files,
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
