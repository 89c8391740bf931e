//! Blobs between nodes of one process, which share its memory: handed over instead of encrypted, sent and put together again.
//!
//! Whoever starts several nodes in one process gives each the same [`Neighbours`], in its
//! [`ConnectionConfig`](crate::ConnectionConfig), and each introduces itself there. A fetch from a peer that is a neighbour first
//! asks what that one has in memory; everything else, and everything of other peers, comes by its connection. What is handed
//! over is checked as what was sent is.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use protocol::{identity::NodeId, message::BlobName};

/// A node that hands over blobs to the other nodes of its process.
pub trait Neighbour: Send + Sync {
    /// The blob with this name, where it lies in memory as a whole; whatever else there is can be asked for over a connection.
    fn at_hand(&self, name: &BlobName) -> Option<Bytes>;
}

/// The nodes of one process. The handle is cheap to clone, and there are none behind a new one.
#[derive(Clone, Default)]
pub struct Neighbours(Arc<RwLock<HashMap<NodeId, Arc<dyn Neighbour>>>>);

impl Neighbours {
    /// From now on, `node` hands over what it has at hand, in place of whoever had its name before.
    pub fn introduce(&self, node: NodeId, neighbour: Arc<dyn Neighbour>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(node, neighbour);
    }

    /// What `node` has at hand under this name, if it is a neighbour.
    pub(crate) fn at_hand(&self, node: &NodeId, name: &BlobName) -> Option<Bytes> {
        let neighbour = self.0.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
        neighbour?.at_hand(name)
    }
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.0.read().unwrap_or_else(PoisonError::into_inner);
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
