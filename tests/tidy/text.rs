//! Code as lines of text: without comments, and without what stands in quotes, so that a rule can be talked about where
//! it holds.

use crate::house::{Complaints, File};
use proc_macro2::{Delimiter, LexError, LineColumn, Span, TokenStream, TokenTree};

/// The tokens of the text, each on its line, literals in quotes as `""`.
pub fn code_of(text: &str) -> Result<String, LexError> {
    let lines = vec![String::new(); text.lines().count()];
    let mut page = Page { source: text.lines().collect(), lines, end: LineColumn { line: 0, column: 0 } };
    page.put_all(text.parse()?);
    Ok(page.lines.join("\n"))
}

struct Page<'a> {
    source: Vec<&'a str>,
    lines: Vec<String>,
    /// Behind the last token, in the source.
    end: LineColumn,
}

impl Page<'_> {
    fn put_all(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                // A comment for the documentation arrives as an attribute.
                TokenTree::Punct(punct) if self.is_comment(punct.span()) => {
                    while tokens.next_if(|next| self.is_comment(next.span())).is_some() {}
                }
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    self.put(group.span_open(), open);
                    self.put_all(group.stream());
                    self.put(group.span_close(), close);
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let is_quoted = text.contains(['"', '\'']);
                    self.put(literal.span(), if is_quoted { "\"\"" } else { &text });
                }
                other => self.put(other.span(), &other.to_string()),
            }
        }
    }

    fn put(&mut self, span: Span, text: &str) {
        let start = span.start();
        let from = if start.line == self.end.line { self.end.column } else { 0 };
        let line = &mut self.lines[start.line - 1];
        line.extend(std::iter::repeat_n(' ', start.column - from));
        line.push_str(text);
        self.end = span.end();
    }

    fn is_comment(&self, span: Span) -> bool {
        let start = span.start();
        let mut source = self.source[start.line - 1].chars().skip(start.column);
        source.next() == Some('/') && matches!(source.next(), Some('/' | '*'))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `word`, which may be a path, stands in `line` as a word of its own.
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// A complaint for each line of code in which one of `words` stands.
pub fn ban(file: &File, words: &[&str], why: &str) -> Complaints {
    let mut complaints = Vec::new();
    for (number, line) in file.code.lines().enumerate() {
        for word in words.iter().filter(|word| has_word(line, word)) {
            complaints.push(format!("{}:{}: `{word}`: {why}", file.path, number + 1));
        }
    }
    complaints
}

#[test]
fn reading_leaves_out_comments_and_literals() {
    let text = "a // b\n/* c /* d */ e */ f \"g // \\\" h\" 'i' '\\'' 'j r#\"k \" l\"# br\"m\" r#n\n/// o\n//! p\n\
                q(\"r\n\") + 1_u8 /** s */ / t";
    let code = code_of(text).unwrap();
    let words: Vec<&str> = code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["a", "f", "j", "r", "n", "q", "1_u8", "t"]);
    assert_eq!(code.lines().count(), text.lines().count());
    assert_eq!(code_of("    let a =\n\tb::c(\"d\", e);").unwrap(), "    let a =\n b::c(\"\", e);");
}
