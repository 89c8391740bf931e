//! Who speaks: keys are proven on both sides, and every way to fail has words of its own.

use std::time::Duration;

use protocol::{
    identity::NodeId,
    limits::{ALPN, TEXT_BYTES_MAX},
};
use quinn::ConnectionError;
use tokio::net::UdpSocket;
use transport::{
    CloseCode, ConnectError, ConnectionLost, ListenError, Listener, ListenerConfig, ListenerStatistics,
    connect,
};

use crate::{
    foreign::{self, OTHER_ALPN, Shown},
    support::{PATIENCE, key, listen, loopback, pair, soon},
};

#[tokio::test]
async fn both_sides_learn_the_key_that_the_other_has_proven() {
    let pair = pair().await;
    assert_eq!(pair.client.peer(), key(1).node_id());
    assert_eq!(pair.server.peer(), key(2).node_id());
    assert_eq!(pair.client.remote_address(), pair.listener.local_address());
}

#[tokio::test]
async fn a_coordinator_with_another_key_than_the_token_names_is_refused_and_both_keys_are_shown() {
    let mut listener = listen(ListenerConfig::default());
    let address = listener.local_address().to_string();
    let expected = key(9).node_id();
    let client_key = key(2);
    let error = soon(async {
        tokio::select! {
            result = connect(&client_key, expected, &address, PATIENCE) => result.expect_err("the key is wrong"),
            connection = listener.accept() => panic!("the server must not see a finished handshake: {connection:?}"),
        }
    })
    .await;
    let ConnectError::WrongKey { shown, .. } = &error else { panic!("not a wrong key: {error}") };
    assert_eq!(*shown, key(1).node_id());
    assert!(!error.is_temporary());
    let text = error.to_string();
    for part in [&address, &shown.to_string(), &expected.to_string(), "ask its operator for a new token"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

#[tokio::test]
async fn a_coordinator_of_another_protocol_version_is_named_as_such() {
    let server = foreign::server(&key(1), OTHER_ALPN);
    let address = server.local_addr().expect("an address").to_string();
    let accepting = tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            // It fails on this side too; only the client's words matter here.
            let _ = incoming.await;
        }
    });
    let error =
        soon(connect(&key(2), key(1).node_id(), &address, PATIENCE)).await.expect_err("versions differ");
    accepting.abort();
    assert!(matches!(error, ConnectError::OtherVersion { .. }), "{error:?}");
    assert!(!error.is_temporary());
    let text = error.to_string();
    assert!(text.contains("quorate/1") && text.contains("the same version on both sides"), "{text}");
}

/// Lets a foreign client try, and returns what it was told and what the listener counted.
async fn turned_away(alpn: &[u8], shown: &Shown<'_>) -> (ConnectionError, ListenerStatistics) {
    let mut listener = listen(ListenerConfig::default());
    let address = listener.local_address();
    let endpoint = foreign::client(alpn, shown);
    let attempt = async {
        match foreign::begin(&endpoint, address).await {
            // In TLS 1.3 a client may be done before the server has judged its key.
            Ok(connection) => connection.closed().await,
            Err(error) => error,
        }
    };
    let error = soon(async {
        tokio::select! {
            error = attempt => error,
            connection = listener.accept() => panic!("it must not be accepted: {connection:?}"),
        }
    })
    .await;
    // The listener goes on: an honest node comes in after it.
    let (client_key, text) = (key(2), address.to_string());
    let honest = connect(&client_key, key(1).node_id(), &text, PATIENCE);
    let (honest, accepted) = soon(async { tokio::join!(honest, listener.accept()) }).await;
    assert_eq!(honest.expect("an honest node connects").peer(), key(1).node_id());
    assert_eq!(accepted.expect("and is accepted").peer(), key(2).node_id());
    (error, listener.statistics())
}

fn alert_of(error: &ConnectionError) -> u64 {
    let ConnectionError::ConnectionClosed(close) = error else { panic!("not closed by the server: {error}") };
    u64::from(close.error_code)
}

#[tokio::test]
async fn a_client_of_another_protocol_version_is_turned_away_with_the_alert_for_it() {
    let (error, statistics) = turned_away(OTHER_ALPN, &Shown::Key(&key(2))).await;
    assert_eq!(alert_of(&error), 0x100 + 120, "{error}");
    assert_eq!((statistics.accepted, statistics.handshakes_failed), (1, 1));
}

#[tokio::test]
async fn a_client_without_a_key_is_turned_away_and_told_that_it_is_incompatible() {
    let (error, statistics) = turned_away(ALPN, &Shown::Nothing).await;
    assert!((0x100..0x200).contains(&alert_of(&error)), "{error}");
    assert!(error.to_string().contains("incompatible"), "{error}");
    assert_eq!((statistics.accepted, statistics.handshakes_failed), (1, 1));
}

#[tokio::test]
async fn a_key_for_which_everybody_can_sign_is_no_identity() {
    let (error, statistics) = turned_away(ALPN, &Shown::NeutralPoint).await;
    assert!((0x100..0x200).contains(&alert_of(&error)), "{error}");
    assert_eq!((statistics.accepted, statistics.handshakes_failed), (1, 1));
}

#[tokio::test]
async fn a_silent_address_is_named_with_what_to_check() {
    let silent = UdpSocket::bind(loopback()).await.expect("loopback can be bound");
    let address = silent.local_addr().expect("an address").to_string();
    let result = soon(connect(&key(2), key(1).node_id(), &address, Duration::from_millis(100))).await;
    let error = result.expect_err("nobody answers");
    assert!(matches!(error, ConnectError::NoAnswer { .. }), "{error:?}");
    assert!(error.is_temporary());
    assert!(error.to_string().contains(&address) && error.to_string().contains("UDP"), "{error}");
}

#[tokio::test]
async fn a_text_that_is_no_address_is_refused_before_anything_is_sent() {
    for address in
        ["", "localhost", "localhost:", ":7777", "localhost:0", "localhost:70000", "localhost:http"]
    {
        let result = soon(connect(&key(2), key(1).node_id(), address, PATIENCE)).await;
        let error = result.expect_err("not an address");
        assert!(matches!(error, ConnectError::Address { .. }), "{address}: {error:?}");
        assert!(!error.is_temporary(), "{address}");
        assert!(error.to_string().contains(&format!("`{address}`")), "{error}");
        assert!(error.to_string().contains("must be host:port"), "{error}");
    }
}

#[tokio::test]
async fn a_name_with_a_dead_address_is_reached_over_its_other_one() {
    // `localhost` often means ::1 first, where nobody listens.
    let mut listener = listen(ListenerConfig::default());
    let address = format!("localhost:{}", listener.local_address().port());
    let client_key = key(2);
    let connecting = connect(&client_key, key(1).node_id(), &address, PATIENCE);
    let (client, _server) = soon(async { tokio::join!(connecting, listener.accept()) }).await;
    assert_eq!(client.expect("it connects").peer(), key(1).node_id());
}

#[tokio::test]
async fn a_full_listener_says_so_and_takes_the_next_one_when_a_place_is_free() {
    let mut listener = listen(ListenerConfig { connections_max: 1, ..ListenerConfig::default() });
    let address = listener.local_address().to_string();
    let (first_key, second_key) = (key(2), key(3));
    let first = connect(&first_key, key(1).node_id(), &address, PATIENCE);
    let (first, accepted) = soon(async { tokio::join!(first, listener.accept()) }).await;
    let _first = first.expect("there is one place");

    let error = soon(async {
        tokio::select! {
            result = connect(&second_key, key(1).node_id(), &address, PATIENCE) => result.expect_err("it is taken"),
            connection = listener.accept() => panic!("there is no second place: {connection:?}"),
        }
    })
    .await;
    assert!(matches!(error, ConnectError::Full { .. }) && error.is_temporary(), "{error:?}");
    assert!(error.to_string().contains("try again later"), "{error}");
    assert_eq!(listener.statistics().refused_full, 1);

    drop(accepted);
    let second = connect(&second_key, key(1).node_id(), &address, PATIENCE);
    let (second, accepted) = soon(async { tokio::join!(second, listener.accept()) }).await;
    second.expect("the place is free again");
    assert_eq!(accepted.expect("and is given").peer(), key(3).node_id());
}

#[tokio::test]
async fn the_reason_for_closing_reaches_the_other_side_fit_for_a_terminal() {
    let pair = pair().await;
    let reason = format!("key revoked\x1b[31m by its operator {}", "ä".repeat(TEXT_BYTES_MAX));
    pair.server.close_and_tell(CloseCode::Refused, &reason).await;
    let lost = soon(pair.client.closed()).await;
    let ConnectionLost::ClosedByPeer { code, reason } = &lost else {
        panic!("not closed by the peer: {lost}")
    };
    assert_eq!(*code, CloseCode::Refused);
    assert!(reason.starts_with("key revoked [31m by its operator ä"), "{reason}");
    assert!(reason.len() <= TEXT_BYTES_MAX && !reason.chars().any(char::is_control), "{reason}");
    assert!(lost.to_string().starts_with("the peer closed the connection: key revoked"), "{lost}");
    assert_eq!(pair.server.close_reason(), Some(ConnectionLost::ClosedHere));
    assert_eq!(pair.client.close_reason(), Some(lost));
}

#[tokio::test]
async fn closing_the_listener_tells_every_peer() {
    let pair = pair().await;
    soon(pair.listener.close(CloseCode::ShuttingDown, "maintenance until noon")).await;
    let expected = "the peer closed the connection: maintenance until noon";
    assert_eq!(soon(pair.client.closed()).await.to_string(), expected);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_what_to_do() {
    let listener = listen(ListenerConfig::default());
    let address = listener.local_address();
    let error = Listener::bind(&key(3), address, ListenerConfig::default()).expect_err("it is taken");
    assert!(matches!(error, ListenError::Bind { .. }));
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("choose another address or port"), "{text}");
}

#[test]
fn only_points_of_large_order_are_sound_keys() {
    assert!(key(1).node_id().is_sound());
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(!NodeId(neutral).is_sound());
    assert!(!NodeId([0; 32]).is_sound());
}
