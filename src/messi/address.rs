//! Where a server is.

use super::error::UriError;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The host and port of a `tcp://host:port` URI: a name, an IPv4 address, or an IPv6 address in brackets.
///
/// ```
/// use rust_messenger::messi::HostPort;
/// let here: HostPort = "tcp://[::1]:4000".parse()?;
/// assert_eq!((here.host(), here.port()), ("::1", 4000));
/// # Ok::<(), rust_messenger::messi::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// The name or address, without brackets. Empty: every address of this machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<HostPort, UriError> {
        let parse = || {
            let (host, port) = uri.strip_prefix("tcp://")?.rsplit_once(':')?;
            // `parse` alone takes a sign.
            let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
            let host = match host.strip_prefix('[') {
                Some(rest) => {
                    let inner = rest.strip_suffix(']')?;
                    inner.parse::<Ipv6Addr>().ok()?;
                    inner
                }
                None => host,
            };
            let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            let is_host = host.contains(':') == uri.contains('[') && host.chars().all(|c| is_name(c) || c == ':');
            is_host.then(|| HostPort { host: host.to_owned(), port })
        };
        parse().ok_or_else(|| UriError { uri: uri.to_owned() })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "tcp://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "tcp://{}:{}", self.host, self.port)
        }
    }
}
