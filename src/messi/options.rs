//! What can be chosen about servers and clients, where they are, and why they do not start or send.

use super::connection::{Settings, Wires};
use super::event_loop::Layer;
use super::wire::Side;
use std::error::Error;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

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

/// Why a URI is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriError {
    uri: String,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a URI of the form tcp://<host>:<port>, but got {:?}", self.uri)
    }
}

impl Error for UriError {}

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

/// Whether to take a connection from this address.
pub type Accept = Arc<dyn Fn(&SocketAddr) -> bool + Send + Sync>;

/// What can be chosen about a server of the protocol `P`. The defaults are closed: loopback only, few clients, small
/// frames, short times.
pub struct ServerOptions<P> {
    /// `tcp://host:port`. Port 0: any free one.
    pub uri: String,
    /// Whether the address may be another one than loopback. The protocol knows no passwords and hides nothing: on
    /// other networks use TLS or a tunnel.
    pub allow_remote: bool,
    /// How many connections there may be at a time; one more is accepted and closed at once. At most a million.
    pub max_clients: usize,
    /// The largest frame that is taken, in bytes, header included. `None`: what the bus takes, at most 1 MiB.
    pub max_frame: Option<usize>,
    /// About each connection; `max_frame` above wins.
    pub connection: Settings,
    /// How long a connection that is being closed may take to read what was queued for it.
    pub linger: Duration,
    /// Asked for every connection that comes in.
    pub accept: Option<Accept>,
    /// The ids of the messages that a client may put on the bus, among those of the protocol. `None`: all of those.
    pub allow: Option<Vec<u16>>,
    /// Whether to start with the messenger; if not, a [`Start`](super::Start) does.
    pub autostart: bool,
    /// What is between the socket and the frames: TLS, made by `messi::tls::server` (feature `tls`).
    pub layer: Option<Arc<dyn Layer>>,
    protocol: PhantomData<fn() -> P>,
}

impl<P> ServerOptions<P> {
    /// The defaults, at `uri`: loopback, 100 clients, 1 s to linger, and those of [`Settings::new`].
    pub fn new(uri: impl Into<String>) -> Self {
        ServerOptions {
            uri: uri.into(),
            allow_remote: false,
            max_clients: 100,
            max_frame: None,
            connection: Settings::new(Side::Server),
            linger: Duration::from_secs(1),
            accept: None,
            allow: None,
            autostart: true,
            layer: None,
            protocol: PhantomData,
        }
    }

    /// Where to listen.
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>, StartError> {
        let at: HostPort = self.uri.parse()?;
        let found = match at.host() {
            "" => {
                let all: [IpAddr; 2] = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
                Ok(all.map(|address| SocketAddr::new(address, at.port())).to_vec())
            }
            host => (host, at.port()).to_socket_addrs().map(Iterator::collect::<Vec<_>>),
        };
        let found = found.map_err(|error| StartError::Resolve { host: at.host().to_owned(), error })?;
        if let Some(open) = found.iter().find(|address| !self.allow_remote && !address.ip().is_loopback()) {
            return Err(StartError::NotLoopback { address: open.ip() });
        }
        Ok(found)
    }
}

impl<P> Clone for ServerOptions<P> {
    fn clone(&self) -> Self {
        ServerOptions {
            uri: self.uri.clone(),
            connection: self.connection.clone(),
            accept: self.accept.clone(),
            allow: self.allow.clone(),
            layer: self.layer.clone(),
            ..*self
        }
    }
}

impl<P> AsRef<ServerOptions<P>> for ServerOptions<P> {
    fn as_ref(&self) -> &ServerOptions<P> {
        self
    }
}

impl<P> fmt::Debug for ServerOptions<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("uri", &self.uri)
            .field("allow_remote", &self.allow_remote)
            .field("max_clients", &self.max_clients)
            .field("max_frame", &self.max_frame)
            .field("connection", &self.connection)
            .field("linger", &self.linger)
            .field("allow", &self.allow)
            .field("layer", &self.layer)
            .field("autostart", &self.autostart)
            .finish_non_exhaustive()
    }
}

/// How long to wait before connecting again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// A random part of a limit that doubles with each failure, and begins anew after a healthy connection
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, "full jitter").
    Backoff {
        /// The first limit.
        from: Duration,
        /// The last limit.
        to: Duration,
        /// How long a connection must have lasted to count as healthy.
        healthy: Duration,
    },
    /// Always this long. Messi's C client: 1 s.
    Constant(Duration),
    /// Not at all.
    Never,
}

impl Default for Reconnect {
    /// 100 ms doubling to 30 s; 10 s are healthy.
    fn default() -> Self {
        Reconnect::Backoff {
            from: Duration::from_millis(100),
            to: Duration::from_secs(30),
            healthy: Duration::from_secs(10),
        }
    }
}

/// What can be chosen about a client of the protocol `P`.
pub struct ClientOptions<P> {
    /// `tcp://host:port`.
    pub uri: String,
    /// How long one attempt to connect may take.
    pub connect_time: Duration,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// The largest frame that is taken, in bytes, header included. `None`: what the bus takes, at most 1 MiB.
    pub max_frame: Option<usize>,
    /// About the connection; `max_frame` above wins.
    pub connection: Settings,
    /// How long a connection that is being closed may take to read what was queued for it.
    pub linger: Duration,
    /// The ids of the messages that the server may put on the bus, among those of the protocol. `None`: all of those.
    pub allow: Option<Vec<u16>>,
    /// Whether to start with the messenger; if not, a [`Start`](super::Start) does.
    pub autostart: bool,
    /// What is between the socket and the frames: TLS, made by `messi::tls::client` (feature `tls`).
    pub layer: Option<Arc<dyn Layer>>,
    protocol: PhantomData<fn() -> P>,
}

impl<P> ClientOptions<P> {
    /// The defaults, at `uri`: 5 s to connect, exponential backoff, and those of [`Settings::new`].
    pub fn new(uri: impl Into<String>) -> Self {
        ClientOptions {
            uri: uri.into(),
            connect_time: Duration::from_secs(5),
            reconnect: Reconnect::default(),
            max_frame: None,
            connection: Settings::new(Side::Client),
            linger: Duration::from_secs(1),
            allow: None,
            autostart: true,
            layer: None,
            protocol: PhantomData,
        }
    }

    /// Where to connect to.
    pub(super) fn target(&self) -> Result<HostPort, StartError> {
        let target: HostPort = self.uri.parse()?;
        if target.host().is_empty() || target.port() == 0 {
            return Err(StartError::Uri(UriError { uri: self.uri.clone() }));
        }
        if let Wires::Auto { .. } = self.connection.wires {
            return Err(StartError::AutoIsForServers);
        }
        Ok(target)
    }
}

impl<P> Clone for ClientOptions<P> {
    fn clone(&self) -> Self {
        ClientOptions {
            uri: self.uri.clone(),
            connection: self.connection.clone(),
            allow: self.allow.clone(),
            layer: self.layer.clone(),
            ..*self
        }
    }
}

impl<P> AsRef<ClientOptions<P>> for ClientOptions<P> {
    fn as_ref(&self) -> &ClientOptions<P> {
        self
    }
}

impl<P> fmt::Debug for ClientOptions<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("uri", &self.uri)
            .field("connect_time", &self.connect_time)
            .field("reconnect", &self.reconnect)
            .field("max_frame", &self.max_frame)
            .field("connection", &self.connection)
            .field("linger", &self.linger)
            .field("allow", &self.allow)
            .field("layer", &self.layer)
            .field("autostart", &self.autostart)
            .finish_non_exhaustive()
    }
}

// ------------------------------------------------------------------------------------------------------------- errors

/// Why a server or client did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The URI is none.
    Uri(UriError),
    /// The address is reachable from other machines. Set `allow_remote` if that is meant.
    NotLoopback {
        /// The address.
        address: IpAddr,
    },
    /// The host has no address.
    Resolve {
        /// The host.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// The system does not let us listen there.
    Listen {
        /// The URI.
        uri: String,
        /// What the system said.
        error: io::Error,
    },
    /// The system has no more descriptors.
    Poller(io::Error),
    /// A frame of `max_frame` bytes would not fit the bus. Make the bus larger, or frames smaller.
    FrameTooLarge {
        /// What was asked for.
        max_frame: usize,
        /// The largest that the bus takes.
        bus: usize,
    },
    /// Only a server can wait for its peer's first byte.
    AutoIsForServers,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Uri(error) => error.fmt(f),
            StartError::NotLoopback { address } => {
                write!(f, "{address} is reachable from other machines; set `allow_remote` if that is meant")
            }
            StartError::Resolve { host, error } => write!(f, "no address for host {host:?}: {error}"),
            StartError::Listen { uri, error } => write!(f, "cannot listen at {uri}: {error}"),
            StartError::Poller(error) => write!(f, "no poller: {error}"),
            StartError::FrameTooLarge { max_frame, bus } => {
                write!(f, "frames of up to {max_frame} bytes, but this bus takes {bus} at most")
            }
            StartError::AutoIsForServers => f.write_str("a client speaks first, so it cannot detect the server's wire"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Resolve { error, .. } | StartError::Listen { error, .. } | StartError::Poller(error) => {
                Some(error)
            }
            _ => None,
        }
    }
}

impl From<UriError> for StartError {
    fn from(error: UriError) -> StartError {
        StartError::Uri(error)
    }
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The client is not connected any more.
    Gone,
    /// There is no connection now.
    NotConnected,
    /// Larger than the wire allows.
    TooBig {
        /// The size of its frame in bytes.
        size: usize,
        /// The largest that may be.
        max: usize,
    },
    /// `max_pending` bytes wait for the peer to read them. From `try_send`: half of that, and it can be sent again
    /// later. From `send`: the peer is disconnected, as a slow consumer.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Gone => f.write_str("the client is gone"),
            SendError::NotConnected => f.write_str("not connected"),
            SendError::TooBig { size, max } => write!(f, "a frame of {size} bytes; it may have {max}"),
            SendError::Full => f.write_str("the peer does not read what is pending"),
        }
    }
}

impl Error for SendError {}
