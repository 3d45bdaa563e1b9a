//! A vector that grows without moving what it holds: [`Paged`].

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

const PAGE: usize = 4096;

/// Values numbered from 0, in pages of 4096. Doubling one vector of a million entries would stall everybody.
#[derive(Debug)]
pub(crate) struct Paged<T>(Vec<Vec<T>>);

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Paged<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PAGE + last.len())
    }

    /// Appends a value, and returns its number.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        let at = self.len() as u32;
        match self.0.last_mut() {
            Some(page) if page.len() < PAGE => page.push(value),
            // The first page grows as it fills: a small index stays small.
            last => {
                let mut page = Vec::with_capacity(if last.is_none() { 16 } else { PAGE });
                page.push(value);
                self.0.push(page);
            }
        }
        at
    }
}

impl<T> Index<u32> for Paged<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        &self.0[at as usize / PAGE][at as usize % PAGE]
    }
}

impl<T> IndexMut<u32> for Paged<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.0[at as usize / PAGE][at as usize % PAGE]
    }
}
