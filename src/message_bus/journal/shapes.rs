//! What the bytes of a journal's messages mean, as the journal keeps it: the shape as text, or, where that does not
//! fit, a hash of it.

use crate::encoding::shape::{self, Difference, Shape};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The shape of a message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Text(String),
    /// Of a text in which all is known.
    Hash(u64),
}

impl Kept {
    /// `None` if the field is neither.
    pub(crate) fn parse(field: &str) -> Option<Kept> {
        match field.strip_prefix('#') {
            Some(hash) => u64::from_str_radix(hash, 16).ok().map(Kept::Hash),
            None => Some(Kept::Text(field.to_owned())),
        }
    }

    pub(crate) fn to_field(&self) -> String {
        match self {
            Kept::Text(text) => text.clone(),
            Kept::Hash(hash) => format!("#{hash:016x}"),
        }
    }

    /// `None` if there is something in it that is not known: a program that knows more has another hash.
    fn hash(&self) -> Option<u64> {
        match self {
            Kept::Hash(hash) => Some(*hash),
            Kept::Text(text) => {
                let is_complete = shape::parse(text).is_none_or(|shape| shape.is_complete());
                is_complete.then(|| fnv(text.as_bytes()))
            }
        }
    }
}

/// FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

/// The shapes of a table's messages, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shapes(BTreeMap<u16, Kept>);

impl Extend<(u16, Kept)> for Shapes {
    fn extend<I: IntoIterator<Item = (u16, Kept)>>(&mut self, shapes: I) {
        self.0.extend(shapes);
    }
}

impl Shapes {
    pub(crate) fn insert(&mut self, message: u16, kept: Kept) {
        self.0.insert(message, kept);
    }

    pub(crate) fn get(&self, message: u16) -> Option<&Kept> {
        self.0.get(&message)
    }

    pub(crate) fn parsed(&self, message: u16) -> Option<Shape> {
        match self.get(message)? {
            Kept::Text(text) => shape::parse(text),
            Kept::Hash(_) => None,
        }
    }

    /// Takes over what a journal knows of a message, unless more is known here; `Err` if that is something else: what
    /// the journal has, what is here, and where they differ.
    pub(crate) fn adopt(
        &mut self,
        message: u16,
        journal: Option<&Kept>,
        codec: &str,
    ) -> Result<(), (String, String, Difference)> {
        let Some(old) = journal else { return Ok(()) };
        let Some(new) = self.get(message) else {
            self.insert(message, old.clone());
            return Ok(());
        };
        let (written, read) = (old.to_field(), new.to_field());
        let compared = match (old, new, old.hash(), new.hash()) {
            (Kept::Text(old), Kept::Text(new), ..) => shape::compare(codec, old, new),
            (.., Some(old), Some(new)) if old != new => {
                Err(Difference { at: String::new(), written: written.clone(), read: read.clone() })
            }
            _ => Ok(()),
        };
        if old.hash().is_some() && new.hash().is_none() {
            self.insert(message, old.clone());
        }
        compared.map_err(|difference| (written, read, difference))
    }

    /// As many of them as fit into so many bytes of text: the longest are hashes first, and what does not fit as a hash
    /// is not kept.
    pub(crate) fn fitted(&self, room: u64) -> Shapes {
        let mut fitted = self.clone();
        let mut len = fitted.to_text().len() as u64;
        let line_len = |message: u16, kept: &Kept| line(message, kept).len() as u64;
        let mut texts: Vec<(u64, u16)> = self
            .0
            .iter()
            .filter(|(_, kept)| matches!(kept, Kept::Text(_)))
            .map(|(id, kept)| (line_len(*id, kept), *id))
            .collect();
        texts.sort_unstable();
        while len > room
            && let Some((long, message)) = texts.pop()
        {
            len -= long;
            if let Some(hash) = fitted.0.remove(&message).and_then(|kept| kept.hash()) {
                len += line_len(message, &Kept::Hash(hash));
                fitted.insert(message, Kept::Hash(hash));
            }
        }
        while len > room
            && let Some((message, kept)) = fitted.0.pop_last()
        {
            len -= line_len(message, &kept);
        }
        fitted
    }

    pub(crate) fn to_text(&self) -> String {
        self.0.iter().map(|(message, kept)| line(*message, kept)).collect()
    }
}

/// A field of a record, in which there is no tab and no end of a line.
pub(super) fn escape(field: &str) -> String {
    field.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn line(message: u16, kept: &Kept) -> String {
    let mut line = String::new();
    let _ = writeln!(line, "shape\t{message}\t{}", escape(&kept.to_field()));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(list: &[(u16, &str)]) -> Shapes {
        Shapes(list.iter().map(|(id, text)| (*id, Kept::parse(text).unwrap())).collect())
    }

    #[test]
    #[cfg_attr(miri, ignore = "many minutes, without unsafe code in them")]
    fn what_does_not_fit_is_a_hash_and_never_too_large() {
        let long = format!("{{a: u8, b: ({})}}", vec!["u8, i8"; 100].join(", "));
        let all = shapes(&[(1, "{a: u8}"), (2, &long), (3, "{b: ?}")]);
        let len = all.to_text().len() as u64;
        assert_eq!(all.fitted(len), all);
        let hash = format!("#{:016x}", fnv(long.as_bytes()));
        assert_eq!(all.fitted(len - 1), shapes(&[(1, "{a: u8}"), (2, &hash), (3, "{b: ?}")]));
        for room in 0..len {
            let fitted = all.fitted(room);
            assert!(fitted.to_text().len() as u64 <= room, "{room}");
            // Of what is not all known there is no hash.
            assert!(!matches!(fitted.get(3), Some(Kept::Hash(_))));
            // And it stays so when it is fitted again.
            assert_eq!(fitted.fitted(room), fitted);
        }
        assert_eq!(all.fitted(0), Shapes::default());
        // As published: FNV-1a.
        assert_eq!((fnv(b""), fnv(b"a"), fnv(b"foobar")), (0xCBF29CE484222325, 0xAF63DC4C8601EC8C, 0x85944171F73967E8));
    }

    #[test]
    fn a_hash_is_compared_and_what_is_not_known_is_not() {
        let hash = format!("#{:016x}", fnv(b"{a: u8}"));
        for (journal, table, adopted) in [
            ("{a: u8}", "{a: u8}", Some("{a: u8}")),
            (&*hash, "{a: u8}", Some("{a: u8}")),
            (&*hash, "{a: u16}", None),
            (&*hash, "{a: ?}", Some(&*hash)),
            ("{a: ?}", "{a: u8}", Some("{a: u8}")),
            ("{a: u8}", "{a: ?}", Some("{a: u8}")),
            ("{a: u8}", "{a: i8}", None),
            ("enum<A>", "enum<A, B>", Some("enum<A, B>")),
            ("by hand!", "by hand!", Some("by hand!")),
            ("by hand!", "by foot!", None),
        ] {
            let mut new = shapes(&[(1, table)]);
            let result = new.adopt(1, Kept::parse(journal).as_ref(), "bincode");
            assert_eq!(result.is_ok(), adopted.is_some(), "{journal}, {table}: {result:?}");
            if let Some(adopted) = adopted {
                assert_eq!(new, shapes(&[(1, adopted)]), "{journal}, {table}");
            }
        }
        let mut none = Shapes::default();
        none.adopt(1, Kept::parse(&hash).as_ref(), "").unwrap();
        assert_eq!(none, shapes(&[(1, &hash)]));
        assert_eq!((Kept::parse("#x"), Kept::parse("#")), (None, None));
    }
}
