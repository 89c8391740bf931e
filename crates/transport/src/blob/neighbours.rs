//! Blobs between nodes of one process, which share its memory: handed over instead of encrypted, sent and put together again.
//!
//! Whoever starts several nodes in one process gives each the same [`Neighbours`], in its
//! [`ConnectionConfig`](crate::ConnectionConfig), and each introduces itself there. A fetch from a peer that is a neighbour first
//! asks what that one has in memory; everything else, and everything of other peers, comes by its connection. What is handed
//! over is checked as what was sent is, but the same memory only by the first who fetches it.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use bytes::Bytes;
use protocol::{identity::NodeId, message::BlobName};

/// A node that hands over blobs to the other nodes of its process.
pub trait Neighbour: Send + Sync {
    /// The blob with this name, where all of it lies in memory, in one piece or in several; whatever else there is can be asked
    /// for over a connection.
    fn at_hand(&self, name: &BlobName) -> Option<Vec<Bytes>>;
}

/// The nodes of one process. The handle is cheap to clone, and there are none behind a new one.
#[derive(Clone, Default)]
pub struct Neighbours(Arc<Shared>);

#[derive(Default)]
struct Shared {
    nodes: RwLock<HashMap<NodeId, Arc<dyn Neighbour>>>,
    /// Bytes that have the digest that names them, as one of the nodes has found: of the same memory, which nobody can change while
    /// it is held here, the others need not find it again.
    checked: Mutex<VecDeque<(BlobName, Bytes)>>,
}

/// Shorter ones are checked in less time than they are looked for.
const CHECKED_BYTES_MIN: usize = 64 * 1024;
/// How many are remembered. What nobody else holds any more is let go with the next that is looked for.
const CHECKED_MAX: usize = 4;

impl Neighbours {
    /// From now on, `node` hands over what it has at hand, in place of whoever had its name before.
    pub fn introduce(&self, node: NodeId, neighbour: Arc<dyn Neighbour>) {
        self.0.nodes.write().unwrap_or_else(PoisonError::into_inner).insert(node, neighbour);
    }

    /// What `node` has at hand under this name, if it is a neighbour.
    pub(crate) fn at_hand(&self, node: &NodeId, name: &BlobName) -> Option<Vec<Bytes>> {
        let neighbour = self.0.nodes.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
        neighbour?.at_hand(name)
    }

    /// Whether one of the nodes has found that this memory has the digest that names it.
    pub(crate) fn is_checked(&self, name: &BlobName, bytes: &Bytes) -> bool {
        let mut checked = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.retain(|(_, held)| !held.is_unique());
        checked.iter().any(|(known, held)| {
            known == name && std::ptr::eq(held.as_ptr(), bytes.as_ptr()) && held.len() == bytes.len()
        })
    }

    /// A node has found that these bytes have the digest that names them.
    pub(crate) fn note_checked(&self, name: BlobName, bytes: &Bytes) {
        if bytes.len() < CHECKED_BYTES_MIN {
            return;
        }
        let mut checked = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.push_back((name, bytes.clone()));
        if checked.len() > CHECKED_MAX {
            checked.pop_front();
        }
    }
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.0.nodes.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("Neighbours").field(&nodes.len()).finish()
    }
}

/// Two handles are equal if the same nodes are behind both, now and later.
impl PartialEq for Neighbours {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Neighbours {}
