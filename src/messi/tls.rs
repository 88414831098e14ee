//! TLS for servers and clients, by [`rustls`]: put [`Layer::tls_server`] or [`Layer::tls_client`] into the `layer` of
//! the options. Either is made of any other configuration of rustls by `into()`.
//!
//! ```no_run
//! use rust_messenger::messi::{ClientOptions, Layer, ServerOptions};
//! # use rust_messenger::messi::Protocol;
//! # fn options<P: Protocol>() -> Result<(), Box<dyn std::error::Error>> {
//! let mut server = ServerOptions::<P>::new("tcp://[::]:4000");
//! server.allow_remote = true;
//! server.layer = Some(Layer::tls_server(&std::fs::read("server.pem")?, &std::fs::read("server.key")?, None)?);
//!
//! let mut client = ClientOptions::<P>::new("tcp://bank.example:4000");
//! client.layer = Some(Layer::tls_client(&std::fs::read("roots.pem")?, None)?);
//! # Ok(())
//! # }
//! ```

use super::error::SetupError;
use super::layer::{Layer, Session, Sessions, Stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;

pub use rustls;

/// As an error of [`Layer::tls_server`] and [`Layer::tls_client`].
fn unusable(error: impl Error + Send + Sync + 'static) -> SetupError {
    SetupError::Tls(Box::new(error))
}

impl Layer {
    /// TLS of a server, from its certificate chain and its key as PEM text. With the PEM text of roots, it accepts only
    /// clients whose certificates come from one of them.
    ///
    /// # Errors
    ///
    /// [`SetupError::Pem`]; [`SetupError::Tls`].
    pub fn tls_server(chain: &[u8], key: &[u8], client_roots: Option<&[u8]>) -> Result<Layer, SetupError> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)?;
        let builder = match client_roots {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider()).build();
                builder.with_client_cert_verifier(verifier.map_err(unusable)?)
            }
        };
        let config = builder.with_single_cert(certificates(chain)?, private_key(key)?).map_err(unusable)?;
        Ok(Arc::new(config).into())
    }

    /// TLS of a client, from the PEM text of the roots that verify servers, and its own certificate chain and key, for
    /// servers that ask for them. It verifies the server by the host in the URI.
    ///
    /// # Errors
    ///
    /// [`SetupError::Pem`]; [`SetupError::Tls`].
    pub fn tls_client(server_roots: &[u8], identity: Option<(&[u8], &[u8])>) -> Result<Layer, SetupError> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)?;
        let builder = builder.with_root_certificates(roots(server_roots)?);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                builder.with_client_auth_cert(certificates(chain)?, private_key(key)?).map_err(unusable)?
            }
        };
        Ok(Arc::new(config).into())
    }
}

/// TLS of a server, with any configuration of rustls.
impl From<Arc<ServerConfig>> for Layer {
    fn from(config: Arc<ServerConfig>) -> Layer {
        Layer(Arc::new(TlsServer(config)))
    }
}

/// TLS of a client, with any configuration of rustls.
impl From<Arc<ClientConfig>> for Layer {
    fn from(config: Arc<ClientConfig>) -> Layer {
        Layer(Arc::new(TlsClient(config)))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let error = |error: String| SetupError::Pem { what: "certificate", error };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => Err(error("it has no section of this kind".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(wrong) => Err(error(wrong.to_string())),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| SetupError::Pem { what: "private key", error: error.to_string() })
}

fn roots(pem: &[u8]) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

#[derive(Debug)]
struct TlsServer(Arc<ServerConfig>);

#[derive(Debug)]
struct TlsClient(Arc<ClientConfig>);

impl Sessions for TlsServer {
    fn session(&self, _: Option<&str>) -> io::Result<Box<dyn Session>> {
        let connection = ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)?;
        Ok(Box::new(Tls(connection.into())))
    }
}

impl Sessions for TlsClient {
    fn session(&self, host: Option<&str>) -> io::Result<Box<dyn Session>> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let name = ServerName::try_from(host.unwrap_or_default().to_owned()).map_err(invalid)?;
        let connection = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        Ok(Box::new(Tls(connection.into())))
    }
}

#[derive(Debug)]
struct Tls(Connection);

impl Tls {
    /// Writes as much of what is encrypted as the socket takes.
    fn push(&mut self, socket: &mut dyn Stream) -> io::Result<()> {
        while self.0.wants_write() {
            match self.0.write_tls(&mut &mut *socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is encrypted once, and decrypts it. False at the end.
    fn pull(&mut self, socket: &mut dyn Stream) -> io::Result<bool> {
        let count = self.0.read_tls(&mut &mut *socket)?;
        if let Err(error) = self.0.process_new_packets() {
            // The peer is told why, if it still listens.
            let _ = self.push(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count != 0)
    }
}

impl Session for Tls {
    fn handshake(&mut self, socket: &mut dyn Stream) -> io::Result<bool> {
        loop {
            self.push(socket)?;
            if !self.0.is_handshaking() {
                return Ok(true);
            }
            match self.pull(socket) {
                Ok(true) => {}
                Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, socket: &mut dyn Stream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            match self.0.reader().read(&mut buffer[filled..]) {
                // The peer said that this is the end, or there is no room for more.
                Ok(0) => return Ok(filled),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.pull(socket) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) if filled != 0 => return Ok(filled),
                    Err(error) => return Err(error),
                },
                // The end without a word: all that came before it is whole, since frames are.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, socket: &mut dyn Stream, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.0.writer().write(bytes)?;
        self.push(socket)?;
        Ok(taken)
    }

    fn wants_write(&self) -> bool {
        self.0.wants_write()
    }

    fn close(&mut self) {
        self.0.send_close_notify();
    }
}
