//! A Parquet file of one column, put together by hand, so that any number in it can lie.

use std::io::Write;

/// A structure of Thrift's compact protocol, as it is written.
#[derive(Clone, Default)]
pub struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

impl Struct {
    pub fn new() -> Self {
        Self::default()
    }

    fn field(mut self, id: u8, kind: u8, value: &[u8]) -> Self {
        self.bytes.push((id - self.last) << 4 | kind);
        self.bytes.extend_from_slice(value);
        self.last = id;
        self
    }

    pub fn integer(self, id: u8, value: i64) -> Self {
        self.field(id, 6, &varint(((value << 1) ^ (value >> 63)) as u64))
    }

    pub fn text(self, id: u8, text: &[u8]) -> Self {
        self.field(id, 8, &[varint(text.len() as u64), text.to_vec()].concat())
    }

    pub fn inner(self, id: u8, inner: Struct) -> Self {
        self.field(id, 12, &inner.end())
    }

    pub fn list(self, id: u8, structs: Vec<Struct>) -> Self {
        let elements: Vec<u8> = structs.iter().cloned().flat_map(Struct::end).collect();
        self.field(id, 9, &[vec![0xfc], varint(structs.len() as u64), elements].concat())
    }

    /// Bytes that are taken to be a value of this kind.
    pub fn raw(self, id: u8, kind: u8, bytes: &[u8]) -> Self {
        self.field(id, kind, bytes)
    }

    pub fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// Values one after the other, each behind its length.
pub fn plain(values: &[&str]) -> Vec<u8> {
    values.iter().flat_map(|value| [&(value.len() as u32).to_le_bytes()[..], value.as_bytes()].concat()).collect()
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A page: its header and what follows.
#[derive(Clone)]
pub struct Page {
    pub kind: i64,
    pub uncompressed: i64,
    pub compressed: i64,
    pub values: i64,
    pub encoding: i64,
    pub body: Vec<u8>,
}

impl Page {
    /// Data of the first version, of required values.
    pub fn data(values: i64, encoding: i64, body: Vec<u8>) -> Self {
        let size = body.len() as i64;
        Self { kind: 0, uncompressed: size, compressed: size, values, encoding, body }
    }

    pub fn dictionary(values: i64, body: Vec<u8>) -> Self {
        Self { kind: 2, ..Self::data(values, 0, body) }
    }

    fn bytes(&self) -> Vec<u8> {
        let header = Struct::new().integer(1, self.kind).integer(2, self.uncompressed).integer(3, self.compressed);
        let described = Struct::new().integer(1, self.values).integer(2, self.encoding);
        let header = match self.kind {
            2 => header.inner(7, described),
            _ => header.inner(5, described.integer(3, 3).integer(4, 3)),
        };
        [header.end(), self.body.clone()].concat()
    }
}

/// A file with the required text column `email`, in one row group of one page, unless it is told otherwise.
#[derive(Clone)]
pub struct Handmade {
    pub schema: Vec<Struct>,
    pub pages: Vec<Page>,
    pub codec: i64,
    /// Rows of the file, of its row group, and values of its column chunk.
    pub rows: [i64; 3],
    /// Where the column chunk begins and how long it is, where that is a lie.
    pub start: Option<i64>,
    pub length: Option<i64>,
    /// How often the row group is listed.
    pub groups: usize,
    pub footer_length: Option<u32>,
    /// Added to the footer's structure.
    pub more: Struct,
    /// Added to the column chunk's structure, behind field 3.
    pub chunk_more: Struct,
    pub magic: [&'static [u8; 4]; 2],
}

pub fn element(name: &str, children: Option<i64>) -> Struct {
    match children {
        Some(children) => Struct::new().text(4, name.as_bytes()).integer(5, children),
        None => Struct::new().integer(1, 6).integer(3, 0).text(4, name.as_bytes()).integer(6, 0),
    }
}

impl Handmade {
    pub fn of(values: &[&str]) -> Self {
        let rows = values.len() as i64;
        Self {
            schema: vec![element("schema", Some(1)), element("email", None)],
            pages: vec![Page::data(rows, 0, plain(values))],
            codec: 0,
            rows: [rows; 3],
            start: None,
            length: None,
            groups: 1,
            footer_length: None,
            more: Struct::new(),
            chunk_more: Struct::new(),
            magic: [b"PAR1", b"PAR1"],
        }
    }

    /// Pages of `rows` values that say what they are.
    pub fn pages(rows: i64, pages: Vec<Page>) -> Self {
        Self { pages, rows: [rows; 3], ..Self::of(&[]) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut file = self.magic[0].to_vec();
        let body: Vec<u8> = self.pages.iter().flat_map(Page::bytes).collect();
        let chunk = Struct::new()
            .integer(1, 6)
            .integer(4, self.codec)
            .integer(5, self.rows[2])
            .integer(6, body.len() as i64)
            .integer(7, self.length.unwrap_or(body.len() as i64))
            .integer(9, self.start.unwrap_or(file.len() as i64));
        let mut column = Struct::new().inner(3, chunk);
        column.bytes.extend_from_slice(&self.chunk_more.bytes);
        let group = Struct::new().list(1, vec![column]).integer(3, self.rows[1]);
        let mut footer = Struct::new()
            .integer(1, 1)
            .list(2, self.schema.clone())
            .integer(3, self.rows[0])
            .list(4, vec![group; self.groups]);
        footer.bytes.extend_from_slice(&self.more.bytes);
        let footer = footer.end();
        file.extend_from_slice(&body);
        file.extend_from_slice(&footer);
        file.extend_from_slice(&self.footer_length.unwrap_or(footer.len() as u32).to_le_bytes());
        file.extend_from_slice(self.magic[1]);
        file
    }
}
