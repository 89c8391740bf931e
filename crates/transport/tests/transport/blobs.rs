//! Blobs: what arrives is what was named, however badly the peer or the network behaves.

use std::{collections::BTreeMap, io, time::Duration};

use bytes::Bytes;
use protocol::{
    digest::{Digest, Domain},
    job::JobId,
    message::{BlobName, BlobReply, BlobRequest},
};
use transport::{
    Connection, ConnectionConfig, ListenerConfig, Opening, Stream, StreamError,
    blob::{self, Blob, BlobError, BlobSource, PartialBlob, ServeError},
    connection::FETCHES_MAX,
};

use crate::{
    relay::{Line, Relay},
    support::{listen, noise, pair, pair_through, soon},
};

const LENGTH: usize = 3 * 1024 * 1024;
const LENGTH_MAX: u64 = 8 * 1024 * 1024;

fn outcome_of(bytes: &[u8]) -> BlobName {
    BlobName::Outcome(Digest::of(Domain::Outcome, bytes))
}

fn certificate() -> BlobName {
    BlobName::Certificate(JobId([5; 16]), 7)
}

/// Blobs in memory.
#[derive(Default)]
struct Shelf(BTreeMap<BlobName, Bytes>);

impl BlobSource for Shelf {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        Ok(self.0.get(&name).cloned().map(Blob::Memory))
    }
}

/// One file, under every name, said to be so many bytes longer than it is.
struct Folder {
    path: std::path::PathBuf,
    missing_bytes: u64,
}

impl BlobSource for Folder {
    async fn open(&self, _name: BlobName) -> io::Result<Option<Blob>> {
        Ok(match Blob::from_file(&self.path).await? {
            Some(Blob::File { file, length_bytes }) => {
                Some(Blob::File { file, length_bytes: length_bytes + self.missing_bytes })
            }
            other => other,
        })
    }
}

/// A storage that is out of order.
struct Broken;

impl BlobSource for Broken {
    async fn open(&self, _name: BlobName) -> io::Result<Option<Blob>> {
        Err(io::Error::other("the disk is on fire"))
    }
}

async fn asked(connection: &Connection) -> (Stream, BlobRequest) {
    let mut stream = connection.accept_stream().await.expect("a stream arrives");
    let Opening::Blob(request) = stream.opening().await.expect("an opening") else {
        panic!("not for a blob")
    };
    (stream, request)
}

async fn serve_one(connection: &Connection, source: &impl BlobSource) -> Result<u64, ServeError> {
    let (stream, request) = asked(connection).await;
    Box::pin(blob::serve(stream, request, source)).await
}

/// Answers one request as told, and returns the offset that was asked for.
async fn answer_one(connection: &Connection, claimed_bytes: u64, bytes: &[u8]) -> u64 {
    let (mut stream, request) = asked(connection).await;
    let reply = BlobReply::Found { length_bytes: claimed_bytes };
    stream.writer.feed(&reply).await.expect("it is fed");
    // The peer may stop reading once it has seen enough.
    let _ = stream.writer.send_bytes(Bytes::copy_from_slice(bytes)).await;
    let _ = stream.writer.finish().await;
    let _ = stream.writer.delivered().await;
    request.offset
}

/// What the fetcher says to a peer that claims `claimed_bytes` and sends `bytes`.
async fn verdict_on(name: BlobName, claimed_bytes: u64, bytes: &[u8]) -> Result<Bytes, BlobError> {
    let pair = pair().await;
    let fetching = blob::fetch(&pair.client, name, LENGTH_MAX);
    soon(async { tokio::join!(fetching, answer_one(&pair.server, claimed_bytes, bytes)) }).await.0
}

#[tokio::test]
async fn three_megabytes_arrive_from_memory_and_either_side_may_ask() {
    let bytes = noise(LENGTH);
    let task = BlobName::Task(Digest::of(Domain::Task, &bytes));
    let shelf =
        Shelf([(outcome_of(&bytes), Bytes::from(bytes.clone())), (task, Bytes::from(bytes.clone()))].into());
    let pair = pair().await;
    for (name, asker, giver) in
        [(outcome_of(&bytes), &pair.client, &pair.server), (task, &pair.server, &pair.client)]
    {
        let mut partial = PartialBlob::new(name, LENGTH as u64);
        let (fetched, served) =
            soon(async { tokio::join!(partial.resume(asker), serve_one(giver, &shelf)) }).await;
        let fetched = fetched.expect("it is fetched");
        assert!(fetched == bytes);
        assert_eq!(fetched.capacity(), LENGTH, "no memory is wasted");
        assert_eq!(served.expect("it is served"), LENGTH as u64);
    }
}

#[tokio::test]
async fn datagrams_grow_to_what_the_path_lets_through_and_the_sides_allow() {
    let (many, few) = (ListenerConfig::default(), ConnectionConfig::default());
    let listener = listen(many.clone());
    let address = listener.local_address();
    let pair = pair_through(listener, address, &few).await;
    assert!(many.connection.datagram_bytes_max < few.datagram_bytes_max);
    let bytes = noise(LENGTH);
    let shelf = Shelf([(outcome_of(&bytes), Bytes::from(bytes.clone()))].into());
    for (asker, giver, most) in [
        (&pair.client, &pair.server, many.connection.datagram_bytes_max),
        (&pair.server, &pair.client, few.datagram_bytes_max),
    ] {
        // Lengths are tried one after the other, and the last few bytes are not worth a try.
        while giver.datagram_bytes() < most - 100 {
            let fetching = blob::fetch(asker, outcome_of(&bytes), LENGTH_MAX);
            let (fetched, _) = soon(async { tokio::join!(fetching, serve_one(giver, &shelf)) }).await;
            assert!(fetched.expect("it is fetched") == bytes);
            assert!(giver.datagram_bytes() <= most);
        }
    }
}

#[tokio::test]
async fn an_empty_blob_and_one_from_a_file_arrive() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("outcome");
    let pair = pair().await;
    for length in [0, 1, 256 * 1024, LENGTH] {
        let bytes = noise(length);
        std::fs::write(&path, &bytes).expect("it can be written");
        let source = Folder { path: path.clone(), missing_bytes: 0 };
        let fetching = blob::fetch(&pair.client, outcome_of(&bytes), LENGTH as u64);
        let (fetched, served) =
            soon(async { tokio::join!(fetching, serve_one(&pair.server, &source)) }).await;
        assert!(fetched.expect("it is fetched") == bytes);
        assert_eq!(served.expect("it is served"), length as u64);
    }
}

#[tokio::test]
async fn a_blob_that_nobody_has_is_absent() {
    let pair = pair().await;
    let (name, empty) = (outcome_of(b"lost"), Shelf::default());
    let (fetched, served) = soon(async {
        tokio::join!(blob::fetch(&pair.client, name, LENGTH_MAX), serve_one(&pair.server, &empty))
    })
    .await;
    let error = fetched.expect_err("nobody has it");
    assert!(matches!(error, BlobError::Absent { .. }) && !error.is_bad_input(), "{error:?}");
    assert!(error.to_string().contains("the peer does not have the outcome"), "{error}");
    assert_eq!(served.expect("that is an answer"), 0);
    let missing = Folder { path: "/nowhere/at/all".into(), missing_bytes: 0 };
    assert!(missing.open(name).await.expect("a missing file is no failure").is_none());
}

#[tokio::test]
async fn fewer_bytes_than_claimed_are_told() {
    let bytes = noise(100_000);
    let error = verdict_on(outcome_of(&bytes), 100_001, &bytes).await.expect_err("one is missing");
    assert!(
        matches!(error, BlobError::Short { claimed_bytes: 100_001, received_bytes: 100_000, .. }),
        "{error:?}"
    );
    assert!(error.is_bad_input() && !error.is_resumable());
}

#[tokio::test]
async fn more_bytes_than_claimed_are_told() {
    let bytes = noise(100_000);
    let error = verdict_on(outcome_of(&bytes[..99_999]), 99_999, &bytes).await.expect_err("one is too much");
    assert!(
        matches!(error, BlobError::Long { claimed_bytes: 99_999, .. }) && error.is_bad_input(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_single_wrong_bit_is_found() {
    let good = noise(LENGTH);
    let mut bad = good.clone();
    bad[LENGTH / 2] ^= 0x10;
    let error = verdict_on(outcome_of(&good), LENGTH as u64, &bad).await.expect_err("a bit is wrong");
    let BlobError::WrongBytes { found, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*found, Digest::of(Domain::Outcome, &bad));
    assert!(error.is_bad_input() && error.to_string().contains(&found.short()), "{error}");
    // The right bytes of an outcome are not those of a task with the same digest.
    let task = BlobName::Task(Digest::of(Domain::Outcome, &good));
    assert!(matches!(verdict_on(task, LENGTH as u64, &good).await, Err(BlobError::WrongBytes { .. })));
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused_before_it_is_read() {
    for claimed in [LENGTH_MAX + 1, u64::MAX] {
        let error = verdict_on(outcome_of(b"x"), claimed, b"x").await.expect_err("too long");
        let text = error.to_string();
        assert!(matches!(error, BlobError::OverLimit { .. }) && error.is_bad_input(), "{error:?}");
        assert!(text.contains(&claimed.to_string()) && text.contains(&LENGTH_MAX.to_string()), "{text}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_told() {
    let pair = pair().await;
    let answering = async {
        let (mut stream, _request) = asked(&pair.server).await;
        stream.writer.send(&"here you are".to_owned()).await.expect("it is sent");
        stream
    };
    let fetching = blob::fetch(&pair.client, outcome_of(b"x"), LENGTH_MAX);
    let (fetched, _stream) = soon(async { tokio::join!(fetching, answering) }).await;
    let error = fetched.expect_err("that is no answer");
    assert!(matches!(error, BlobError::BadReply { .. }) && error.is_bad_input(), "{error:?}");
}

#[tokio::test]
async fn a_storage_that_fails_breaks_the_stream_and_never_ends_it_early() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("outcome");
    let bytes = noise(1000);
    std::fs::write(&path, &bytes).expect("it can be written");
    let pair = pair().await;
    let shrunk = Folder { path, missing_bytes: 1 };
    let fetching = blob::fetch(&pair.client, outcome_of(&bytes), LENGTH_MAX);
    let (fetched, served) = soon(async { tokio::join!(fetching, serve_one(&pair.server, &shrunk)) }).await;
    let error = fetched.expect_err("the file is too short");
    assert!(matches!(error, BlobError::Interrupted { .. }) && !error.is_bad_input(), "{error:?}");
    assert!(served.expect_err("it failed").to_string().contains("the file became shorter"));

    let fetching = blob::fetch(&pair.client, outcome_of(&bytes), LENGTH_MAX);
    let (fetched, served) = soon(async { tokio::join!(fetching, serve_one(&pair.server, &Broken)) }).await;
    assert!(fetched.expect_err("nothing came").is_resumable());
    assert!(served.expect_err("it failed").to_string().contains("the disk is on fire"));
}

#[tokio::test]
async fn a_blob_goes_on_where_a_cut_line_stopped_it() {
    let config = ConnectionConfig {
        keep_alive: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(400),
        ..ConnectionConfig::default()
    };
    let listener = listen(ListenerConfig { connection: config.clone(), ..ListenerConfig::default() });
    let relay = Relay::to(listener.local_address(), Line::Open).await;
    let mut pair = pair_through(listener, relay.address, &config).await;

    let bytes = noise(LENGTH);
    let name = outcome_of(&bytes);
    let shelf = Shelf([(name, Bytes::from(bytes.clone()))].into());
    relay.set(Line::CutAfter(LENGTH as u64 / 2));
    let mut partial = PartialBlob::new(name, LENGTH_MAX);
    let (cut, _served) =
        soon(async { tokio::join!(partial.resume(&pair.client), serve_one(&pair.server, &shelf)) }).await;
    let error = cut.expect_err("the line was cut");
    assert!(error.is_resumable() && !error.is_bad_input(), "{error:?}");
    let held = partial.held_bytes();
    assert!(held > 0 && held < LENGTH as u64, "{held} bytes");
    assert!(error.to_string().contains(&format!("interrupted after {held} bytes")), "{error}");

    relay.set(Line::Open);
    pair = pair_through(pair.listener, relay.address, &config).await;
    let (fetched, served) =
        soon(async { tokio::join!(partial.resume(&pair.client), serve_one(&pair.server, &shelf)) }).await;
    assert!(fetched.expect("the rest came") == bytes);
    assert_eq!(served.expect("the rest was served"), LENGTH as u64 - held, "only the rest travels again");
    assert_eq!(partial.held_bytes(), 0);
}

#[tokio::test]
async fn a_peer_that_stalls_is_given_up_and_what_came_is_kept() {
    let pair = pair().await;
    let bytes = noise(1000);
    let mut partial =
        PartialBlob::new(outcome_of(&bytes), LENGTH_MAX).with_stall_timeout(Duration::from_millis(80));
    let stalling = async {
        let (mut stream, _request) = asked(&pair.server).await;
        stream.writer.feed(&BlobReply::Found { length_bytes: 1000 }).await.expect("it is fed");
        stream.writer.send_bytes(Bytes::copy_from_slice(&bytes[..400])).await.expect("it is sent");
        stream
    };
    let (stalled, stream) = soon(async { tokio::join!(partial.resume(&pair.client), stalling) }).await;
    let error = stalled.expect_err("it stalled");
    assert!(error.is_resumable() && error.to_string().contains("said nothing for 80 ms"), "{error}");
    assert_eq!(partial.held_bytes(), 400);
    drop(stream);

    // A peer that now claims another length contradicts the first: nothing of either is believed.
    let (contradicted, offset) = soon(async {
        tokio::join!(partial.resume(&pair.client), answer_one(&pair.server, 900, &bytes[400..900]))
    })
    .await;
    assert_eq!(offset, 400);
    let error = contradicted.expect_err("it contradicts");
    assert!(matches!(
        error,
        BlobError::Contradiction { held_bytes: 400, claimed_bytes: 900, known_bytes: 1000, .. }
    ));
    assert_eq!(partial.held_bytes(), 0);
    let (fetched, offset) =
        soon(async { tokio::join!(partial.resume(&pair.client), answer_one(&pair.server, 1000, &bytes)) })
            .await;
    assert_eq!(offset, 0);
    assert!(fetched.expect("it is whole") == bytes);
}

#[tokio::test]
async fn a_certificate_always_starts_anew_because_its_name_does_not_fix_its_bytes() {
    let pair = pair().await;
    let mut partial = PartialBlob::new(certificate(), LENGTH_MAX);
    let breaking = async {
        let (mut stream, request) = asked(&pair.server).await;
        stream.writer.feed(&BlobReply::Found { length_bytes: 1000 }).await.expect("it is fed");
        stream.writer.send_bytes(Bytes::from(noise(400))).await.expect("it is sent");
        stream.writer.abandon();
        request.offset
    };
    let (broken, offset) = soon(async { tokio::join!(partial.resume(&pair.client), breaking) }).await;
    assert!(broken.expect_err("it broke").is_resumable());
    assert_eq!(offset, 0);
    let newer = noise(1200);
    let (fetched, offset) =
        soon(async { tokio::join!(partial.resume(&pair.client), answer_one(&pair.server, 1200, &newer)) })
            .await;
    assert_eq!(offset, 0, "nothing of the older one is used");
    assert!(fetched.expect("it is whole") == newer);
}

#[tokio::test]
async fn an_offset_past_the_end_gets_no_bytes_and_does_no_harm() {
    let pair = pair().await;
    let shelf = Shelf([(certificate(), Bytes::from_static(b"short"))].into());
    let opening = Opening::Blob(BlobRequest { blob: certificate(), offset: u64::MAX });
    let asking = async {
        let mut stream = pair.client.open_stream(&opening).await?;
        let reply = stream.reader.require::<BlobReply>().await.expect("a reply");
        assert_eq!(reply, BlobReply::Found { length_bytes: 5 });
        assert!(stream.reader.next_bytes(1).await.expect("a clean end").is_none());
        Ok::<_, StreamError>(())
    };
    let (asked, served) = soon(async { tokio::join!(asking, serve_one(&pair.server, &shelf)) }).await;
    asked.expect("it is answered");
    assert_eq!(served.expect("it is served"), 0);
}

#[tokio::test]
async fn so_many_blobs_are_fetched_at_a_time_and_the_next_one_waits_its_turn() {
    let pair = pair().await;
    let mut fetches = tokio::task::JoinSet::new();
    for number in 0..=FETCHES_MAX {
        let connection = pair.client.clone();
        fetches.spawn(async move { blob::fetch(&connection, outcome_of(&noise(number)), LENGTH_MAX).await });
    }
    let mut waiting = Vec::new();
    for _ in 0..FETCHES_MAX {
        waiting.push(soon(asked(&pair.server)).await);
    }
    let mut next = std::pin::pin!(asked(&pair.server));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut next).await.is_err(),
        "one too many at a time"
    );
    let shelf = Shelf((0..=FETCHES_MAX).map(|n| (outcome_of(&noise(n)), Bytes::from(noise(n)))).collect());
    let (stream, request) = waiting.pop().expect("some wait");
    soon(blob::serve(stream, request, &shelf)).await.expect("it is served");
    waiting.push(soon(next).await);
    for (stream, request) in waiting {
        soon(blob::serve(stream, request, &shelf)).await.expect("it is served");
    }
    let lengths = soon(fetches.join_all()).await.into_iter().map(|blob| blob.expect("it is fetched").len());
    assert_eq!(lengths.collect::<std::collections::BTreeSet<_>>(), (0..=FETCHES_MAX).collect());
}
