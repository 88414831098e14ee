//! Names in the manner of other places.

/// `MyProto` and `my-proto` as `my_proto`, as Messi makes it of a file's name.
///
/// A capital begins a word if a small letter or digit stands before it, or a small letter after it: `HTTPServer2Go` is
/// `http_server2_go`. Whatever no identifier can have becomes `_`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|before| chars[before]);
        let begins = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && chars.get(i + 1).is_some_and(char::is_ascii_lowercase)
            });
        if begins {
            snake.push('_');
        }
        snake.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    snake
}

/// `my_proto` as `MyProto`: each word begins with a capital, and what follows a digit is a word, too.
pub fn title(snake: &str) -> String {
    let mut title = String::with_capacity(snake.len());
    let mut begins = true;
    for c in snake.chars() {
        if c != '_' {
            title.push(if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
        }
        begins = !c.is_ascii_alphabetic();
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_in_snake_case() {
        for (name, expected) in [
            ("chat", "chat"),
            ("MyProto", "my_proto"),
            ("myProto", "my_proto"),
            ("my-proto.v1", "my_proto_v1"),
            ("HTTPServer2Go", "http_server2_go"),
            ("ABC", "abc"),
            ("A", "a"),
            ("my_proto", "my_proto"),
            ("Already_Snake", "already_snake"),
        ] {
            assert_eq!(snake(name), expected, "{name}");
        }
    }

    #[test]
    fn snake_case_in_title_case() {
        for (name, expected) in
            [("chat", "Chat"), ("my_proto", "MyProto"), ("my_proto2go", "MyProto2Go"), ("_a__b", "AB")]
        {
            assert_eq!(title(name), expected, "{name}");
        }
    }
}
