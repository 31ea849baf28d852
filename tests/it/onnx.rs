//! ONNX graphs written by hand, for bundles that nobody here exports. The field numbers are those of `onnx.proto3`
//! (ONNX 1.19).

/// `TensorProto.DataType`.
pub const FLOAT: u64 = 1;
pub const INT64: u64 = 7;
pub const FLOAT16: u64 = 10;

/// A message under construction, or one that was read.
#[derive(Clone, Default)]
pub struct Message(Vec<u8>);

impl Message {
    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.0.extend(varint(field << 3));
        self.0.extend(varint(value));
        self
    }

    pub fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.extend(varint(field << 3 | 2));
        self.0.extend(varint(value.len() as u64));
        self.0.extend(value);
        self
    }

    pub fn all<T: AsRef<[u8]>>(self, field: u64, values: impl IntoIterator<Item = T>) -> Self {
        let add = |message: Self, value: T| message.bytes(field, value);
        values.into_iter().fold(self, add)
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// One operator. `op` may name a domain: `com.microsoft:Gelu`.
pub fn node(op: &str, inputs: &[&str], output: &str) -> Message {
    node_with(op, inputs, output, &[])
}

/// One operator with attributes that are whole numbers.
pub fn node_with(op: &str, inputs: &[&str], output: &str, numbers: &[(&str, u64)]) -> Message {
    let (domain, op) = op.split_once(':').unwrap_or(("", op));
    let attribute = |(name, value): &(&str, u64)| {
        let named = Message::default().bytes(1, name).number(3, *value);
        named.number(20, 2)
    };
    let node = Message::default().all(1, inputs).bytes(2, output);
    let node = node.bytes(4, op).all(5, numbers.iter().map(attribute));
    node.bytes(7, domain)
}

/// A constant of whole numbers; no dimension makes it a scalar.
pub fn ints(name: &str, dims: &[u64], values: &[i64]) -> Message {
    let raw: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    tensor(name, INT64, dims).bytes(9, raw)
}

/// A constant of zeros, of floats.
pub fn zeros(name: &str, dims: &[u64]) -> Message {
    let count: u64 = dims.iter().product();
    let bytes = usize::try_from(4 * count).unwrap();
    tensor(name, FLOAT, dims).bytes(9, vec![0; bytes])
}

/// A constant of one float that lies in another file.
pub fn float_in(file: &str, name: &str, offset: u64) -> Message {
    let entry = |key: &str, value: &str| Message::default().bytes(1, key).bytes(2, value);
    let place = [
        entry("location", file),
        entry("offset", &offset.to_string()),
        entry("length", "4"),
    ];
    tensor(name, FLOAT, &[1]).all(13, place).number(14, 1)
}

fn tensor(name: &str, dtype: u64, dims: &[u64]) -> Message {
    let add = |message: Message, dim: &u64| message.number(1, *dim);
    let tensor = dims.iter().fold(Message::default(), add);
    tensor.number(2, dtype).bytes(8, name)
}

/// An input or output. A dimension is a number, or else a symbol.
pub fn port(name: &str, dtype: u64, dims: &[&str]) -> Message {
    let dim = |dim: &&str| match dim.parse() {
        Ok(size) => Message::default().number(1, size),
        Err(_) => Message::default().bytes(2, dim),
    };
    let shape = Message::default().all(1, dims.iter().map(dim));
    let tensor = Message::default().number(1, dtype).bytes(2, shape);
    Message::default()
        .bytes(1, name)
        .bytes(2, Message::default().bytes(1, tensor))
}

/// The parts of a graph.
#[derive(Default)]
pub struct Graph {
    pub nodes: Vec<Message>,
    pub constants: Vec<Message>,
    pub inputs: Vec<Message>,
    pub outputs: Vec<Message>,
}

impl Graph {
    /// The bytes of a `.onnx` file.
    pub fn file(self) -> Vec<u8> {
        let graph = Message::default().all(1, self.nodes).bytes(2, "graph");
        let graph = graph.all(5, self.constants).all(11, self.inputs);
        let opset = |domain, version| Message::default().bytes(1, domain).number(2, version);
        let model = Message::default().number(1, 10);
        let model = model.bytes(7, graph.all(12, self.outputs));
        model.all(8, [opset("", 21), opset("com.microsoft", 1)]).0
    }

    /// The parts of a `.onnx` file.
    pub fn of_file(file: &[u8]) -> Self {
        let mut parts = Self::default();
        let (_, graph) = fields(file)
            .into_iter()
            .find(|(number, _)| *number == 7)
            .unwrap();
        for (number, bytes) in fields(graph) {
            let part = Message(bytes.to_vec());
            match number {
                1 => parts.nodes.push(part),
                5 => parts.constants.push(part),
                11 => parts.inputs.push(part),
                12 => parts.outputs.push(part),
                _ => {}
            }
        }
        parts
    }

    /// Takes the input called `from` away; the nodes read the value called `to` in its place.
    pub fn without_input(mut self, from: &str, to: &str) -> Self {
        let before = self.inputs.len();
        self.inputs
            .retain(|port| fields(&port.0)[0].1 != from.as_bytes());
        assert_eq!(self.inputs.len() + 1, before, "no input {from}");
        self.renamed(from, to)
    }

    /// Calls the value `from` of the nodes `to`.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for node in &mut self.nodes {
            let add = |node: Message, (number, value): (u64, &[u8])| {
                let is_value = matches!(number, 1 | 2) && value == from.as_bytes();
                node.bytes(number, if is_value { to.as_bytes() } else { value })
            };
            *node = fields(&node.0).into_iter().fold(Message::default(), add);
        }
        self
    }
}

/// The length-delimited fields of a message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes);
        match key & 7 {
            0 => drop(read_varint(&mut bytes)),
            2 => {
                let length = usize::try_from(read_varint(&mut bytes)).unwrap();
                let (field, rest) = bytes.split_at(length);
                fields.push((key >> 3, field));
                bytes = rest;
            }
            kind => panic!("a field of kind {kind}"),
        }
    }
    fields
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}
