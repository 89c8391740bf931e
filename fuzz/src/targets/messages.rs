//! What arrives over the network: frames in pieces, and each kind of message.

use protocol::{
    codec,
    identity::SecretKey,
    limits::FRAME_BYTES_MAX,
    message::{BlobReply, CoordinatorMessage, Hello, Request, Response, Welcome, WorkerMessage},
    trace::{self, TraceNode, TraceTop},
};
use transport::{Opening, frame::FrameBuffer};

use super::{Reading, TWICE, Target, encoded, message, reading, refused, seeds};

pub(super) const FRAMES: Target = Target { name: "frames", read: frames, seeds: frame_seeds, memory: TWICE };
pub(super) const OPENINGS: Target = Target {
    name: "openings",
    read: |bytes| reading(&message::<Opening>("opening", bytes)),
    seeds: || encoded(&seeds::messages::openings()),
    memory: TWICE,
};
pub(super) const HELLOS: Target = Target {
    name: "hellos",
    read: |bytes| reading(&message::<Hello>("hello", bytes)),
    seeds: || encoded(&seeds::messages::hellos()),
    memory: TWICE,
};
pub(super) const WELCOMES: Target = Target {
    name: "welcomes",
    read: |bytes| reading(&message::<Welcome>("welcome", bytes)),
    seeds: || encoded(&seeds::messages::welcomes()),
    memory: TWICE,
};
pub(super) const WORKER_MESSAGES: Target = Target {
    name: "worker_messages",
    read: worker_message,
    seeds: || encoded(&seeds::messages::of_worker()),
    memory: TWICE,
};
pub(super) const COORDINATOR_MESSAGES: Target = Target {
    name: "coordinator_messages",
    read: |bytes| reading(&message::<CoordinatorMessage>("message of the coordinator", bytes)),
    seeds: || encoded(&seeds::messages::of_coordinator()),
    memory: TWICE,
};
pub(super) const REQUESTS: Target = Target {
    name: "requests",
    read: |bytes| reading(&message::<Request>("request", bytes)),
    seeds: || encoded(&seeds::messages::requests()),
    memory: TWICE,
};
pub(super) const RESPONSES: Target = Target {
    name: "responses",
    read: |bytes| reading(&message::<Response>("response", bytes)),
    seeds: || encoded(&seeds::messages::responses()),
    memory: TWICE,
};
pub(super) const TRACE_TOPS: Target = Target {
    name: "trace_tops",
    read: |bytes| reading(&trace::read_answer::<TraceTop>(bytes)),
    seeds: || encoded(&seeds::messages::trace_answers().0),
    memory: TWICE,
};
pub(super) const TRACE_NODES: Target = Target {
    name: "trace_nodes",
    read: |bytes| reading(&trace::read_answer::<TraceNode>(bytes)),
    seeds: || encoded(&seeds::messages::trace_answers().1),
    memory: TWICE,
};
pub(super) const BLOB_REPLIES: Target = Target {
    name: "blob_replies",
    read: |bytes| reading(&message::<BlobReply>("blob reply", bytes)),
    seeds: || encoded(&seeds::messages::blobs().1),
    memory: TWICE,
};

/// A stream of frames, which arrives in pieces of all sizes.
fn frames(bytes: &[u8]) -> Reading {
    let mut buffer = FrameBuffer::new();
    let mut rest = bytes;
    let mut piece_bytes = 1;
    let mut taken = 0;
    while !rest.is_empty() {
        let piece = &rest[..rest.len().min(piece_bytes)];
        let count = buffer.push(piece);
        assert!(count > 0, "a buffer from which all was taken has no room");
        rest = &rest[count..];
        piece_bytes = piece_bytes * 3 % 5003;
        loop {
            match buffer.next_frame::<WorkerMessage>() {
                Ok(None) => break,
                Ok(Some(_)) => taken += 1,
                Err(error) => {
                    assert!(
                        error.is_bad_input(),
                        "{error}: a frame that was not understood is the peer's fault"
                    );
                    return refused(&error);
                }
            }
        }
        assert!(
            buffer.capacity_bytes() <= 2 * FRAME_BYTES_MAX,
            "the buffer holds {}",
            buffer.capacity_bytes()
        );
    }
    match buffer.truncation() {
        Some(error) => refused(&error),
        None if taken == 0 => Reading::Refused,
        None => Reading::Value,
    }
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let with_length = |bytes: Vec<u8>| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        [length.to_be_bytes().to_vec(), bytes].concat()
    };
    let frames: Vec<Vec<u8>> =
        seeds::messages::of_worker().iter().map(codec::encode).map(with_length).collect();
    let together = frames.concat();
    frames.into_iter().chain([together]).collect()
}

/// A bundle is opened as well: what comes out of it carries its worker's signature.
fn worker_message(bytes: &[u8]) -> Reading {
    let result = message::<WorkerMessage>("message of a worker", bytes);
    if let Ok(WorkerMessage::Cast(bundle)) = &result {
        let worker = SecretKey::from_seed(&[1; 32]).node_id();
        if let Ok(said) = bundle.clone().open(worker) {
            assert!(said.iter().all(|said| said.ballot.signed().is_authentic()));
        }
    }
    reading(&result)
}
