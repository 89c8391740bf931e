//! Frames: whole values out of any pieces, and a bound on whatever a peer claims.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{
    codec::{self, DecodeError},
    limits::FRAME_BYTES_MAX,
    message::{Request, Welcome},
};
use transport::{
    CloseCode, ConnectionConfig, ConnectionLost, FrameError, Opening, StreamError, frame::FrameBuffer,
};

use crate::support::{PATIENCE, noise, pair, pair_with, soon};

const ANY: Opening = Opening::Request(Request::Status);

/// A text whose frame's body has so many bytes.
fn text_of_body(body_bytes: usize) -> String {
    // MessagePack puts three bytes in front of a text of 256 to 65,535 bytes.
    let text = "x".repeat(body_bytes - 3);
    assert_eq!(codec::encode(&text).len(), body_bytes);
    text
}

fn frame_of(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).expect("a short body").to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

#[tokio::test]
async fn values_arrive_whole_in_order_and_the_end_is_clean() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    let values: Vec<(usize, String)> = (0..20_000).map(|n| (n, "ballot".repeat(n % 7))).collect();
    let sent = values.clone();
    let sending = tokio::spawn(async move {
        ours.writer.send(&sent[0]).await.expect("one is sent");
        ours.writer.send_many(&sent[1..10_000]).await.expect("many are sent");
        for value in &sent[10_000..] {
            ours.writer.feed(value).await.expect("each is fed");
        }
        ours.writer.finish().await.expect("finishing flushes");
        ours.writer.delivered().await.expect("the peer has them");
    });
    let mut received = Vec::new();
    while let Some(value) = soon(theirs.reader.next::<(usize, String)>()).await.expect("a value") {
        received.push(value);
        // Whatever came along is taken without waiting.
        while let Some(value) = theirs.reader.next_ready().expect("a value") {
            received.push(value);
        }
    }
    assert!(received == values, "{} of {} values", received.len(), values.len());
    soon(sending).await.expect("the sender is done");
    let after = soon(theirs.reader.require::<Welcome>()).await.expect_err("it is over");
    assert!(matches!(after, FrameError::Ended { what: "Welcome" }) && !after.is_bad_input(), "{after:?}");
}

#[tokio::test]
async fn the_longest_frame_passes_and_a_longer_one_is_not_even_sent() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    let longest = text_of_body(FRAME_BYTES_MAX);
    let too_long = text_of_body(FRAME_BYTES_MAX + 1);
    let error = soon(ours.writer.send(&too_long)).await.expect_err("it is too long");
    assert_eq!(error, StreamError::OwnFrameTooLong { length_bytes: FRAME_BYTES_MAX + 1 });
    assert!(
        error.to_string().contains("65537 bytes") && error.to_string().contains("65536 bytes"),
        "{error}"
    );
    // Nothing of it was sent: the stream goes on.
    let (sent, received) =
        soon(async { tokio::join!(ours.writer.send(&longest), theirs.reader.next::<String>()) }).await;
    sent.expect("the longest is sent");
    assert!(received.expect("and read") == Some(longest));
}

#[tokio::test]
async fn a_claim_of_four_gigabytes_costs_the_sender_its_connection() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    soon(ours.writer.send_bytes(Bytes::from_static(&[0xff; 4]))).await.expect("it is sent");
    let error = soon(theirs.reader.next::<Welcome>()).await.expect_err("it is too long");
    assert!(
        matches!(error, FrameError::TooLong { claimed_bytes: 0xffff_ffff }) && error.is_bad_input(),
        "{error:?}"
    );
    pair.server.close(CloseCode::BadInput, &error.to_string());
    let ConnectionLost::ClosedByPeer { code, reason } = soon(pair.client.closed()).await else {
        panic!("not closed by the peer")
    };
    assert_eq!(code, CloseCode::BadInput);
    assert!(reason.contains("4294967295 bytes") && reason.contains("65536 bytes"), "{reason}");
}

#[test]
fn a_claim_takes_no_memory() {
    let mut buffer = FrameBuffer::new();
    let claim = u32::try_from(FRAME_BYTES_MAX).expect("it fits").to_be_bytes();
    assert_eq!(buffer.push(&claim), 4);
    assert!(buffer.next_frame::<String>().expect("it may still come").is_none());
    assert!(buffer.capacity_bytes() <= 4096, "{} bytes for 4", buffer.capacity_bytes());
    let mut buffer = FrameBuffer::new();
    buffer.push(&[0xff; 4]);
    assert!(buffer.next_frame::<String>().is_err());
    assert!(buffer.next_frame::<String>().is_err(), "the error repeats");
    assert!(buffer.capacity_bytes() <= 4096);
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame_is_told_from_one_that_ends_between() {
    let body = codec::encode(&"0123456789".to_owned());
    let frame = frame_of(&body);
    for cut in 1..frame.len() {
        let mut buffer = FrameBuffer::new();
        buffer.push(&frame[..cut]);
        assert!(buffer.next_frame::<String>().expect("not yet").is_none());
        let expected = if cut < 4 { 4 } else { frame.len() };
        let Some(FrameError::Truncated { received_bytes, expected_bytes }) = buffer.truncation() else {
            panic!("cut at {cut} is not seen")
        };
        assert_eq!((received_bytes, expected_bytes), (cut as u64, expected as u64));
    }
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    soon(ours.writer.send_bytes(Bytes::copy_from_slice(&frame[..9]))).await.expect("it is sent");
    soon(ours.writer.finish()).await.expect("it is finished");
    let error = soon(theirs.reader.next::<String>()).await.expect_err("it is cut off");
    assert!(error.is_bad_input());
    assert!(error.to_string().contains("9 of 15 bytes arrived"), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_such_value_are_named_by_what_was_due() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    let garbage = frame_of(&[0xc1; 40]);
    soon(ours.writer.send_bytes(Bytes::from(garbage))).await.expect("it is sent");
    let error = soon(theirs.reader.next::<Welcome>()).await.expect_err("it is garbage");
    assert!(
        matches!(error, FrameError::Undecodable(DecodeError::Malformed { what: "Welcome", .. })),
        "{error:?}"
    );
    assert!(error.is_bad_input() && error.to_string().contains("not a Welcome"), "{error}");

    let mut trailing = codec::encode(&7_u8);
    trailing.push(0);
    let mut buffer = FrameBuffer::new();
    buffer.push(&frame_of(&trailing));
    let error = buffer.next_frame::<u8>().expect_err("a byte trails");
    assert!(
        matches!(error, FrameError::Undecodable(DecodeError::Trailing { extra_bytes: 1, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_abandoned_stream_is_not_taken_for_a_finished_one() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    ours.writer.abandon();
    let error = soon(theirs.reader.next::<Welcome>()).await.expect_err("it is broken");
    assert!(matches!(error, FrameError::Stream(StreamError::AbandonedByPeer(_))), "{error:?}");
    assert_eq!(soon(ours.writer.send(&1)).await, Err(StreamError::Finished));
    // And the other way round: who drops its reader stops the writer.
    let (ours, mut theirs) = pair.stream(&ANY).await;
    drop(ours);
    soon(theirs.writer.finish()).await.ok();
    let told = soon(theirs.writer.delivered()).await;
    assert!(matches!(told, Err(StreamError::StoppedByPeer(_))), "{told:?}");
}

#[tokio::test]
async fn a_stream_without_an_opening_is_given_up() {
    let config =
        ConnectionConfig { opening_timeout: Duration::from_millis(50), ..ConnectionConfig::default() };
    let pair = pair_with(config).await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    // Half a length, where an opening is read: the peer says nothing whole any more.
    soon(ours.writer.send_bytes(Bytes::from_static(&[0, 0]))).await.expect("it is sent");
    let error = soon(theirs.opening()).await.expect_err("there is none");
    assert!(matches!(error, FrameError::Silent { what: "Opening", waited_ms: 50 }), "{error:?}");
    assert!(error.to_string().contains("said nothing for 50 ms"), "{error}");
}

#[tokio::test]
async fn announced_bytes_are_read_exactly_and_frames_go_on_after_them() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    let bytes = noise(1_000_000);
    let sent = Bytes::from(bytes.clone());
    let sending = tokio::spawn(async move {
        ours.writer.feed(&"before".to_owned()).await?;
        ours.writer.send_bytes(sent).await?;
        ours.writer.send(&"after".to_owned()).await?;
        ours.writer.send_bytes(Bytes::from_static(b"short")).await?;
        ours.writer.finish().await?;
        ours.writer.delivered().await
    });
    let reader = &mut theirs.reader;
    assert_eq!(soon(reader.require::<String>()).await.expect("a frame"), "before");
    let over = soon(reader.exact_bytes(1_000_000, 999_999, PATIENCE)).await.expect_err("over the limit");
    assert!(
        matches!(over, FrameError::OverLimit { claimed_bytes: 1_000_000, limit_bytes: 999_999 }),
        "{over:?}"
    );
    let received = soon(reader.exact_bytes(1_000_000, 1_000_000, PATIENCE)).await.expect("the bytes");
    assert!(received == bytes);
    assert_eq!(soon(reader.require::<String>()).await.expect("a frame"), "after");
    let cut = soon(reader.exact_bytes(6, 6, PATIENCE)).await.expect_err("only five came");
    assert!(matches!(cut, FrameError::Truncated { received_bytes: 5, expected_bytes: 6 }), "{cut:?}");
    soon(sending).await.expect("no panic").expect("everything is sent");
}

#[tokio::test]
async fn a_reader_whose_wait_was_dropped_loses_nothing() {
    let pair = pair().await;
    let (mut ours, mut theirs) = pair.stream(&ANY).await;
    let frame = frame_of(&codec::encode(&"a value in pieces".to_owned()));
    for (position, byte) in frame.iter().enumerate() {
        soon(ours.writer.send_bytes(Bytes::copy_from_slice(&[*byte]))).await.expect("it is sent");
        if position + 1 < frame.len() {
            // Polled, and dropped while it waits.
            let waited = tokio::time::timeout(Duration::from_millis(1), theirs.reader.next::<String>()).await;
            assert!(waited.is_err(), "it cannot be whole yet");
        }
    }
    assert_eq!(soon(theirs.reader.require::<String>()).await.expect("it is whole"), "a value in pieces");
}

#[test]
fn a_buffer_with_nothing_in_it_gives_its_memory_back_unless_it_was_just_filled() {
    let (long, short) = (text_of_body(9_000), "a heartbeat".to_owned());
    let mut buffer = FrameBuffer::new();
    let receive = |text: &String, buffer: &mut FrameBuffer| {
        let frame = frame_of(&codec::encode(text));
        let (first, mut rest) = frame.split_at(7);
        assert_eq!(buffer.push(first), 7);
        buffer.rest();
        assert_eq!(buffer.waiting_bytes(), 7, "what waits stays");
        while !rest.is_empty() {
            rest = &rest[buffer.push(rest)..];
        }
        assert_eq!(buffer.next_frame::<String>().expect("a frame").as_ref(), Some(text));
        buffer.rest();
    };
    receive(&long, &mut buffer);
    assert!(buffer.capacity_bytes() >= 9_000, "as much may come again");
    receive(&short, &mut buffer);
    assert_eq!(buffer.capacity_bytes(), 0);
    receive(&long, &mut buffer);
}

/// Feeds `bytes` in pieces of the given sizes, with a rest after some, and collects what comes out, up to the first error.
fn decode_in_pieces(bytes: &[u8], sizes: &[usize]) -> (Vec<String>, Option<String>, usize) {
    let mut buffer = FrameBuffer::new();
    let (mut values, mut rest, mut capacity_max) = (Vec::new(), bytes, 0);
    for size in sizes.iter().cycle() {
        let count = buffer.push(&rest[..(*size).min(rest.len())]);
        rest = &rest[count..];
        capacity_max = capacity_max.max(buffer.capacity_bytes());
        loop {
            match buffer.next_frame::<String>() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Some(error.to_string()), capacity_max),
            }
        }
        if size.is_multiple_of(2) {
            buffer.rest();
        }
        if rest.is_empty() {
            break;
        }
    }
    (values, buffer.truncation().map(|error| error.to_string()), capacity_max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn however_the_bytes_are_cut_the_same_values_come_out(
        values in prop::collection::vec("[a-z]{0,40}|[a-z]{1000,1100}", 0..40),
        sizes in prop::collection::vec(1_usize..5000, 1..20),
        missing in 0_usize..3,
    ) {
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| frame_of(&codec::encode(value))).collect();
        bytes.truncate(bytes.len().saturating_sub(missing));
        let (decoded, error, _) = decode_in_pieces(&bytes, &sizes);
        let whole = values.len().saturating_sub(usize::from(missing > 0));
        prop_assert_eq!(&decoded[..], &values[..whole]);
        prop_assert_eq!(error.is_some(), missing > 0 && !bytes.is_empty());
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_take_more_than_two_frames(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        claim in prop::option::of(0_u32..70_000),
        sizes in prop::collection::vec(1_usize..700, 1..10),
    ) {
        let mut all = claim.map_or_else(Vec::new, |claim| claim.to_be_bytes().to_vec());
        all.extend_from_slice(&bytes);
        let (_, in_pieces, capacity) = decode_in_pieces(&all, &sizes);
        let (_, at_once, _) = decode_in_pieces(&all, &[usize::MAX]);
        prop_assert_eq!(in_pieces, at_once);
        prop_assert!(capacity <= 2 * all.len().max(4096), "{} bytes for {}", capacity, all.len());
    }

    #[test]
    fn an_opening_from_random_bytes_is_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut buffer = FrameBuffer::new();
        let frame = frame_of(&bytes);
        prop_assert_eq!(buffer.push(&frame), frame.len());
        // Whichever it is, the frame is taken out and the next one is reached.
        let _ = buffer.next_frame::<Opening>();
        prop_assert_eq!(buffer.waiting_bytes(), 0);
    }
}
