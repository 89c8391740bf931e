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
struct Shelf(BTreeMap<BlobName, Vec<Bytes>>);

impl Neighbour for Shelf {
    fn at_hand(&self, name: &BlobName) -> Option<Vec<Bytes>> {
        self.0.get(name).cloned()
    }
}

impl BlobSource for Shelf {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        Ok(self.at_hand(&name).map(Blob::Pieces))
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
    let pair = beside(Shelf(names.map(|name| (name, vec![bytes.clone()])).into())).await;
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
    let pair = beside(Shelf([(name, vec![wrong.clone().into()])].into())).await;
    let error = soon(blob::fetch(&pair.client, name, LENGTH as u64)).await.expect_err("a bit is wrong");
    let BlobError::WrongBytes { found, .. } = error else { panic!("{error:?}") };
    assert_eq!(found, Digest::of(Domain::Outcome, &wrong));
    let pair = beside(Shelf([(name, vec![right.into()])].into())).await;
    let error = soon(blob::fetch(&pair.client, name, LENGTH as u64 - 1)).await.expect_err("a byte too many");
    assert!(matches!(error, BlobError::OverLimit { .. }), "{error:?}");
}

#[tokio::test]
async fn memory_that_was_checked_is_not_taken_for_other_memory_of_the_same_name() {
    let neighbours = Neighbours::default();
    let config = ConnectionConfig { neighbours: neighbours.clone(), ..ConnectionConfig::default() };
    let pair = pair_with(config).await;
    let right = Bytes::from(noise(LENGTH));
    let mut wrong = right.to_vec();
    wrong[LENGTH / 2] ^= 1;
    let (name, wrong) = (outcome_of(&right), Bytes::from(wrong));
    for (has, is_right) in [(&right, true), (&wrong, false), (&right, true), (&right, true), (&wrong, false)]
    {
        neighbours.introduce(key(1).node_id(), Arc::new(Shelf([(name, vec![has.clone()])].into())));
        let fetched = soon(blob::fetch(&pair.client, name, LENGTH as u64)).await;
        assert_eq!(fetched.is_ok(), is_right);
    }
    let other = outcome_of(&wrong);
    neighbours.introduce(key(1).node_id(), Arc::new(Shelf([(other, vec![right])].into())));
    assert!(
        soon(blob::fetch(&pair.client, other, LENGTH as u64)).await.is_err(),
        "checked under another name"
    );
}

#[tokio::test]
async fn what_lies_in_pieces_is_handed_over_as_they_are_or_put_together() {
    let bytes = Bytes::from(noise(LENGTH));
    let pieces = vec![bytes.slice(..1000), bytes.slice(1000..2000), bytes.slice(2000..)];
    let (right, wrong) = (outcome_of(&bytes), outcome_of(&bytes[1..]));
    let pair = beside(Shelf([(right, pieces.clone()), (wrong, pieces.clone())].into())).await;
    let length = LENGTH as u64;
    let fetched = soon(blob::fetch_pieces(&pair.client, right, length)).await.expect("it is at hand");
    let places = |pieces: &[Bytes]| pieces.iter().map(|piece| piece.as_ptr()).collect::<Vec<_>>();
    assert_eq!(places(&fetched), places(&pieces));
    assert_eq!(soon(blob::fetch(&pair.client, right, length)).await.expect("it is at hand"), bytes);
    let error = soon(blob::fetch_pieces(&pair.client, wrong, length)).await.expect_err("a byte too many");
    assert!(matches!(error, BlobError::WrongBytes { .. }), "{error:?}");
    let error = soon(blob::fetch_pieces(&pair.client, right, length - 1)).await.expect_err("over the limit");
    assert!(matches!(error, BlobError::OverLimit { .. }), "{error:?}");
}

#[tokio::test]
async fn what_a_neighbour_does_not_have_at_hand_and_what_others_have_comes_by_the_connection() {
    let bytes = noise(1000);
    let name = outcome_of(&bytes);
    let pieces = bytes.chunks(300).map(Bytes::copy_from_slice).collect();
    let shelf = Shelf([(name, pieces)].into());
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
