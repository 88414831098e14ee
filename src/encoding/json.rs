//! A message as JSON, by its shape and without its program.
//!
//! The bytes may be anybody's: whatever they say, reading them ends, and takes memory in proportion to what it writes.

use super::shape::{Fields, Shape, Variants};
use std::fmt::Write;

/// No message is written longer than that, in bytes of JSON.
const LONGEST: usize = 16 << 20;
/// Nor with deeper brackets.
const DEEPEST: usize = 128;

/// The message in `bytes` as JSON; `None` if this encoding is not one of those that are read here.
///
/// What is not known, and all behind it, is in hex. Numbers that JSON has none for, and bytes, are texts.
pub(crate) fn to_json(codec: &str, shape: &Shape, bytes: &[u8]) -> Option<Result<String, String>> {
    let format = match codec {
        "postcard" => Format::Postcard,
        "bincode" => Format::Bincode,
        "plain memory" => Format::Plain,
        _ => return None,
    };
    let mut reader =
        Reader { format, bytes, at: 0, has_ended: false, around: Vec::new(), depth: 0, out: String::new() };
    let read = reader.value(shape).and_then(|()| match bytes.len().saturating_sub(reader.at) {
        0 => Ok(()),
        _ if format == Format::Plain => Ok(()),
        more => Err(format!("{more} bytes too many")),
    });
    Some(read.map(|()| reader.out))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Postcard,
    Bincode,
    /// Fields are where they say.
    Plain,
}

struct Reader<'a> {
    format: Format,
    bytes: &'a [u8],
    at: usize,
    /// Whether nothing is known of what follows.
    has_ended: bool,
    /// What has brackets around the place that is read.
    around: Vec<&'a Shape>,
    depth: usize,
    out: String,
}

/// A text in JSON, without control characters and others that change how a line looks.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn hex(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('"');
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let bytes = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| format!("it ends after {} bytes", self.bytes.len()))?;
        self.at += len;
        Ok(bytes)
    }

    /// An integer of so many bytes, in the order of the encoding.
    fn fixed(&mut self, len: usize) -> Result<u128, String> {
        let bytes = self.take(len)?;
        let mut wide = [0; 16];
        if self.format == Format::Plain && cfg!(target_endian = "big") {
            wide[16 - len..].copy_from_slice(bytes);
            return Ok(u128::from_be_bytes(wide));
        }
        wide[..len].copy_from_slice(bytes);
        Ok(u128::from_le_bytes(wide))
    }

    fn varint(&mut self, bits: u32) -> Result<u128, String> {
        let mut value = 0;
        for shift in (0..bits).step_by(7) {
            let byte = u128::from(self.take(1)?[0]);
            let part = byte & 0x7F;
            if bits - shift < 7 && part >> (bits - shift) != 0 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("a number at {} that has more than {bits} bits", self.at))
    }

    fn unsigned(&mut self, bits: u32) -> Result<u128, String> {
        match self.format {
            Format::Postcard if bits > 8 => self.varint(bits),
            _ => self.fixed(bits as usize / 8),
        }
    }

    fn signed(&mut self, bits: u32) -> Result<i128, String> {
        let value = self.unsigned(bits)?;
        if self.format == Format::Postcard && bits > 8 {
            return Ok((value >> 1) as i128 ^ -((value & 1) as i128));
        }
        let unused = 128 - bits;
        Ok((value << unused) as i128 >> unused)
    }

    fn len(&mut self) -> Result<u64, String> {
        let bits = if self.format == Format::Postcard { usize::BITS.max(64) } else { 64 };
        self.unsigned(bits).map(|len| len as u64)
    }

    fn counted(&mut self) -> Result<&'a [u8], String> {
        let len = self.len()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn flag(&mut self) -> Result<bool, String> {
        match self.take(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("{other} at {} where 0 or 1 was expected", self.at - 1)),
        }
    }

    fn character(&mut self) -> Result<char, String> {
        let bytes = match self.format {
            Format::Postcard => self.counted()?,
            Format::Bincode => {
                let first = *self.bytes.get(self.at).ok_or_else(|| format!("it ends after {} bytes", self.at))?;
                self.take(if first < 0x80 { 1 } else { first.leading_ones() as usize })?
            }
            Format::Plain => {
                let code = self.fixed(4)? as u32;
                return char::from_u32(code).ok_or_else(|| format!("{code:#x}, which is no character"));
            }
        };
        let mut chars = text(bytes)?.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(one),
            _ => Err("a character that is none, or many".to_owned()),
        }
    }

    fn value(&mut self, shape: &'a Shape) -> Result<(), String> {
        if self.out.len() > LONGEST {
            return Err(format!("more than {LONGEST} bytes of JSON"));
        }
        if self.depth >= DEEPEST {
            return Err(format!("more than {DEEPEST} brackets in each other"));
        }
        self.depth += 1;
        let result = match shape {
            Shape::Unknown => {
                self.rest();
                Ok(())
            }
            Shape::Word(word) => self.word(word),
            Shape::Up(levels) => {
                let Some(at) = self.around.len().checked_sub(*levels) else {
                    return Err("a shape that is in nothing".to_owned());
                };
                let inner = self.around.split_off(at);
                let result = self.value(inner[0]);
                self.around.extend(inner);
                result
            }
            _ => {
                self.around.push(shape);
                let result = self.brackets(shape);
                self.around.pop();
                result
            }
        };
        self.depth -= 1;
        result
    }

    fn brackets(&mut self, shape: &'a Shape) -> Result<(), String> {
        match shape {
            Shape::Option(inner) => {
                if self.flag()? {
                    return self.value(inner);
                }
                self.out.push_str("null");
                Ok(())
            }
            Shape::List(inner) => {
                let len = self.len()?;
                self.elements(inner, len)
            }
            Shape::Map(pair) => self.map(pair),
            // Bytes that are not known in plain memory.
            Shape::Array(inner, count) if **inner == Shape::Unknown => {
                let bytes = self.take(usize::try_from(*count).unwrap_or(usize::MAX))?;
                hex(&mut self.out, bytes);
                Ok(())
            }
            Shape::Array(inner, count) => self.elements(inner, *count),
            Shape::Fields(fields) => self.fields(fields),
            Shape::Enum(variants) => self.variant(variants),
            Shape::Message(_) => Err("fields by numbers, which this encoding does not have".to_owned()),
            Shape::Unknown | Shape::Word(_) | Shape::Up(_) => Ok(()),
        }
    }

    /// What is behind the last thing that is known.
    fn rest(&mut self) {
        let bytes = self.bytes.get(self.at..).unwrap_or_default();
        hex(&mut self.out, bytes);
        (self.at, self.has_ended) = (self.bytes.len(), true);
    }

    fn comma(&mut self, is_first: bool) {
        if !is_first {
            self.out.push(',');
        }
    }

    fn elements(&mut self, inner: &'a Shape, count: u64) -> Result<(), String> {
        self.out.push('[');
        for place in 0..count {
            if self.has_ended {
                break;
            }
            self.comma(place == 0);
            self.value(inner)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// An object if its keys are texts, and otherwise pairs.
    fn map(&mut self, [key, value]: &'a [Shape; 2]) -> Result<(), String> {
        let has_texts = *key == Shape::word("str");
        self.out.push(if has_texts { '{' } else { '[' });
        for place in 0..self.len()? {
            if self.has_ended {
                break;
            }
            self.comma(place == 0);
            self.out.push_str(if has_texts { "" } else { "[" });
            self.value(key)?;
            if !self.has_ended {
                self.out.push(if has_texts { ':' } else { ',' });
                self.value(value)?;
            }
            self.out.push_str(if has_texts { "" } else { "]" });
        }
        self.out.push(if has_texts { '}' } else { ']' });
        Ok(())
    }

    fn fields(&mut self, fields: &'a Fields) -> Result<(), String> {
        if fields.list.is_empty() && !fields.open {
            self.out.push_str(if fields.named { "{}" } else { "null" });
            return Ok(());
        }
        let begin = self.at;
        let mut end = begin;
        self.out.push(if fields.named { '{' } else { '[' });
        for (place, field) in fields.list.iter().enumerate() {
            if self.has_ended {
                break;
            }
            self.comma(place == 0);
            if fields.named {
                quote(&mut self.out, field.name.as_deref().unwrap_or(&place.to_string()));
                self.out.push(':');
            }
            if let Some(offset) = field.offset {
                self.at =
                    usize::try_from(offset).ok().and_then(|offset| begin.checked_add(offset)).unwrap_or(usize::MAX);
            }
            self.value(&field.shape)?;
            end = end.max(self.at);
        }
        self.at = end;
        if fields.open && !self.has_ended {
            self.comma(fields.list.is_empty());
            self.out.push_str(if fields.named { "\"?\":" } else { "" });
            self.rest();
        }
        self.out.push(if fields.named { '}' } else { ']' });
        Ok(())
    }

    fn variant(&mut self, variants: &'a Variants) -> Result<(), String> {
        let index = self.unsigned(32)? as usize;
        let Some((name, holds)) = variants.list.get(index) else {
            if variants.open {
                let _ = write!(self.out, "{{\"{index}\":");
                self.rest();
                self.out.push('}');
                return Ok(());
            }
            return Err(format!("variant {index} of {}", variants.list.len()));
        };
        let number = index.to_string();
        let name = name.as_deref().unwrap_or(&number);
        let Some(held) = holds else {
            quote(&mut self.out, name);
            return Ok(());
        };
        self.out.push('{');
        quote(&mut self.out, name);
        self.out.push(':');
        self.value(held)?;
        self.out.push('}');
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        match word {
            "bool" => self.flag().map(|flag| self.out.push_str(if flag { "true" } else { "false" })),
            "char" => self.character().map(|c| quote(&mut self.out, c.encode_utf8(&mut [0; 4]))),
            "str" => {
                let bytes = self.counted()?;
                quote(&mut self.out, text(bytes)?);
                Ok(())
            }
            "bytes" => self.counted().map(|bytes| hex(&mut self.out, bytes)),
            "f32" => self
                .fixed(4)
                .map(|bits| self.float(f64::from(f32::from_bits(bits as u32)), f32::from_bits(bits as u32))),
            "f64" => self.fixed(8).map(|bits| self.float(f64::from_bits(bits as u64), f64::from_bits(bits as u64))),
            _ => {
                let bits = word.get(1..).and_then(|bits| bits.parse().ok());
                let bits = bits.filter(|bits| matches!(bits, 8 | 16 | 32 | 64 | 128));
                match (word.as_bytes().first(), bits) {
                    (Some(b'u'), Some(bits)) => self.unsigned(bits).map(|value| _ = write!(self.out, "{value}")),
                    (Some(b'i'), Some(bits)) => self.signed(bits).map(|value| _ = write!(self.out, "{value}")),
                    _ => Err(format!("`{word}`, which this program does not know")),
                }
            }
        }
    }

    /// As short as it is exact.
    fn float(&mut self, value: f64, shown: impl std::fmt::Debug) {
        let quote = if value.is_finite() { "" } else { "\"" };
        let _ = write!(self.out, "{quote}{shown:?}{quote}");
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(all(test, feature = "serde", feature = "bincode"))]
mod written;

#[cfg(test)]
mod tests {
    use super::super::shape::parse;
    use super::*;

    #[track_caller]
    pub(super) fn reads(codec: &str, shape: &str, bytes: &[u8]) -> Result<String, String> {
        to_json(codec, &parse(shape).unwrap(), bytes).unwrap()
    }

    #[test]
    fn plain_memory_is_read_where_it_lies() {
        let shape =
            "{a@0: u8, b@4: u32, c@8: [{x@0: u16, y@2: i8, z@3: bool}; 2], d@16: [?; 3], e@20: f32, f@24: char}";
        let mut bytes = vec![7, 0, 0, 0];
        bytes.extend(1000_u32.to_ne_bytes());
        for (x, y) in [(5_u16, -1_i8), (6, -2)] {
            bytes.extend(x.to_ne_bytes());
            bytes.extend([y as u8, 1]);
        }
        bytes.extend([0xAB, 0xCD, 0xEF, 0]);
        bytes.extend(1.5_f32.to_ne_bytes());
        bytes.extend(0xE9_u32.to_ne_bytes());
        let expected =
            r#"{"a":7,"b":1000,"c":[{"x":5,"y":-1,"z":true},{"x":6,"y":-2,"z":true}],"d":"abcdef","e":1.5,"f":"@"}"#;
        let expected = expected.replace('@', "\u{e9}");
        assert_eq!(reads("plain memory", shape, &bytes).unwrap(), expected);
        for len in 0..bytes.len() {
            assert!(reads("plain memory", shape, &bytes[..len]).is_err());
        }
    }

    #[test]
    fn what_is_not_known_is_in_hex() {
        assert_eq!(reads("postcard", "{a: u8, b: ?, c: u8}", &[1, 2, 3]).unwrap(), r#"{"a":1,"b":"0203"}"#);
        assert_eq!(reads("postcard", "{a: u8, ?}", &[1, 2, 3]).unwrap(), r#"{"a":1,"?":"0203"}"#);
        assert_eq!(reads("postcard", "(list<?>, u8)", &[2, 2, 3]).unwrap(), r#"[["0203"]]"#);
        assert_eq!(reads("postcard", "map<?, u8>", &[1, 2, 3]).unwrap(), r#"[["0203"]]"#);
        assert_eq!(reads("postcard", "enum<A, ?>", &[1, 2, 3]).unwrap(), r#"{"1":"0203"}"#);
        assert_eq!(reads("postcard", "{_: u8, _: bytes}", &[1, 1, 3]).unwrap(), r#"{"0":1,"1":"03"}"#);
        assert!(to_json("prost", &Shape::Unknown, b"").is_none());
    }

    /// Short ones that claim to be long, deep, or many.
    #[test]
    fn no_bytes_make_it_run_away() {
        let many = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        for shape in ["str", "bytes", "list<u8>", "map<u8, u8>"] {
            let error = reads("postcard", shape, &many).unwrap_err();
            assert!(error.contains("it ends after 10 bytes"), "{error}");
        }
        if !cfg!(miri) {
            for shape in ["list<()>", "map<(), ()>", "[(); 18446744073709551615]"] {
                assert!(reads("postcard", shape, &many).unwrap_err().contains("bytes of JSON"), "{shape}");
            }
        }
        let error = reads("postcard", "{next: option<^2>}", &[1; 10_000]).unwrap_err();
        assert!(error.contains("brackets in each other"), "{error}");
        assert!(reads("postcard", "[[[[u64; 4294967296]; 4294967296]; 4294967296]; 2]", &[]).is_err());
        assert!(reads("postcard", "u16", &[0xFF, 0xFF, 4]).unwrap_err().contains("more than 16 bits"));
        assert_eq!(reads("postcard", "u16", &[0xFF, 0xFF, 3]).unwrap(), "65535");
        assert!(reads("postcard", "u16", &[0xFF, 0xFF, 0x83, 0]).is_err());
        for (shape, bytes) in [
            ("bool", &[2][..]),
            ("option<u8>", &[2, 0]),
            ("enum<A>", &[1]),
            ("str", &[1, 0xFF]),
            ("char", &[2, b'a', b'b']),
            ("char", &[0]),
            ("mine", &[]),
            ("u7", &[1]),
        ] {
            assert!(reads("postcard", shape, bytes).is_err(), "{shape}");
        }
        assert!(reads("bincode", "char", &[0xFF]).is_err());
        assert!(reads("plain memory", "char", &[0, 0xFF, 0xFF, 0]).is_err());
        assert!(reads("plain memory", "{a@18446744073709551615: u8}", &[0]).is_err());
    }
}
