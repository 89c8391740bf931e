//! Nodes of one process hand each other what they have in memory, and only what was asked for.

use std::{collections::BTreeMap, io, sync::Arc};

use bytes::Bytes;
use protocol::{
    digest::{Digest, Domain},
    message::BlobName,
};
use transport::{
    ConnectionConfig, Opening,
    blob::{self, Blob, BlobError, BlobSource, Neighbour, Neighbours},
};

use crate::support::{Pair, key, noise, pair_with, soon};

const LENGTH: usize = 3 * 1024 * 1024;

/// What a node has at hand.
#[derive(Clone, Default)]
struct Shelf(BTreeMap<BlobName, Bytes>);

impl Neighbour for Shelf {
    fn at_hand(&self, name: &BlobName) -> Option<Bytes> {
        self.0.get(name).cloned()
    }
}

impl BlobSource for Shelf {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        Ok(self.at_hand(&name).map(Blob::Memory))
    }
}

fn outcome_of(bytes: &[u8]) -> BlobName {
    BlobName::Outcome(Digest::of(Domain::Outcome, bytes))
}

/// A client beside a server that has this at hand.
async fn beside(shelf: Shelf) -> Pair {
    let neighbours = Neighbours::default();
    neighbours.introduce(key(1).node_id(), Arc::new(shelf));
    pair_with(ConnectionConfig { neighbours, ..ConnectionConfig::default() }).await
}

#[tokio::test]
async fn what_a_neighbour_has_at_hand_is_the_same_memory_and_nobody_is_asked_over_the_connection() {
    let bytes = Bytes::from(noise(LENGTH));
    let witness = BlobName::Witness(Digest([7; 32]), key(1).node_id());
    let names = [outcome_of(&bytes), BlobName::Task(Digest::of(Domain::Task, &bytes)), witness];
    let pair = beside(Shelf(names.map(|name| (name, bytes.clone())).into())).await;
    for name in names {
        // Nobody accepts a stream on the other side.
        let fetched = soon(blob::fetch(&pair.client, name, LENGTH as u64)).await.expect("it is at hand");
        assert_eq!((fetched.as_ptr(), fetched.len()), (bytes.as_ptr(), LENGTH));
    }
}

#[tokio::test]
async fn what_is_handed_over_is_checked_as_what_is_sent() {
    let (right, mut wrong) = (noise(LENGTH), noise(LENGTH));
    wrong[LENGTH - 1] ^= 1;
    let name = outcome_of(&right);
    let pair = beside(Shelf([(name, wrong.clone().into())].into())).await;
    let error = soon(blob::fetch(&pair.client, name, LENGTH as u64)).await.expect_err("a bit is wrong");
    let BlobError::WrongBytes { found, .. } = error else { panic!("{error:?}") };
    assert_eq!(found, Digest::of(Domain::Outcome, &wrong));
    let pair = beside(Shelf([(name, right.into())].into())).await;
    let error = soon(blob::fetch(&pair.client, name, LENGTH as u64 - 1)).await.expect_err("a byte too many");
    assert!(matches!(error, BlobError::OverLimit { .. }), "{error:?}");
}

#[tokio::test]
async fn what_a_neighbour_does_not_have_at_hand_and_what_others_have_comes_by_the_connection() {
    let bytes = noise(1000);
    let name = outcome_of(&bytes);
    let shelf = Shelf([(name, bytes.clone().into())].into());
    // Of the client, which is no neighbour, the server's own shelf does not tell.
    let pair = beside(shelf.clone()).await;
    let empty = beside(Shelf::default()).await;
    for (asker, giver) in [(&pair.server, &pair.client), (&empty.client, &empty.server)] {
        let serving = async {
            let mut stream = giver.accept_stream().await.expect("a stream arrives");
            let Opening::Blob(request) = stream.opening().await.expect("an opening") else {
                panic!("not for a blob")
            };
            blob::serve(stream, request, &shelf).await
        };
        let (fetched, served) = soon(async { tokio::join!(blob::fetch(asker, name, 1000), serving) }).await;
        assert!(fetched.expect("it is fetched") == bytes);
        assert_eq!(served.expect("it is served"), 1000);
    }
}
