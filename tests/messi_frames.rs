//! How large a frame may be: what comes in is limited by the options, what goes out by the wire alone.

#![cfg(all(feature = "messi", not(miri)))]

#[path = "../examples/bank/bank.rs"]
mod bank;
mod support;

use bank::{Bank, ClientToServer, DownloadRsp, ServerToClient, UploadReq};
use prost::Message;
use rust_messenger::messi::{
    ClientEvent, ClientId, ClientLoop, ClientOptions, Reason, SendError, ServerEvent, ServerLoop, ServerOptions,
};
use std::time::{Duration, Instant};
use support::PATIENCE;

const SMALL: usize = 1000;
/// What v2 can announce, and its header.
const WIRE: usize = (1 << 24) - 1 + 4;

/// A server and a client that both take small frames only, connected.
fn pair() -> (ServerLoop<Bank>, ClientLoop<Bank>, ClientId) {
    let mut options = ServerOptions::new("tcp://127.0.0.1:0");
    options.max_frame = Some(SMALL);
    let mut server = ServerLoop::new(options).unwrap();
    let mut options = ClientOptions::new(format!("tcp://{}", server.start().unwrap()));
    options.max_frame = Some(SMALL);
    let mut client = ClientLoop::new(options).unwrap();
    client.start();
    let events = until(&mut server, &mut client, |at_server, at_client| {
        matches!(at_server, [ServerEvent::Connected { .. }]) && matches!(at_client, [ClientEvent::Connected])
    });
    let [ServerEvent::Connected { client: id, .. }] = events.0[..] else { unreachable!("it was waited for") };
    (server, client, id)
}

type Events = (Vec<ServerEvent<Bank>>, Vec<ClientEvent<Bank>>);

/// Runs both, in turns, until `done` is said of what has happened.
fn until(
    server: &mut ServerLoop<Bank>,
    client: &mut ClientLoop<Bank>,
    done: impl Fn(&[ServerEvent<Bank>], &[ClientEvent<Bank>]) -> bool,
) -> Events {
    let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while !done(&at_server, &at_client) {
        assert!(start.elapsed() < PATIENCE, "only {at_server:?} and {at_client:?}");
        at_server.extend(server.next(Some(Duration::from_millis(1))));
        at_client.extend(client.next(Some(Duration::from_millis(1))));
    }
    (at_server, at_client)
}

#[test]
fn a_server_of_small_frames_sends_large_ones() {
    let (mut server, mut client, id) = pair();
    server.send(id, &DownloadRsp { data: vec![7; 100_000] }.into()).unwrap();
    // This client takes no such frame, and says so: it did come.
    until(&mut server, &mut client, |_, at_client| {
        matches!(at_client, [ClientEvent::Disconnected(Reason::MessageTooBig)])
    });
}

#[test]
fn a_client_of_small_frames_sends_large_ones() {
    let (mut server, mut client, _) = pair();
    client.send(&UploadReq { data: vec![7; 100_000] }.into()).unwrap();
    until(&mut server, &mut client, |at_server, _| {
        matches!(at_server, [ServerEvent::Disconnected { reason: Reason::MessageTooBig, .. }])
    });
}

#[test]
fn what_the_wire_cannot_announce_is_not_sent() {
    let (mut server, mut client, id) = pair();
    let up = ClientToServer::from(UploadReq { data: vec![0; WIRE] });
    let size = up.encoded_len() + 4;
    assert_eq!(client.send(&up), Err(SendError::TooBig { size, max: WIRE }));
    let down = ServerToClient::from(DownloadRsp { data: vec![0; WIRE] });
    assert_eq!(server.send(id, &down), Err(SendError::TooBig { size, max: WIRE }));
    assert!(client.is_connected() && server.pending(id).is_some());
}

/// Nobody can get it, and whoever sends it hears of that.
#[test]
fn a_broadcast_beyond_the_wire_is_refused() {
    let (mut server, _client, id) = pair();
    let too_big = ServerToClient::from(DownloadRsp { data: vec![7; 1 << 24] });
    assert_eq!(server.broadcast(&too_big), Err(SendError::TooBig { size: too_big.encoded_len() + 4, max: WIRE }));
    assert_eq!(server.pending(id), Some(0));
    assert_eq!(server.broadcast(&DownloadRsp { data: vec![7; 10] }.into()), Ok(1));
}
