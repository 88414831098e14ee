//! One JSON object in one line: all that is needed of JSON here.

use std::fmt::Write;

/// An object that is being written.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    pub fn new(kind: &str) -> Object {
        Object("{".to_owned()).text("kind", kind)
    }

    pub fn text(self, name: &str, value: &str) -> Object {
        let value = quote(value);
        self.raw(name, &value)
    }

    pub fn number(self, name: &str, value: u64) -> Object {
        self.raw(name, &value.to_string())
    }

    pub fn truth(self, name: &str, value: bool) -> Object {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// `null` for `None`.
    pub fn maybe<T: ToString>(self, name: &str, value: Option<T>) -> Object {
        let value = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        self.raw(name, &value)
    }

    pub fn list(self, name: &str, values: impl IntoIterator<Item = String>) -> Object {
        let values: Vec<String> = values.into_iter().collect();
        self.raw(name, &format!("[{}]", values.join(",")))
    }

    /// A value that is JSON already.
    pub fn raw(mut self, name: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0 += &quote(name);
        self.0.push(':');
        self.0 += value;
        self
    }

    pub fn end(self) -> String {
        self.0 + "}"
    }
}

/// A JSON string.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                // Control characters have no second half.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_cannot_have_in_a_string_is_escaped() {
        let object = Object::new("a\"\\\n\u{1b}").number("n", u64::MAX).maybe::<u64>("m", None).list("l", [quote("x")]);
        let expected = r#"{"kind":"a\"\\\u000a\u001b","n":18446744073709551615,"m":null,"l":["x"]}"#;
        assert_eq!(object.end(), expected);
    }
}
