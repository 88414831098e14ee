//! Ports for servers of tests. Beside what every test crate compiles, because not all of them know sockets.

/// A port that nobody else takes as long as this lives, while servers come and go there.
#[derive(Debug)]
pub struct Port {
    pub number: u16,
    /// Bound, but it does not listen. Elsewhere than on Linux nobody could listen beside it.
    _held: Option<socket2::Socket>,
}

impl Port {
    pub fn new() -> Port {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let number = socket.local_addr().unwrap().as_socket().unwrap().port();
        Port { number, _held: cfg!(target_os = "linux").then_some(socket) }
    }

    pub fn uri(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.number)
    }
}
