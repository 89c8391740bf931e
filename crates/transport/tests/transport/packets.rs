//! Packets longer than a way takes are lost on it, and found out: everything arrives in short ones.

use std::{collections::HashMap, io};

use bytes::Bytes;
use protocol::{
    digest::{Digest, Domain},
    message::BlobName,
};
use transport::{
    ConnectionConfig, ListenerConfig, Opening,
    blob::{self, Blob, BlobSource},
};

use crate::{
    relay::{Line, Relay},
    support::{listen, noise, pair_through, soon},
};

/// Long enough for QUIC to have tried its lengths several times over.
const LENGTH: usize = 12_000_000;
/// What UDP takes on the internet's usual 1,500 bytes.
const INTERNET_BYTES: usize = 1_472;

struct Shelf(HashMap<BlobName, Bytes>);

impl BlobSource for Shelf {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        Ok(self.0.get(&name).cloned().map(Blob::Memory))
    }
}

/// The longest datagram in which a blob came over such a line.
async fn longest_bytes_over(line: Line) -> usize {
    let config = ConnectionConfig::default();
    let listener = listen(ListenerConfig::default());
    let relay = Relay::to(listener.local_address(), line).await;
    let pair = pair_through(listener, relay.address, &config).await;
    let bytes = noise(LENGTH);
    let name = BlobName::Outcome(Digest::of(Domain::Outcome, &bytes));
    let shelf = Shelf([(name, Bytes::from(bytes.clone()))].into());
    let serving = async {
        let mut stream = pair.server.accept_stream().await.expect("a stream");
        let Ok(Opening::Blob(request)) = stream.opening().await else { panic!("a request") };
        blob::serve(stream, request, &shelf).await
    };
    let fetching = blob::fetch(&pair.client, name, LENGTH as u64);
    let (fetched, served) = Box::pin(soon(async { tokio::join!(fetching, serving) })).await;
    assert!(fetched.expect("it is fetched") == bytes);
    served.expect("it is served");
    relay.longest_bytes()
}

#[tokio::test]
async fn a_way_that_drops_long_packets_carries_everything_in_short_ones() {
    let longest = Box::pin(longest_bytes_over(Line::Narrow(INTERNET_BYTES))).await;
    assert!((1_200..=INTERNET_BYTES).contains(&longest), "{longest} bytes");
}
