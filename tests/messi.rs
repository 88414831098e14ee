//! Smoke.
#[path = "../examples/bank/protocol.rs"]
mod protocol;

use protocol::*;
use rust_messenger::messi::*;
use std::time::Duration;

fn server() -> ServerOptions<Bank> {
    ServerOptions::new("tcp://127.0.0.1:0")
}

#[test]
fn ping_pong() {
    let mut server = ServerLoop::new(server()).unwrap();
    let at = server.start().unwrap();
    let served = std::thread::spawn(move || {
        let mut got = 0;
        loop {
            match server.next(Some(Duration::from_secs(10))).expect("event") {
                ServerEvent::Connected { .. } => {}
                ServerEvent::Message { client, message } => {
                    let Some(client_to_server::Messages::NopReq(_)) = message.messages else { panic!() };
                    server
                        .send(client, &ServerToClient { messages: Some(server_to_client::Messages::NopRsp(NopRsp {})) })
                        .unwrap();
                    got += 1;
                }
                ServerEvent::Disconnected { reason, .. } => return (got, reason),
                other => panic!("{other:?}"),
            }
        }
    });
    let mut client = ClientLoop::<Bank>::new(ClientOptions::new(format!("tcp://{at}"))).unwrap();
    client.start();
    let nop = ClientToServer { messages: Some(client_to_server::Messages::NopReq(NopReq {})) };
    let mut round = 0;
    let start = std::time::Instant::now();
    while let Some(event) = client.next(Some(Duration::from_secs(10))) {
        match event {
            ClientEvent::Connected => client.send(&nop).unwrap(),
            ClientEvent::Message(_) if round == 10_000 => break,
            ClientEvent::Message(_) => {
                round += 1;
                client.send(&nop).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    println!("{:?} per round", start.elapsed() / 10_000);
    client.finish();
    assert_eq!(served.join().unwrap(), (10_001, Reason::ConnectionClosed));
}
