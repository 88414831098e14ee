//! The server: the bridge to the clients and the teller, each on a worker of its own.

use crate::bank::*;
use crate::journal;
use crate::ledger::Counter;
use crate::teller::Teller;
use rust_messenger::messi::{
    ClientConnected, ClientDisconnected, ClientId, Disconnect, FromClient, Listening, Member, Server, ServerOptions,
    To, ToClient, ToClientSide, Wire, Wires,
};
use rust_messenger::traits::{ExtendedMessage, MessageBus, Sender, WriteError, Writer};
use rust_messenger::{CircularBus, Options};
use std::error::Error;
use std::sync::{Arc, mpsc};

#[derive(Clone)]
pub struct Config {
    server: ServerOptions<Bank>,
    /// Serve anything until somebody says `close_req`, rather than exactly the scenario.
    pub any: bool,
    /// Told the port once the server listens.
    pub ready: mpsc::Sender<u16>,
}

impl AsRef<ServerOptions<Bank>> for Config {
    fn as_ref(&self) -> &ServerOptions<Bank> {
        &self.server
    }
}

rust_messenger::Messenger! {
    Config,
    Network:
        handlers: [ server: Server<Bank> ]
        routes: [
            Teller, ToClient<OpenRsp>: [ server ],
            Teller, ToClient<JoinInd>: [ server ],
            Teller, ToClient<StatementRsp>: [ server ],
            Teller, ToClient<UploadRsp>: [ server ],
            Teller, ToClient<DownloadRsp>: [ server ],
            Teller, ToClient<AuditReq>: [ server ],
            Teller, ToClient<AuditDoneInd>: [ server ],
            Teller, ToClient<ShoutInd>: [ server ],
            Teller, ToClient<NopRsp>: [ server ],
            Teller, ToClient<KickRsp>: [ server ],
            Teller, ToClient<CloseRsp>: [ server ],
            Teller, Disconnect: [ server ]
        ]
    Office:
        handlers: [ teller: Teller ]
        routes: [
            Server<Bank>, Listening: [ teller ],
            Server<Bank>, ClientConnected: [ teller ],
            Server<Bank>, ClientDisconnected: [ teller ],
            Server<Bank>, FromClient<OpenReq>: [ teller ],
            Server<Bank>, FromClient<DepositInd>: [ teller ],
            Server<Bank>, FromClient<StatementReq>: [ teller ],
            Server<Bank>, FromClient<UploadReq>: [ teller ],
            Server<Bank>, FromClient<DownloadReq>: [ teller ],
            Server<Bank>, FromClient<AuditStartReq>: [ teller ],
            Server<Bank>, FromClient<AuditRsp>: [ teller ],
            Server<Bank>, FromClient<ShoutReq>: [ teller ],
            Server<Bank>, FromClient<NopReq>: [ teller ],
            Server<Bank>, FromClient<KickReq>: [ teller ],
            Server<Bank>, FromClient<CloseReq>: [ teller ]
        ]
}

/// The bytes of the ring. A message takes at most an eighth of it, and a download is a million bytes.
const RING: usize = 8 << 20;
/// The largest frame that a client may send.
const MAX_FRAME: usize = 128 << 10;
const MAX_PENDING: usize = 32 << 20;
const CLIENTS: usize = 3;

/// How the bank is to be served.
pub struct Service {
    pub wire: Wire,
    /// Anything until somebody says `close_req`, rather than exactly the scenario.
    pub any: bool,
    /// The file of the journal, if the bus shall be one.
    pub journal: Option<String>,
}

/// Serves until the bank is closed. Port 0: any free one.
pub fn serve(port: u16, service: Service, ready: mpsc::Sender<u16>) -> Result<(), Box<dyn Error>> {
    let Service { wire, any, journal } = service;
    let mut server = ServerOptions::new(format!("tcp://127.0.0.1:{port}"));
    server.max_clients = CLIENTS;
    server.max_frame = Some(MAX_FRAME);
    server.connection.max_pending = MAX_PENDING;
    server.connection.wires = Wires::Only(wire);
    let mut options = Options::default();
    if !any {
        options.on_report = Some(Arc::new(crate::to_stderr));
    }
    let config = Config { server, any, ready };
    match journal {
        None => run(CircularBus::new(RING)?, options, &config),
        Some(path) => run(journal::open(&path, Messenger::table())?, options, &config),
    }
}

fn run(bus: impl MessageBus, options: Options, config: &Config) -> Result<(), Box<dyn Error>> {
    Messenger::with_options(bus, options).run(config).join()?;
    Ok(())
}

/// The counter as a place on the bus.
pub struct BusCounter<'a, W> {
    pub writer: &'a W,
    /// Something did not fit the bus, and went to the outbox.
    pub is_full: bool,
}

impl<W: Writer> BusCounter<'_, W> {
    fn send(&mut self, message: &impl ExtendedMessage) {
        if let Err(error) = Teller::try_send(message, self.writer) {
            self.is_full |= error == WriteError::Full;
            Teller::send(message, self.writer);
        }
    }
}

impl<W: Writer> Counter for BusCounter<'_, W> {
    fn reply<M: Member<ToClientSide, Protocol = Bank>>(&mut self, client: ClientId, message: M) {
        self.send(&ToClient { to: To::One(client), message });
    }

    fn announce<M: Member<ToClientSide, Protocol = Bank>>(&mut self, message: M) {
        self.send(&ToClient { to: To::All, message });
    }

    fn show_out(&mut self, client: ClientId) {
        self.send(&Disconnect { client });
    }
}
