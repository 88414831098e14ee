//! The least that can be said over the network: a client says its name, and is greeted. Without a bus.
//!
//! ```sh
//! cargo run --example hello_world --features messi                                   # both, which ends by itself
//! cargo run --example hello_world --features messi -- server tcp://127.0.0.1:6000
//! cargo run --example hello_world --features messi -- client tcp://127.0.0.1:6000
//! ```

mod hello_world;

use hello_world::{Greeting, Hello, HelloWorld, client_to_server, server_to_client};
use rust_messenger::messi::{ClientEvent, ClientLoop, ClientOptions, ServerEvent, ServerLoop, ServerOptions};
use std::error::Error;
use std::sync::mpsc;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Greets whoever says hello. With `ready` it says where it listens, and ends with its first client.
fn server(uri: &str, ready: Option<mpsc::Sender<String>>) -> Outcome<()> {
    let mut server = ServerLoop::<HelloWorld>::new(ServerOptions::new(uri))?;
    let address = server.start()?;
    println!("listening at tcp://{address}");
    let ends = ready.is_some();
    if let Some(ready) = ready {
        ready.send(format!("tcp://{address}"))?;
    }
    loop {
        match server.next(None) {
            Some(ServerEvent::Message { client, message }) => {
                if let Some(client_to_server::Messages::Hello(Hello { name })) = message.messages {
                    server.send(client, &Greeting { text: format!("Hello, {name}!") }.into())?;
                }
            }
            Some(ServerEvent::Disconnected { .. }) if ends => return Ok(()),
            _ => {}
        }
    }
}

/// Says hello, prints the greeting, and ends.
fn client(uri: &str) -> Outcome<()> {
    let mut client = ClientLoop::<HelloWorld>::new(ClientOptions::new(uri))?;
    client.start();
    loop {
        match client.next(None) {
            Some(ClientEvent::Connected) => client.send(&Hello { name: "world".to_owned() }.into())?,
            Some(ClientEvent::Message(message)) => {
                if let Some(server_to_client::Messages::Greeting(Greeting { text })) = message.messages {
                    println!("{text}");
                    client.finish();
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let (ready, listening) = mpsc::channel();
            let server = std::thread::spawn(move || server("tcp://127.0.0.1:0", Some(ready)));
            client(&listening.recv()?)?;
            server.join().expect("the server does not panic")
        }
        ["server", uri] => server(uri, None),
        ["client", uri] => client(uri),
        _ => Err("usage: hello_world [server URI | client URI]".into()),
    }
}
