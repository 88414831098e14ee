//! The clients: for each customer a messenger of its own, with the bridge and the customer on a worker each.

use crate::bank::*;
use crate::customer::Customer;
use crate::scene::Word;
use crate::script::Role;
use rust_messenger::messenger::OutsideWriter;
use rust_messenger::messi::{
    Client, ClientOptions, Connected, Disconnected, FromServer, Reconnect, StartBridge, ToServer, Wire, Wires,
};
use rust_messenger::{CircularBus, Options};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub struct Config {
    client: ClientOptions<Bank>,
    pub role: Role,
    /// The other customer's bus. Without one there is no script.
    pub partner: Option<OutsideWriter<CircularBus>>,
}

impl AsRef<ClientOptions<Bank>> for Config {
    fn as_ref(&self) -> &ClientOptions<Bank> {
        &self.client
    }
}

rust_messenger::Messenger! {
    Config,
    Network:
        handlers: [ client: Client<Bank> ]
        routes: [
            Customer, StartBridge: [ client ],
            Customer, ToServer<OpenReq>: [ client ],
            Customer, ToServer<DepositInd>: [ client ],
            Customer, ToServer<StatementReq>: [ client ],
            Customer, ToServer<UploadReq>: [ client ],
            Customer, ToServer<DownloadReq>: [ client ],
            Customer, ToServer<AuditStartReq>: [ client ],
            Customer, ToServer<AuditRsp>: [ client ],
            Customer, ToServer<ShoutReq>: [ client ],
            Customer, ToServer<NopReq>: [ client ],
            Customer, ToServer<KickReq>: [ client ],
            Customer, ToServer<CloseReq>: [ client ]
        ]
    Home:
        handlers: [ customer: Customer ]
        routes: [
            Client<Bank>, Connected: [ customer ],
            Client<Bank>, Disconnected: [ customer ],
            Client<Bank>, FromServer<OpenRsp>: [ customer ],
            Client<Bank>, FromServer<JoinInd>: [ customer ],
            Client<Bank>, FromServer<StatementRsp>: [ customer ],
            Client<Bank>, FromServer<UploadRsp>: [ customer ],
            Client<Bank>, FromServer<DownloadRsp>: [ customer ],
            Client<Bank>, FromServer<AuditReq>: [ customer ],
            Client<Bank>, FromServer<AuditDoneInd>: [ customer ],
            Client<Bank>, FromServer<ShoutInd>: [ customer ],
            Client<Bank>, FromServer<NopRsp>: [ customer ],
            Client<Bank>, FromServer<KickRsp>: [ customer ],
            Client<Bank>, FromServer<CloseRsp>: [ customer ],
            Customer, Word: [ customer ]
        ]
}

/// The bytes of the ring. A message takes at most an eighth of it, and a frame may just not fit an eighth of 16 MiB.
const RING: usize = 32 << 20;
/// The largest frame that the server may send.
const MAX_FRAME: usize = 2 << 20;
const MAX_PENDING: usize = 32 << 20;
const RECONNECT: Duration = Duration::from_secs(1);

/// Plays alice and bob, each on a bus of its own; their words to each other go from bus to bus.
pub fn play(port: u16, wire: Wire) -> Result<(), Box<dyn Error>> {
    let telling = Options { on_report: Some(Arc::new(crate::to_stderr)), ..Options::default() };
    let [alice, bob] = [messenger(telling.clone())?, messenger(telling)?];
    let config = |role, partner: &Messenger<CircularBus>| {
        Ok::<_, Box<dyn Error>>(Config { client: options(port, wire, role), role, partner: Some(partner.writer()?) })
    };
    let (for_alice, for_bob) = (config(Role::Alice, &bob)?, config(Role::Bob, &alice)?);
    // Bob first: it is alice who calls.
    let bob = bob.run(&for_bob);
    let alice = alice.run(&for_alice).join();
    bob.join()?;
    alice?;
    Ok(())
}

/// Plays alice without a script until the process is killed.
pub fn stay(port: u16, wire: Wire) -> Result<(), Box<dyn Error>> {
    let role = Role::Alice;
    messenger(Options::default())?.run(&Config { client: options(port, wire, role), role, partner: None }).join()?;
    Ok(())
}

fn messenger(options: Options) -> Result<Messenger<CircularBus>, Box<dyn Error>> {
    Ok(Messenger::with_options(CircularBus::new(RING)?, options))
}

fn options(port: u16, wire: Wire, role: Role) -> ClientOptions<Bank> {
    let mut client = ClientOptions::new(format!("tcp://127.0.0.1:{port}"));
    client.autostart = role == Role::Alice;
    client.reconnect = Reconnect::Constant(RECONNECT);
    client.max_frame = Some(MAX_FRAME);
    client.connection.max_pending = MAX_PENDING;
    client.connection.wires = Wires::Only(wire);
    client
}
