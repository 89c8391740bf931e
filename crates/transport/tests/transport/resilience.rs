//! Peers that stall, vanish or do not read, and a listener that stays reachable.

use std::time::Duration;

use bytes::Bytes;
use protocol::message::Request;
use tokio::task::JoinSet;
use transport::{ConnectionConfig, ConnectionLost, ListenerConfig, Opening, connect};

use crate::{
    foreign,
    relay::{Line, Relay},
    support::{PATIENCE, key, listen, pair_through, pair_with, soon},
};

const ANY: Opening = Opening::Request(Request::Status);

fn impatient() -> ConnectionConfig {
    ConnectionConfig {
        keep_alive: Duration::from_millis(40),
        idle_timeout: Duration::from_millis(300),
        ..ConnectionConfig::default()
    }
}

#[tokio::test]
async fn stalled_handshakes_do_not_keep_an_honest_node_out() {
    // Stalled handshakes would hold their places for a minute; there are eight, and forty stall.
    let mut listener = listen(ListenerConfig {
        handshakes_max: 8,
        handshake_turn: Duration::from_millis(20),
        handshake_timeout: Duration::from_mins(1),
        ..ListenerConfig::default()
    });
    let mut relay = Relay::to(listener.local_address(), Line::StallHandshakes).await;
    let endpoint = foreign::same_protocol(&key(66));
    let stalled: Vec<_> = (0..40).map(|_| foreign::begin(&endpoint, relay.address)).collect();
    soon(async {
        tokio::select! {
            connection = listener.accept() => panic!("a stalled handshake was accepted: {connection:?}"),
            // Two datagrams each: the attempt, and the attempt with its address proven.
            () = relay.carried(80) => {}
        }
    })
    .await;

    let address = listener.local_address().to_string();
    let client_key = key(2);
    // As workers and clients do: where a burst of the stalled ones has pushed it out too, it tries again.
    let honest = async {
        loop {
            match connect(&client_key, key(1).node_id(), &address, Duration::from_secs(3)).await {
                Err(error) if error.is_temporary() => {}
                connected => return connected,
            }
        }
    };
    let (honest, accepted) = soon(async { tokio::join!(honest, listener.accept()) }).await;
    honest.expect("the honest node gets in");
    assert_eq!(accepted.expect("and is the one accepted").peer(), key(2).node_id());
    let statistics = listener.statistics();
    assert_eq!(statistics.accepted, 1);
    assert!(statistics.retried > 0, "no address had to be proven: {statistics:?}");
    assert!(statistics.handshakes_evicted > 0, "nothing gave way: {statistics:?}");
    drop(stalled);
}

#[tokio::test]
async fn more_nodes_at_once_than_there_are_places_for_handshakes_wait_and_all_get_in() {
    let mut listener = listen(ListenerConfig {
        handshakes_max: 2,
        handshake_turn: Duration::from_mins(1),
        ..ListenerConfig::default()
    });
    let address = listener.local_address().to_string();
    let nodes = 40;
    let mut connecting = JoinSet::new();
    for number in 0..nodes {
        let address = address.clone();
        // One attempt each: whoever is turned away fails the test.
        connecting
            .spawn(async move { connect(&key(100 + number), key(1).node_id(), &address, PATIENCE).await });
    }
    let (mut accepted, mut connected) = (Vec::new(), Vec::new());
    soon(async {
        while accepted.len() < usize::from(nodes) {
            tokio::select! {
                connection = listener.accept() => accepted.push(connection.expect("the listener is open")),
                Some(node) = connecting.join_next() => connected.push(node.expect("it ran").expect("it gets in")),
            }
        }
    })
    .await;
    let statistics = listener.statistics();
    let turned_away = statistics.handshakes_evicted + statistics.handshakes_failed + statistics.refused_full;
    assert_eq!((statistics.accepted, turned_away), (40, 0), "{statistics:?}");
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_given_up() {
    let mut listener =
        listen(ListenerConfig { handshake_timeout: Duration::from_millis(50), ..ListenerConfig::default() });
    let relay = Relay::to(listener.local_address(), Line::StallHandshakes).await;
    let endpoint = foreign::same_protocol(&key(66));
    let stalled = foreign::begin(&endpoint, relay.address);
    let address = listener.local_address().to_string();
    let client_key = key(2);
    soon(async {
        // Honest nodes come and go until the stalled one has been given up.
        while listener.statistics().handshakes_failed == 0 {
            let honest = connect(&client_key, key(1).node_id(), &address, PATIENCE);
            let (honest, accepted) = tokio::join!(honest, listener.accept());
            assert!(honest.is_ok() && accepted.is_some());
        }
    })
    .await;
    drop(stalled);
}

#[tokio::test]
async fn a_peer_that_vanishes_is_noticed_on_both_sides() {
    let config = impatient();
    let listener = listen(ListenerConfig { connection: config.clone(), ..ListenerConfig::default() });
    let relay = Relay::to(listener.local_address(), Line::Open).await;
    let pair = pair_through(listener, relay.address, &config).await;
    relay.set(Line::Cut);
    let (client, server) = soon(async { tokio::join!(pair.client.closed(), pair.server.closed()) }).await;
    assert_eq!((client, server), (ConnectionLost::TimedOut, ConnectionLost::TimedOut));
    let text = pair.client.close_reason().expect("it is gone").to_string();
    assert_eq!(text, "nothing was heard from the peer for too long");
    assert!(soon(pair.client.open_stream(&ANY)).await.is_err());
    assert!(soon(pair.server.accept_stream()).await.is_err());
}

#[tokio::test]
async fn a_quiet_connection_stays_because_both_sides_ask_after_each_other() {
    let config = impatient();
    let listener = listen(ListenerConfig { connection: config.clone(), ..ListenerConfig::default() });
    let mut relay = Relay::to(listener.local_address(), Line::Open).await;
    let pair = pair_through(listener, relay.address, &config).await;
    // Nobody says anything; so many datagrams are several idle timeouts' worth of asking.
    relay.carried(60).await;
    assert_eq!((pair.client.close_reason(), pair.server.close_reason()), (None, None));
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    soon(ours.writer.send(&7_u8)).await.expect("it is sent");
    assert_eq!(soon(theirs.reader.require::<u8>()).await.expect("it arrives"), 7);
}

#[tokio::test]
async fn a_peer_that_does_not_read_takes_bounded_memory_and_does_not_block_other_streams() {
    let window = 256 * 1024;
    let config = ConnectionConfig {
        stream_window_bytes: window,
        send_window_bytes: 4 * window,
        ..ConnectionConfig::default()
    };
    let pair = pair_with(config).await;
    let (mut unread, _held) = pair.stream(&ANY).await;
    let piece = Bytes::from(vec![0; 16 * 1024]);
    let mut taken_bytes = 0;
    // Written until nothing more is taken for a while; a slow machine only stops earlier.
    while let Ok(sent) =
        tokio::time::timeout(Duration::from_millis(200), unread.writer.send_bytes(piece.clone())).await
    {
        sent.expect("the stream is there");
        taken_bytes += piece.len() as u64;
        assert!(taken_bytes <= u64::from(window) * 5, "{taken_bytes} bytes were taken");
    }
    assert!(taken_bytes > 0);
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    soon(ours.writer.send(&7_u8)).await.expect("it is sent");
    assert_eq!(soon(theirs.reader.require::<u8>()).await.expect("it arrives"), 7);
}

#[tokio::test]
async fn a_peer_may_open_so_many_streams_and_no_more() {
    let pair = pair_with(ConnectionConfig { streams_max: 3, ..ConnectionConfig::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(pair.stream(&ANY).await);
    }
    let (stream, held) = open.pop().expect("three are open");
    let fourth = pair.client.open_stream(&ANY);
    let mut fourth = std::pin::pin!(fourth);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut fourth).await.is_err(),
        "a fourth one opened"
    );
    // The peer ends one, and the fourth gets its place.
    drop((stream, held));
    soon(fourth).await.expect("now it opens");
}

#[tokio::test]
async fn a_peer_that_is_allowed_more_streams_opens_more() {
    let pair = pair_with(ConnectionConfig { streams_max: 2, ..ConnectionConfig::default() }).await;
    let mut open = vec![pair.stream(&ANY).await, pair.stream(&ANY).await];
    let third = pair.client.open_stream(&ANY);
    let mut third = std::pin::pin!(third);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut third).await.is_err(), "a third one opened");
    pair.server.allow_streams(5);
    let third = soon(third).await.expect("now it opens");
    open.push((third, soon(pair.server.accept_stream()).await.expect("and arrives")));
    for _ in 0..2 {
        open.push(pair.stream(&ANY).await);
    }
}
