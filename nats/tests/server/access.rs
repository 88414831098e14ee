//! Who gets in: TLS with own roots and client certificate, token, user, nkey and credentials file, each right and wrong.

use crate::status::made_with;
use crate::support::{Server, is_there, wait_until};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rust_messenger_nats::async_nats::ConnectOptions;
use rust_messenger_nats::protocol::Names;
use rust_messenger_nats::{BridgeOptions, Status};
use std::path::{Path, PathBuf};

fn options(url: &str, connect: ConnectOptions) -> BridgeOptions {
    let mut options = BridgeOptions::ring(url, Names::new("court", "west").unwrap());
    options.connect = connect;
    options
}

/// What the server says to who is nobody it knows.
const UNKNOWN: &str = "authorization violation";
/// All that the client says of a handshake that failed.
const NO_HANDSHAKE: &str = "IO error";

/// With `right` a bridge goes on until its stream is there; with any of `wrong` it says `why` it is not let in, and says
/// no secret.
fn right_and_wrong(server: &Server, right: ConnectOptions, wrong: &[ConnectOptions], why: &str, secrets: &[&str]) {
    let url = server.url();
    let options_right = options(&url, right);
    let shown = format!("{options_right:?}");
    let (messenger, bridge) = made_with(options_right);
    wait_until("its stream", || bridge.stats().out.unwrap().is_running);
    assert_eq!(bridge.stats().status, Some(Status::Connected));
    let mut said = vec![shown, format!("{bridge:?}")];
    drop(bridge);
    drop(messenger);
    for wrong in wrong {
        let wrong = options(&url, wrong.clone());
        said.push(format!("{wrong:?}"));
        let (_messenger, bridge) = made_with(wrong);
        // An attempt that ends without a word may come before one that is told why.
        let is_told = |status| matches!(status, Some(Status::Disconnected { reason }) if reason.contains(why));
        wait_until("a refusal that says why", || is_told(bridge.stats().status));
        said.push(format!("{:?} {bridge:?}", bridge.stats()));
        assert!(!bridge.stats().out.unwrap().is_running);
    }
    for said in said {
        assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
    }
}

#[test]
fn tls_with_own_roots_and_a_client_certificate() {
    if !is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let signed = |issuer: &Issuer<'static, KeyPair>, name: &str, usage| -> [PathBuf; 2] {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap().pem();
        [file(name, certificate), file(&format!("{name}.key"), key.serialize_pem())]
    };
    let (ours, others) = (authority(), authority());
    let roots = file("roots", ours.0.clone());
    let others_roots = file("others", others.0.clone());
    let [certificate, key] = signed(&ours.1, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let [client, client_key] = signed(&ours.1, "alice", ExtendedKeyUsagePurpose::ClientAuth);
    let [stranger, stranger_key] = signed(&others.1, "mallory", ExtendedKeyUsagePurpose::ClientAuth);
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    let server = Server::with(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        shown(&certificate),
        shown(&key),
        shown(&roots)
    ));
    let with = |roots: &Path, certificate: Option<(&Path, &Path)>| {
        let connect = ConnectOptions::new().require_tls(true).add_root_certificates(roots.to_owned());
        match certificate {
            Some((chain, key)) => connect.add_client_certificate(chain.to_owned(), key.to_owned()),
            None => connect,
        }
    };
    let wrong = [
        with(&others_roots, Some((&client, &client_key))),
        with(&roots, None),
        with(&roots, Some((&stranger, &stranger_key))),
    ];
    let secret = std::fs::read_to_string(&client_key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    right_and_wrong(&server, with(&roots, Some((&client, &client_key))), &wrong, NO_HANDSHAKE, &[secret]);
}

#[test]
fn a_token_a_user_and_an_nkey() {
    if !is_there() {
        return;
    }
    let token = Server::with("authorization { token: hush }");
    let wrong = [ConnectOptions::with_token("whisper".to_owned()), ConnectOptions::new()];
    right_and_wrong(&token, ConnectOptions::with_token("hush".to_owned()), &wrong, UNKNOWN, &["hush", "whisper"]);

    let user = Server::with("authorization { users: [ { user: alice, password: hush } ] }");
    let with =
        |user: &str, password: &str| ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    let wrong = [with("alice", "whisper"), with("mallory", "hush")];
    right_and_wrong(&user, with("alice", "hush"), &wrong, UNKNOWN, &["hush", "whisper"]);

    let [alice, mallory] = [nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user()];
    let nkey = Server::with(&format!("authorization {{ users: [ {{ nkey: {} }} ] }}", alice.public_key()));
    let seeds = [alice.seed().unwrap(), mallory.seed().unwrap()];
    let wrong = [ConnectOptions::with_nkey(seeds[1].clone())];
    right_and_wrong(&nkey, ConnectOptions::with_nkey(seeds[0].clone()), &wrong, UNKNOWN, &[&seeds[0], &seeds[1]]);
}

/// Base64 for addresses, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let word =
            chunk.iter().enumerate().fold(0u32, |word, (place, byte)| word | u32::from(*byte) << (16 - 8 * place));
        (0..=chunk.len()).map(move |place| char::from(DIGITS[(word >> (18 - 6 * place)) as usize & 63]))
    };
    bytes.chunks(3).flat_map(digits).collect()
}

/// What `issuer` says of `subject`, signed.
fn claims(issuer: &nkeys::KeyPair, subject: &str, name: &str, nats: &str) -> String {
    let head = base64(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let issuer_name = issuer.public_key();
    let claims = format!(
        r#"{{"jti":"{name}","iat":1700000000,"iss":"{issuer_name}","name":"{name}","sub":"{subject}","nats":{nats}}}"#
    );
    let signed = format!("{head}.{}", base64(claims.as_bytes()));
    let signature = base64(&issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[test]
fn a_credentials_file() {
    if !is_there() {
        return;
    }
    use nkeys::KeyPair;
    let (operator, account, system) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let limits = |storage: &str| {
        format!(
            r#"{{"limits":{{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1{storage}}},"type":"account","version":2}}"#
        )
    };
    let storage = r#","mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1"#;
    let signed = |account: &KeyPair, name: &str, limits: &str| claims(&operator, &account.public_key(), name, limits);
    let (system_text, account_text) = (signed(&system, "SYS", &limits("")), signed(&account, "SHOP", &limits(storage)));
    let self_signed = claims(&operator, &operator.public_key(), "OP", r#"{"type":"operator","version":2}"#);
    let server = Server::with(&format!(
        "operator: {self_signed}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {system_text}, {}: {account_text} }}",
        system.public_key(),
        system.public_key(),
        account.public_key(),
    ));
    let credentials = |account: &KeyPair| {
        let user = KeyPair::new_user();
        let nats = r#"{"pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1,"type":"user","version":2}"#;
        let text = claims(account, &user.public_key(), "alice", nats);
        let seed = user.seed().unwrap();
        let file = format!(
            "-----BEGIN NATS USER JWT-----\n{text}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        (file, seed)
    };
    let ((right, seed), (wrong, other)) = (credentials(&account), credentials(&KeyPair::new_account()));
    let with = |file: &str| ConnectOptions::with_credentials(file).unwrap();
    right_and_wrong(&server, with(&right), &[with(&wrong), ConnectOptions::new()], UNKNOWN, &[&seed, &other]);
}
