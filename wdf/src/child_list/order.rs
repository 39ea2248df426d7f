//! The entries of a list in the order in which they came.

use std::collections::{BTreeMap, BTreeSet};

use vbus_wdm::Id;

/// Entries by age. Every step takes a time that hardly grows with their number: there are buses with very many children.
#[derive(Default)]
pub(super) struct Order {
    next_age: u64,
    by_age: BTreeMap<u64, Id>,
    /// How old each is, and which child it is for.
    places: BTreeMap<Id, (u64, u64)>,
    /// Children with the ages of their entries.
    by_child: BTreeSet<(u64, u64)>,
}

impl Order {
    pub(super) fn push(&mut self, id: Id, child: u64) {
        self.remove(id);
        self.by_age.insert(self.next_age, id);
        self.places.insert(id, (self.next_age, child));
        self.by_child.insert((child, self.next_age));
        self.next_age += 1;
    }

    /// An entry that is not in it is no error.
    pub(super) fn remove(&mut self, id: Id) {
        if let Some((age, child)) = self.places.remove(&id) {
            self.by_age.remove(&age);
            self.by_child.remove(&(child, age));
        }
    }

    pub(super) fn pop_oldest(&mut self) -> Option<Id> {
        let (_, id) = self.by_age.pop_first()?;
        if let Some((age, child)) = self.places.remove(&id) {
            self.by_child.remove(&(child, age));
        }
        Some(id)
    }

    pub(super) fn contains(&self, id: Id) -> bool {
        self.places.contains_key(&id)
    }

    /// The newest entry for a child.
    pub(super) fn newest(&self, child: u64) -> Option<Id> {
        let (_, age) = self.by_child.range((child, 0)..=(child, u64::MAX)).next_back()?;
        self.by_age.get(age).copied()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Id> {
        self.by_age.values().copied()
    }

    /// Those that came after an entry; all, if it is not in it.
    pub(super) fn after(&self, id: Id) -> impl Iterator<Item = Id> {
        let from = self.places.get(&id).map_or(0, |&(age, _)| age + 1);
        self.by_age.range(from..).map(|(_, &id)| id)
    }

    /// The entries as they are now, for whoever changes the order meanwhile.
    pub(super) fn snapshot(&self) -> Vec<Id> {
        self.iter().collect()
    }
}
