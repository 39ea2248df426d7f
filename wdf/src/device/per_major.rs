//! A table by major function that most devices have nothing in.

use vbus_wdm::Major;

/// What a driver registered for some major functions; without an entry it takes no memory but a word.
#[derive(Clone, Debug)]
pub(crate) struct PerMajor<T>(Option<Box<[Option<T>; Major::COUNT]>>);

impl<T> Default for PerMajor<T> {
    fn default() -> Self {
        PerMajor(None)
    }
}

impl<T: Copy> PerMajor<T> {
    #[inline]
    pub(crate) fn get(&self, major: Major) -> Option<T> {
        match &self.0 {
            None => None,
            Some(entries) => entries[major as usize],
        }
    }

    pub(crate) fn set(&mut self, major: Major, entry: T) {
        self.0.get_or_insert_with(|| Box::new([None; Major::COUNT]))[major as usize] = Some(entry);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
