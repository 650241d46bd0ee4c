//! Values bound to statements, and rows that come back: three types, the same on both engines.

use std::fmt;

use smallvec::SmallVec;

use super::DbError;

/// Bytes that lie within the value itself: ids and hashes, of which a look-up reads and writes some fifty.
const SHORT: usize = 32;

/// A value as the database knows it: `BIGINT`, `TEXT` or `BYTEA`/`BLOB`.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number; times are UTC microseconds, truth is 0 or 1.
    Int(i64),
    /// Text without NUL, which PostgreSQL cannot store.
    Text(String),
    /// Bytes.
    Blob(SmallVec<[u8; SHORT]>),
}

/// Shows the variant and the length only: values may be personal data.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Int(_) => f.write_str("Int"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value.into())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.into())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Blob(value.as_slice().into())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Blob(value.as_slice().into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer. Columns are read by position; the name (`"table.column"`) is for the error.
///
/// Every reader returns [`DbError::Corrupt`] when the column is missing, null (unless the reader is an
/// `opt_` one), or of another type or length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    cells: Vec<Value>,
    place: usize,
}

impl Row {
    pub(crate) fn new(cells: Vec<Value>, place: usize) -> Self {
        Self { cells, place }
    }

    /// A whole number.
    pub fn int(&self, at: usize, name: &'static str) -> Result<i64, DbError> {
        self.opt_int(at, name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A whole number that is not negative: of what is counted or numbered.
    pub fn number(&self, at: usize, name: &'static str) -> Result<u64, DbError> {
        u64::try_from(self.int(at, name)?).map_err(|_| self.corrupt(name))
    }

    /// A whole number or null.
    pub fn opt_int(&self, at: usize, name: &'static str) -> Result<Option<i64>, DbError> {
        match self.cells.get(at) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(name)),
        }
    }

    /// A truth value, stored as 0 or 1.
    pub fn flag(&self, at: usize, name: &'static str) -> Result<bool, DbError> {
        match self.int(at, name)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(name)),
        }
    }

    /// Text.
    pub fn text(&self, at: usize, name: &'static str) -> Result<&str, DbError> {
        self.opt_text(at, name)?.ok_or_else(|| self.corrupt(name))
    }

    /// Text or null.
    pub fn opt_text(&self, at: usize, name: &'static str) -> Result<Option<&str>, DbError> {
        match self.cells.get(at) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(name)),
        }
    }

    /// Bytes.
    pub fn blob(&self, at: usize, name: &'static str) -> Result<&[u8], DbError> {
        self.opt_blob(at, name)?.ok_or_else(|| self.corrupt(name))
    }

    /// Bytes or null.
    pub fn opt_blob(&self, at: usize, name: &'static str) -> Result<Option<&[u8]>, DbError> {
        match self.cells.get(at) {
            Some(Value::Blob(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.corrupt(name)),
        }
    }

    /// Exactly `N` bytes.
    pub fn bytes<const N: usize>(&self, at: usize, name: &'static str) -> Result<[u8; N], DbError> {
        self.blob(at, name)?.try_into().map_err(|_| self.corrupt(name))
    }

    /// Exactly `N` bytes, or null.
    pub fn opt_bytes<const N: usize>(
        &self,
        at: usize,
        name: &'static str,
    ) -> Result<Option<[u8; N]>, DbError> {
        let Some(bytes) = self.opt_blob(at, name)? else {
            return Ok(None);
        };
        bytes.try_into().map(Some).map_err(|_| self.corrupt(name))
    }

    /// An id: 16 bytes.
    pub fn id(&self, at: usize, name: &'static str) -> Result<[u8; 16], DbError> {
        self.bytes(at, name)
    }

    /// An id or null.
    pub fn opt_id(&self, at: usize, name: &'static str) -> Result<Option<[u8; 16]>, DbError> {
        self.opt_bytes(at, name)
    }

    /// A hash: 32 bytes.
    pub fn hash(&self, at: usize, name: &'static str) -> Result<[u8; 32], DbError> {
        self.bytes(at, name)
    }

    /// A hash or null.
    pub fn opt_hash(&self, at: usize, name: &'static str) -> Result<Option<[u8; 32]>, DbError> {
        self.opt_bytes(at, name)
    }

    /// The error for a column whose content cannot be what the program wrote. Callers use it too, when
    /// a value has the right type and no meaning (an unknown code, say).
    #[must_use]
    pub fn corrupt(&self, name: &'static str) -> DbError {
        let (table, column) = name.split_once('.').unwrap_or(("", name));
        DbError::Corrupt {
            table,
            column,
            row: self.label(),
        }
    }

    /// The row's name in an error: an id of ours in the first column, else its place in the answer.
    fn label(&self) -> String {
        match self.cells.first() {
            Some(Value::Blob(id)) if id.len() == 16 => id
                .iter()
                .fold(String::from("id "), |text, byte| text + &format!("{byte:02x}")),
            _ => format!("row {} of the answer", self.place.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_does_not_print_itself() {
        for value in [
            Value::from("secret"),
            Value::from(b"secret".as_slice()),
            Value::from(4711),
        ] {
            let shown = format!("{value:?}");
            assert!(!shown.contains("secret") && !shown.contains("4711"), "{shown}");
        }
        let row = Row::new(vec!["secret".into(), 4711.into()], 0);
        assert!(!format!("{row:?}").contains("secret"));
        assert!(!row.corrupt("t.a").to_string().contains("secret"));
    }

    #[test]
    fn wrong_types_and_lengths_are_corrupt_rows() {
        let row = Row::new(
            vec![[7; 16].into(), Value::Null, "a".into(), 2.into(), [1; 31].into()],
            0,
        );
        let named = row.int(2, "lookup.state").unwrap_err();
        let id = "07".repeat(16);
        assert_eq!(
            named.to_string(),
            format!("a corrupt row: lookup.state of id {id}")
        );
        assert!(row.text(0, "t.a").is_err());
        assert!(row.blob(2, "t.a").is_err());
        assert!(row.int(1, "t.a").is_err(), "null is not a number");
        assert!(row.int(9, "t.a").is_err(), "there is no such column");
        assert!(row.flag(3, "t.a").is_err(), "two is not a truth value");
        assert!(row.hash(4, "t.a").is_err(), "31 bytes are no hash");
        assert_eq!(row.opt_hash(1, "t.a"), Ok(None));
        assert_eq!(row.id(0, "t.id"), Ok([7; 16]));
    }
}
