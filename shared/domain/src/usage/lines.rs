//! The lines of a day, in order of their keys: one piece of memory, for every run of every tenant makes them for
//! every day that it reads.

use std::ops::Index;

use super::{LineKey, Quantities};

/// Lines of a day: as many as a busy day has, so that they are moved seldom.
const USUAL: usize = 32;

/// Quantities by category and rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines(Vec<(LineKey, Quantities)>);

impl Lines {
    /// The quantities of a line.
    pub fn get(&self, key: &LineKey) -> Option<&Quantities> {
        let found = self.0.binary_search_by(|(known, _)| known.cmp(key));
        found.ok().map(|index| &self.0[index].1)
    }

    /// Adds to a line.
    pub fn add(&mut self, key: LineKey, quantities: Quantities) {
        match self.0.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(index) => self.0[index].1.add(quantities),
            Err(index) => {
                if self.0.capacity() == 0 {
                    self.0.reserve(USUAL);
                }
                self.0.insert(index, (key, quantities));
            }
        }
    }

    /// Lines in order.
    pub fn iter(&self) -> impl Iterator<Item = (&LineKey, &Quantities)> {
        self.0.iter().map(|(key, quantities)| (key, quantities))
    }

    /// Their keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &LineKey> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Their quantities in order of keys.
    pub fn values(&self) -> impl Iterator<Item = &Quantities> {
        self.0.iter().map(|(_, quantities)| quantities)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every line's quantities, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Quantities> {
        self.0.iter_mut().map(|(_, quantities)| quantities)
    }

    /// Drops lines that are nothing.
    pub(super) fn drop_zeros(&mut self) {
        self.0.retain(|(_, quantities)| !quantities.is_zero());
    }
}

impl Index<&LineKey> for Lines {
    type Output = Quantities;

    fn index(&self, key: &LineKey) -> &Quantities {
        self.get(key).expect("a line that is there")
    }
}

impl FromIterator<(LineKey, Quantities)> for Lines {
    fn from_iter<T: IntoIterator<Item = (LineKey, Quantities)>>(lines: T) -> Self {
        let mut all = Self::default();
        for (key, quantities) in lines {
            all.add(key, quantities);
        }
        all
    }
}
