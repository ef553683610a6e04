//! A bounded place for things that wait to be asked for, each for the same span.

use std::collections::VecDeque;

use super::table::ByHash;

#[derive(Debug)]
pub(super) struct Shelf<V> {
    items: ByHash<(i64, V)>,
    /// In the order of putting; what was taken or put again leaves a stale entry.
    order: VecDeque<(i64, u64)>,
    capacity: usize,
}

impl<V> Shelf<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            items: ByHash::default(),
            order: VecDeque::new(),
            capacity,
        }
    }

    /// Puts a thing there until `due`; true when the oldest had to make room.
    pub(super) fn put(&mut self, name: u64, due: i64, value: V) -> bool {
        self.items.insert(name, (due, value));
        self.order.push_back((due, name));
        if self.order.len() > 4 * self.capacity {
            let items = &self.items;
            self.order
                .retain(|(due, name)| is_current(items, *due, *name));
        }
        let mut full = false;
        while self.items.len() > self.capacity {
            let Some((due, name)) = self.order.pop_front() else {
                break;
            };
            if is_current(&self.items, due, name) {
                self.items.remove(&name);
                full = true;
            }
        }
        full
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn get(&self, name: u64) -> Option<&V> {
        if self.items.is_empty() {
            return None;
        }
        self.items.get(&name).map(|(_, value)| value)
    }

    pub(super) fn take(&mut self, name: u64) -> Option<V> {
        if self.items.is_empty() {
            return None;
        }
        self.items.remove(&name).map(|(_, value)| value)
    }

    pub(super) fn expire(&mut self, now: i64) {
        while let Some((due, name)) = self.order.front().copied().filter(|(due, _)| *due <= now) {
            self.order.pop_front();
            if is_current(&self.items, due, name) {
                self.items.remove(&name);
            }
        }
    }

    /// Everything with its name and time, in the order of putting.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, i64, &V)> {
        self.order.iter().filter_map(|(due, name)| {
            let (current, value) = self.items.get(name)?;
            (current == due).then_some((*name, *due, value))
        })
    }
}

fn is_current<V>(items: &ByHash<(i64, V)>, due: i64, name: u64) -> bool {
    items.get(&name).is_some_and(|(current, _)| *current == due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_the_late_are_gone() {
        let mut shelf = Shelf::new(2);
        assert!(!shelf.put(1, 10, 'a'));
        assert!(!shelf.put(2, 11, 'b'));
        assert!(!shelf.put(1, 12, 'c'));
        assert!(shelf.put(3, 13, 'd'), "b is the oldest now");
        assert_eq!(shelf.take(2), None);
        shelf.expire(12);
        assert_eq!(shelf.get(1), None);
        assert_eq!(shelf.iter().collect::<Vec<_>>(), [(3, 13, &'d')]);
    }
}
