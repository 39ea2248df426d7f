//! Which devnodes of a bus may have an instance path, so that nobody looks through all of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use smallvec::SmallVec;

use super::devnode::DevNode;

/// Devnodes by their bus and a hash of their instance path, which is the same in every run.
#[derive(Default)]
pub(super) struct Paths(BTreeMap<(DevNode, u64), SmallVec<[DevNode; 1]>>);

impl Paths {
    pub(super) fn insert(&mut self, bus: DevNode, path: &str, node: DevNode) {
        self.0.entry((bus, hash(path))).or_default().push(node);
    }

    pub(super) fn remove(&mut self, bus: DevNode, path: &str, node: DevNode) {
        let key = (bus, hash(path));
        if let Some(nodes) = self.0.get_mut(&key) {
            nodes.retain(|known| *known != node);
            if nodes.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// Who may have the path below this bus: a hash may be shared.
    pub(super) fn at(&self, bus: DevNode, path: &str) -> &[DevNode] {
        self.0.get(&(bus, hash(path))).map_or(&[], SmallVec::as_slice)
    }
}

fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
