//! Names of systems, nodes, handlers and messages as subjects of NATS, and back.

use std::fmt;

/// Stands before two hexadecimal digits for a byte that a token cannot have, and alone for a name of no bytes.
const ESCAPE: char = '=';
/// The last token of a hello's subject. No escaped name has a `$`.
const HELLO_TOKEN: &str = "$hello";
/// The longest name of a system or a node, escaped. A stream's name is two of them, and becomes the name of a file.
const MAX_TOKEN: usize = 100;

/// Whether it stands for itself in a token.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// `name` as one token of a subject: bytes other than `A-Z`, `a-z`, `0-9`, `_` and `-` become `=` and two upper-case
/// hexadecimal digits, and no bytes at all become `=`.
///
/// No two names have the same token, and no token has a byte that NATS gives a meaning: the server takes a published
/// subject with a `*` or a `>` in it without complaint, and delivers it to whoever asks for anything.
///
/// ```
/// use rust_messenger_nats::protocol::escape;
///
/// assert_eq!(escape("FromClient<Say>"), "FromClient=3CSay=3E");
/// assert_eq!(escape("plain-name_1"), "plain-name_1");
/// ```
pub fn escape(name: &str) -> String {
    if name.is_empty() {
        return ESCAPE.to_string();
    }
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(byte) {
            token.push(char::from(byte));
        } else {
            token.push(ESCAPE);
            for digit in [byte >> 4, byte & 15] {
                token.push(char::from_digit(u32::from(digit), 16).unwrap_or_default().to_ascii_uppercase());
            }
        }
    }
    token
}

/// The name whose [`escape`] is `token`; `None` if no name has that one.
///
/// ```
/// use rust_messenger_nats::protocol::unescape;
///
/// assert_eq!(unescape("FromClient=3CSay=3E").as_deref(), Some("FromClient<Say>"));
/// assert_eq!(unescape("FromClient<Say>"), None);
/// ```
pub fn unescape(token: &str) -> Option<String> {
    if token == "=" {
        return Some(String::new());
    }
    if !token.is_empty() && token.bytes().all(is_plain) {
        return Some(token.to_owned());
    }
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == ESCAPE as u8 {
            let (digits, after) = rest.split_first_chunk::<2>()?;
            let digits = str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(first);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    // What could have been written otherwise is nobody's token.
    (!name.is_empty() && escape(&name) == token).then_some(name)
}

/// A type's name without the spaces that mean nothing: compilers differ in where they put them.
pub(super) fn spelled(type_name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut name = String::with_capacity(type_name.len());
    let mut gap = false;
    for c in type_name.trim().chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && is_word(c) && name.ends_with(is_word) {
            name.push(' ');
        }
        gap = false;
        name.push(c);
    }
    name
}

/// The names of one node in its system.
///
/// ```
/// use rust_messenger_nats::protocol::Names;
///
/// let names = Names::new("shop", "till 1")?;
/// assert_eq!(names.stream(), "shop+till=201");
/// assert_eq!(names.all(), "shop.till=201.>");
/// # Ok::<(), rust_messenger_nats::protocol::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names {
    system: String,
    node: String,
}

impl Names {
    /// The names of the node `node` in the system `system`.
    ///
    /// # Errors
    ///
    /// [`NameError::Empty`] and [`NameError::TooLong`]: more than 100 bytes once it is [escaped](escape).
    pub fn new(system: &str, node: &str) -> Result<Names, NameError> {
        for name in [system, node] {
            if name.is_empty() {
                return Err(NameError::Empty);
            }
            if escape(name).len() > MAX_TOKEN {
                return Err(NameError::TooLong { name: name.to_owned(), most: MAX_TOKEN });
            }
        }
        Ok(Names { system: system.to_owned(), node: node.to_owned() })
    }

    /// The name of the system.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The name of the node's stream: the two tokens with a `+` between them, which no token has.
    pub fn stream(&self) -> String {
        format!("{}+{}", escape(&self.system), escape(&self.node))
    }

    /// The name of a durable consumer that the node reads with: its token.
    pub fn consumer(&self) -> String {
        escape(&self.node)
    }

    /// The subject of all that the node publishes, with the wildcard at its end.
    pub fn all(&self) -> String {
        format!("{}.{}.>", escape(&self.system), escape(&self.node))
    }

    /// The subject of one message of the node. The types are as spelled in the table; spaces in them that mean nothing
    /// are left out, for compilers differ in where they put them.
    pub fn message(&self, handler: &str, message: &str) -> Subject {
        Subject { names: self.clone(), of: Some((spelled(handler), spelled(message))) }
    }

    /// The subject of the node's hellos.
    pub fn hello(&self) -> Subject {
        Subject { names: self.clone(), of: None }
    }
}

/// What a message in a stream is: `system.node.Handler.Message`, or `system.node.$hello`.
///
/// ```
/// use rust_messenger_nats::protocol::Subject;
///
/// let subject = Subject::parse("shop.till-1.Till.Sold")?;
/// assert_eq!(subject.names().node(), "till-1");
/// assert_eq!(subject.types(), Some(("Till", "Sold")));
/// assert_eq!(Subject::parse("shop.till-1.$hello")?.types(), None);
/// # Ok::<(), rust_messenger_nats::protocol::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    names: Names,
    of: Option<(String, String)>,
}

impl Subject {
    /// Reads a subject as a server delivers it.
    ///
    /// # Errors
    ///
    /// [`NameError::NotOurs`]: no bridge publishes it. [`NameError::TooLong`] of a system or node.
    pub fn parse(subject: &str) -> Result<Subject, NameError> {
        let not_ours = || NameError::NotOurs(subject.to_owned());
        let name = |token: &str| unescape(token).ok_or_else(not_ours);
        let tokens: Vec<&str> = subject.split('.').collect();
        match tokens[..] {
            [system, node, HELLO_TOKEN] => Ok(Names::new(&name(system)?, &name(node)?)?.hello()),
            [system, node, handler, message] => {
                let names = Names::new(&name(system)?, &name(node)?)?;
                Ok(Subject { names, of: Some((name(handler)?, name(message)?)) })
            }
            _ => Err(not_ours()),
        }
    }

    /// Whose it is.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The types of the handler that sent it and of the message; `None` of a hello.
    pub fn types(&self) -> Option<(&str, &str)> {
        self.of.as_ref().map(|(handler, message)| (handler.as_str(), message.as_str()))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.", escape(&self.names.system), escape(&self.names.node))?;
        match &self.of {
            Some((handler, message)) => write!(f, "{}.{}", escape(handler), escape(message)),
            None => f.write_str(HELLO_TOKEN),
        }
    }
}

/// Why something is no name of a system or a node, or no subject of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The system or the node has no name.
    Empty,
    /// The name, once it is [escaped](escape), is longer than the most.
    TooLong {
        /// The name.
        name: String,
        /// How many bytes it may have.
        most: usize,
    },
    /// A subject that no bridge publishes.
    NotOurs(String),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("a system or a node without a name"),
            NameError::TooLong { name, most } => write!(f, "the name {name:?} takes more than {most} bytes"),
            NameError::NotOurs(subject) => write!(f, "no bridge publishes the subject {subject:?}"),
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn spaces_that_mean_nothing_are_left_out() {
        assert_eq!(spelled(" FromClient < Say > "), "FromClient<Say>");
        assert_eq!(spelled("messages :: Tick"), "messages::Tick");
        assert_eq!(spelled("Boxed<dyn  Any>"), "Boxed<dyn Any>");
        assert_eq!(spelled("<A as B>::C"), "<A as B>::C");
    }
}
