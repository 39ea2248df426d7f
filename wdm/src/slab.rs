//! Storage with generations: the lookaside lists of the machine.

use std::num::NonZeroU32;

/// Names one entry of a [`Slab`]: where it is, and which life of that place is meant.
///
/// An id outlives its entry harmlessly: the place's generation moves on when the entry is freed, so a stale id
/// is told from a live one at every use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Id {
    index: u32,
    generation: NonZeroU32,
}

impl Id {
    /// The place in the slab; creation order as long as nothing is freed.
    pub fn index(self) -> u32 {
        self.index
    }

    /// The id as one machine word, as drivers carry pointers in a `PVOID` context.
    pub fn to_word(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.index)
    }

    /// The id that [`Id::to_word`] made; `None` for a word that no id gives.
    pub fn from_word(word: u64) -> Option<Id> {
        Some(Id { index: word as u32, generation: NonZeroU32::new((word >> 32) as u32)? })
    }
}

/// A growing array of entries that are recycled in place, so that a steady state neither allocates nor moves them.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    /// Odd while the entry lives, even while it waits on the free list.
    generation: NonZeroU32,
    value: T,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T: Default> Slab<T> {
    /// Takes a place. The value is what the place's last owner left, or the default: the caller resets what matters.
    #[inline]
    pub fn take(&mut self) -> (Id, &mut T) {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow(),
        };
        let slot = &mut self.slots[index as usize];
        // Even to odd; the addition cannot reach zero because `release` skips it.
        slot.generation = slot.generation.saturating_add(1);
        (Id { index, generation: slot.generation }, &mut slot.value)
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 entries fit in memory");
        const FIRST_FREE: NonZeroU32 = NonZeroU32::new(2).unwrap();
        self.slots.push(Slot { generation: FIRST_FREE, value: T::default() });
        // A place that is released later must find room on the free list without allocating then.
        self.free.reserve(self.slots.len());
        index
    }
}

impl<T> Slab<T> {
    /// The live entry that `id` names.
    #[inline]
    pub fn get(&self, id: Id) -> Option<&T> {
        match self.slots.get(id.index as usize) {
            Some(slot) if slot.generation == id.generation => Some(&slot.value),
            _ => None,
        }
    }

    /// The live entry that `id` names, to change.
    #[inline]
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        match self.slots.get_mut(id.index as usize) {
            Some(slot) if slot.generation == id.generation => Some(&mut slot.value),
            _ => None,
        }
    }

    /// What the place of a released entry still holds, until it is taken again: freed memory that nobody reused.
    pub fn released(&self, id: Id) -> Option<&T> {
        let slot = self.slots.get(id.index as usize)?;
        (Some(slot.generation) == id.generation.checked_add(1)).then_some(&slot.value)
    }

    /// Gives a place back; every id of it is stale from now on. Returns whether `id` was live.
    #[inline]
    pub fn release(&mut self, id: Id) -> bool {
        let Some(slot) = self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation) else {
            return false;
        };
        match slot.generation.checked_add(1) {
            Some(next) => {
                slot.generation = next;
                self.free.push(id.index);
            }
            // After two thousand million lives a place retires rather than let an old id come true again.
            None => slot.generation = NonZeroU32::MIN.saturating_add(1),
        }
        true
    }

    /// How many entries live.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no entry lives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live entries in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.generation.get() % 2 == 1).map(|(index, slot)| {
            let id = Id { index: index as u32, generation: slot.generation };
            (id, &slot.value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_id_stays_stale_after_its_place_is_taken_again() {
        let mut slab = Slab::<u32>::default();
        let (first, value) = slab.take();
        *value = 7;
        assert!(slab.release(first));
        assert_eq!(slab.released(first), Some(&7));
        let (second, value) = slab.take();
        assert_eq!(*value, 7, "the place is recycled, not rebuilt");
        assert_eq!(first.index(), second.index());
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.released(first), None);
        assert!(slab.get(second).is_some());
        assert!(!slab.release(first));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn an_id_survives_its_trip_through_a_word() {
        let mut slab = Slab::<u8>::default();
        slab.take();
        let (id, _) = slab.take();
        assert_eq!(Id::from_word(id.to_word()), Some(id));
        assert_eq!(Id::from_word(5), None);
    }
}
