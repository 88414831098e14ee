//! The options of servers and clients.

use super::address::HostPort;
use super::error::SetupError;
use super::layer::Layer;
use super::settings::{Settings, Wires};
use super::wire::Side;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Whether to take a connection from this address.
type Accept = Arc<dyn Fn(&SocketAddr) -> bool + Send + Sync>;

/// The options of a server of the protocol `P`. The defaults are closed: loopback only, few clients, small frames,
/// short times.
///
/// ```
/// use rust_messenger::messi::{Protocol, ServerOptions};
///
/// fn options<Chat: Protocol>() -> ServerOptions<Chat> {
///     let mut options = ServerOptions::new("tcp://127.0.0.1:4000");
///     options.max_clients = 10;
///     options.connection.max_pending = 64 * 1024;
///     options
/// }
/// ```
pub struct ServerOptions<P> {
    /// Where to listen: `tcp://host:port`. With port 0 the system chooses a free one.
    pub uri: String,
    /// Whether the server may listen on another address than loopback. The protocol knows no passwords and encrypts
    /// nothing: on other networks use TLS or a tunnel. Default: no.
    pub allow_remote: bool,
    /// How many clients may be connected at a time, at most a million. The server accepts one more and closes it at
    /// once. Default: 100.
    pub max_clients: usize,
    /// The largest frame that the server accepts, in bytes, header included. `None` (the default): as large as fits the
    /// bus, at most 1 MiB.
    pub max_frame: Option<usize>,
    /// The settings of each connection. `max_frame` above overrides theirs. Default: those of [`Settings`].
    pub connection: Settings,
    /// How long a closing connection may take to send what is queued. Default: 1 s.
    pub linger: Duration,
    /// Decides by its address whether to accept a connection. `None` (the default): accepts all.
    pub accept: Option<Accept>,
    /// The ids of the messages that clients may put on the bus, among those of the protocol. `None` (the default): all
    /// of those.
    pub allow: Option<Vec<u16>>,
    /// Whether the server starts with the messenger. If not, a [`StartBridge`](super::StartBridge) starts it. Default:
    /// yes.
    pub autostart: bool,
    /// The layer between the socket and the frames: TLS, which `Layer::tls_server` makes (feature `tls`). `None` (the
    /// default): the frames go over the socket as they are.
    pub layer: Option<Layer>,
    protocol: PhantomData<fn() -> P>,
}

impl<P> ServerOptions<P> {
    /// The defaults, with this URI: loopback, 100 clients, 1 s to linger, and the defaults of [`Settings`].
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
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>, SetupError> {
        let at: HostPort = self.uri.parse()?;
        let found = match at.host() {
            "" => {
                let all: [IpAddr; 2] = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
                Ok(all.map(|address| SocketAddr::new(address, at.port())).to_vec())
            }
            host => (host, at.port()).to_socket_addrs().map(Iterator::collect::<Vec<_>>),
        };
        let found = found.map_err(|error| SetupError::Resolve { host: at.host().to_owned(), error })?;
        if let Some(open) = found.iter().find(|address| !self.allow_remote && !address.ip().is_loopback()) {
            return Err(SetupError::NotLoopback { address: open.ip() });
        }
        Ok(found)
    }
}

/// How long a client waits before it connects again.
///
/// ```
/// use rust_messenger::messi::{ClientOptions, Protocol, Reconnect};
/// use std::time::Duration;
///
/// fn options<Chat: Protocol>() -> ClientOptions<Chat> {
///     let mut options = ClientOptions::new("tcp://bank.example:4000");
///     options.reconnect = Reconnect::Constant(Duration::from_secs(1));
///     options
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnect {
    /// A random part of a limit that doubles with each failure, and starts again after a healthy connection
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, "full jitter").
    Backoff {
        /// The first limit.
        from: Duration,
        /// The last limit.
        to: Duration,
        /// How long a connection must have lasted to count as healthy.
        healthy: Duration,
    },
    /// Always this long. Messi's C client waits 1 s.
    Constant(Duration),
    /// The client does not connect again.
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

/// The options of a client of the protocol `P`.
///
/// ```
/// use rust_messenger::messi::{ClientOptions, Protocol};
/// use std::time::Duration;
///
/// fn options<Chat: Protocol>() -> ClientOptions<Chat> {
///     let mut options = ClientOptions::new("tcp://bank.example:4000");
///     options.connect_time = Duration::from_secs(1);
///     options
/// }
/// ```
pub struct ClientOptions<P> {
    /// The server: `tcp://host:port`.
    pub uri: String,
    /// How long one attempt to connect may take. Default: 5 s.
    pub connect_time: Duration,
    /// How long to wait before connecting again. Default: a random part of 100 ms, doubling to 30 s.
    pub reconnect: Reconnect,
    /// The largest frame that the client accepts, in bytes, header included. `None` (the default): as large as fits the
    /// bus, at most 1 MiB.
    pub max_frame: Option<usize>,
    /// The settings of the connection. `max_frame` above overrides theirs. Default: those of [`Settings`].
    pub connection: Settings,
    /// How long a closing connection may take to send what is queued. Default: 1 s.
    pub linger: Duration,
    /// The ids of the messages that the server may put on the bus, among those of the protocol. `None` (the default):
    /// all of those.
    pub allow: Option<Vec<u16>>,
    /// Whether the client starts with the messenger. If not, a [`StartBridge`](super::StartBridge) starts it. Default:
    /// yes.
    pub autostart: bool,
    /// The layer between the socket and the frames: TLS, which `Layer::tls_client` makes (feature `tls`). `None` (the
    /// default): the frames go over the socket as they are.
    pub layer: Option<Layer>,
    protocol: PhantomData<fn() -> P>,
}

impl<P> ClientOptions<P> {
    /// The defaults, with this URI: 5 s to connect, exponential backoff, and the defaults of [`Settings`].
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
    pub(super) fn target(&self) -> Result<HostPort, SetupError> {
        let target: HostPort = self.uri.parse()?;
        if target.host().is_empty() || target.port() == 0 {
            return Err(SetupError::Uri { uri: self.uri.clone() });
        }
        if let Wires::Auto { .. } = self.connection.wires {
            return Err(SetupError::AutoIsForServers);
        }
        Ok(target)
    }
}

/// What is chosen about either side.
pub(super) trait Chosen {
    /// The ids of the messages that peers may put on the bus. `None`: all of the protocol's.
    fn allow(&self) -> Option<&[u16]>;

    /// The largest frame, if it is chosen, and what it is otherwise.
    fn frames(&self) -> (Option<usize>, usize);
}

/// What either side's options can do, whatever their protocol is: all but the `hidden` fields are shown.
macro_rules! options {
    ($options:ident { $($field:ident),* } hidden { $($hidden:ident),* }) => {
        impl<P> Chosen for $options<P> {
            fn allow(&self) -> Option<&[u16]> {
                self.allow.as_deref()
            }

            fn frames(&self) -> (Option<usize>, usize) {
                (self.max_frame, self.connection.max_frame)
            }
        }

        impl<P> Clone for $options<P> {
            fn clone(&self) -> Self {
                $options {
                    $($field: self.$field.clone(),)*
                    $($hidden: self.$hidden.clone(),)*
                    protocol: PhantomData,
                }
            }
        }

        impl<P> AsRef<$options<P>> for $options<P> {
            fn as_ref(&self) -> &$options<P> {
                self
            }
        }

        impl<P> fmt::Debug for $options<P> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($options))
                    $(.field(stringify!($field), &self.$field))*
                    .finish_non_exhaustive()
            }
        }
    };
}

options! {
    ServerOptions {
        uri, allow_remote, max_clients, max_frame, connection, linger, allow, autostart, layer
    } hidden { accept }
}

options! {
    ClientOptions {
        uri, connect_time, reconnect, max_frame, connection, linger, allow, autostart, layer
    } hidden {}
}
