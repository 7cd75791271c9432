//! Environment variables on their way.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Environment variables in one piece, as the kernel shows them in `/proc/PID/environ`: each `NAME=VALUE` and a null byte.
///
/// Every run has all of them, and looks at few. In pieces they would be a hundred allocations in each process that a
/// call comes through, and in a forked one each of these may write to, and so copy, another page.
///
/// ```
/// use hr_protocol::Variables;
///
/// let variables: Variables = [("HOME".into(), "/root".into()), ("A".into(), "b=c".into())].into_iter().collect();
/// assert_eq!(variables.as_bytes(), b"HOME=/root\0A=b=c\0");
/// assert_eq!(variables.iter().last(), Some(("A".as_ref(), "b=c".as_ref())));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<u8>);

impl Variables {
    /// Adds a variable. One that no process can have, because there is a null byte in it or an equals sign in its name, is
    /// left out.
    pub fn push(&mut self, name: &OsStr, value: &OsStr) {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        if name.is_empty() || name.contains(&b'=') || name.contains(&0) || value.contains(&0) {
            return;
        }
        self.0.reserve(name.len() + value.len() + 2);
        self.0.extend_from_slice(name);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(0);
    }

    /// Names and values, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.entries().filter_map(|entry| {
            let equals = entry.iter().position(|byte| *byte == b'=')?;
            Some((OsStr::from_bytes(&entry[..equals]), OsStr::from_bytes(&entry[equals + 1..])))
        })
    }

    /// All of them as they are.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether these are the variables of `block`, in whatever order.
    pub fn are_those_of(&self, block: &[u8]) -> bool {
        if self.0.len() != block.len() {
            return false;
        }
        let (mut ours, mut theirs): (Vec<_>, Vec<_>) = (self.entries().collect(), entries(block).collect());
        ours.sort_unstable();
        theirs.sort_unstable();
        ours == theirs
    }

    fn entries(&self) -> impl Iterator<Item = &[u8]> {
        entries(&self.0)
    }
}

fn entries(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(|byte| *byte == 0).filter(|entry| !entry.is_empty())
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let mut all = Self::default();
        for (name, value) in variables {
            all.push(&name, &value);
        }
        all
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Takes bytes in one piece, where serde would take a list of numbers.
struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Variables;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("environment variables")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Variables, E> {
        Ok(Variables(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Variables, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(Variables(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn what_no_process_can_have_is_left_out() {
        let all = variables(&[("A", ""), ("", "x"), ("B=", "x"), ("C", "x\0D=y"), ("E", "=f")]);
        assert_eq!(
            all.iter().collect::<Vec<_>>(),
            [("A", ""), ("E", "=f")].map(|(a, b)| (a.as_ref(), b.as_ref()))
        );
    }

    #[test]
    fn the_same_variables_are_the_same_in_any_order() {
        let all = variables(&[("A", "1"), ("B", "2")]);
        assert!(all.are_those_of(b"B=2\0A=1\0"));
        assert!(!all.are_those_of(b"B=2\0A=2\0"));
        assert!(!all.are_those_of(b"B=2\0"));
        assert!(!all.are_those_of(b""));
    }

    #[test]
    fn whatever_arrives_can_be_looked_at() {
        let bytes = Variables(b"=\0\0no sign\0A=1\0cut off=2".to_vec());
        assert_eq!(bytes.iter().count(), 3);
        assert_eq!(format!("{:?}", variables(&[("A", "1")])), r#"{"A": "1"}"#);
    }
}
