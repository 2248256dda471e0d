//! A list that is mostly empty or of one item, and then allocates nothing.

use std::ops::{Deref, DerefMut};

/// No item, one, or many, in order.
#[derive(Clone, Default)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub fn push(&mut self, item: T) {
        if let Few::Many(items) = self {
            items.push(item);
            return;
        }
        *self = match std::mem::take(self) {
            Few::None => Few::One(item),
            Few::One(first) => Few::Many(vec![first, item]),
            Few::Many(items) => Few::Many(items),
        };
    }

    /// Keeps what holds.
    pub fn retain(&mut self, mut holds: impl FnMut(&T) -> bool) {
        match self {
            Few::None => {}
            Few::One(item) => {
                if !holds(item) {
                    *self = Few::None;
                }
            }
            Few::Many(items) => items.retain(holds),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Few::None => &[],
            Few::One(item) => std::slice::from_ref(item),
            Few::Many(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::None => &mut [],
            Few::One(item) => std::slice::from_mut(item),
            Few::Many(items) => items,
        }
    }
}

impl<T> From<Option<T>> for Few<T> {
    fn from(item: Option<T>) -> Self {
        item.map_or(Few::None, Few::One)
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Few::None;
        few.extend(items);
        few
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Few::None => (None, Vec::new()),
            Few::One(item) => (Some(item), Vec::new()),
            Few::Many(items) => (None, items),
        };
        one.into_iter().chain(many)
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn it_holds_what_a_list_would_hold() {
        for length in 0..4 {
            let mut few: Few<i32> = (0..length).collect();
            assert_eq!(few.to_vec(), (0..length).collect::<Vec<_>>());
            assert_eq!(few.clone().into_iter().collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
            few.retain(|item| item % 2 == 1);
            assert_eq!(few.to_vec(), (0..length).filter(|item| item % 2 == 1).collect::<Vec<_>>());
            few.push(9);
            assert_eq!(few.last(), Some(&9));
        }
    }
}
