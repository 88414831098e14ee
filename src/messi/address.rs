//! The address of a server.

use super::error::SetupError;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The host and port of a `tcp://host:port` URI: a name, an IPv4 address, or an IPv6 address in brackets.
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
    type Err = SetupError;

    fn from_str(uri: &str) -> Result<HostPort, SetupError> {
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
        parse().ok_or_else(|| SetupError::Uri { uri: uri.to_owned() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_host_and_a_port_and_nothing_else() {
        for (uri, host, port) in [
            ("tcp://127.0.0.1:4000", "127.0.0.1", 4000),
            ("tcp://[::1]:4000", "::1", 4000),
            ("tcp://bank.example:65535", "bank.example", 65535),
            ("tcp://:0", "", 0),
        ] {
            let parsed: HostPort = uri.parse().unwrap();
            assert_eq!((parsed.host(), parsed.port(), &*parsed.to_string()), (host, port, uri));
        }
        for uri in
            ["", "127.0.0.1:4000", "udp://a:1", "tcp://a", "tcp://a:", "tcp://a:+1", "tcp://a:65536", "tcp://::1:1"]
        {
            let refused = uri.parse::<HostPort>();
            assert!(matches!(&refused, Err(SetupError::Uri { uri: said }) if said == uri), "{refused:?}");
        }
        for uri in ["tcp://[a]:1", "tcp://[::1:1", "tcp://a/b:1", "tcp://[::1]"] {
            assert!(uri.parse::<HostPort>().is_err(), "{uri}");
        }
    }
}
