//! A list that nearly always has one element, which lies in place: [`Few`].

/// A list whose first element needs no memory of its own.
#[derive(Debug)]
pub(crate) struct Few<T> {
    first: Option<T>,
    more: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, more: Vec::new() }
    }
}

impl<T> Few<T> {
    pub(crate) fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.more.push(item),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.more)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.more)
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// Those that stay keep their order.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        self.more.retain(&mut stays);
        if !self.first.as_ref().is_some_and(stays) {
            self.first = if self.more.is_empty() { None } else { Some(self.more.remove(0)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_list() {
        let mut few = Few::default();
        (1..=5).for_each(|n| few.push(n));
        assert_eq!(few.len(), 5);
        few.retain(|n| *n != 1 && *n != 3);
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [2, 4, 5]);
        few.iter_mut().for_each(|n| *n += 1);
        few.retain(|n| *n == 3);
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [3]);
        few.retain(|_| false);
        assert_eq!((few.len(), few.iter().next()), (0, None));
        few.push(9);
        assert_eq!(few.len(), 1);
    }
}
