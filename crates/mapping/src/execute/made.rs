//! What is to be made, by handle and place.

use crate::few::Few;
use crate::number_hash::NumberMap;
use crate::plan::Handle;

/// The instances of each handle, by the groups that they lie in, at any depth, and by their segments.
#[derive(Default)]
pub(super) struct Made {
    /// By number of the handle: does it make anything?
    handles: Vec<bool>,
    by_group: NumberMap<Few<usize>>,
    by_segment: NumberMap<Few<usize>>,
}

impl Made {
    /// Notes an instance in a group.
    pub fn in_group(&mut self, handle: &Handle, group: usize, instance: usize) {
        if self.handles.len() <= handle.number {
            self.handles.resize(handle.number + 1, false);
        }
        if let Some(makes) = self.handles.get_mut(handle.number) {
            *makes = true;
        }
        self.by_group.entry(key(handle, group)).or_default().push(instance);
    }

    /// Notes an instance of a segment.
    pub fn of_segment(&mut self, handle: &Handle, segment: usize, instance: usize) {
        self.by_segment.entry(key(handle, segment)).or_default().push(instance);
    }

    /// Is anything made of the handle?
    pub fn has(&self, handle: &Handle) -> bool {
        self.handles.get(handle.number).copied().unwrap_or(false)
    }

    /// The instances in a group or below it.
    pub fn within(&self, handle: &Handle, group: usize) -> Option<&Few<usize>> {
        self.by_group.get(&key(handle, group))
    }

    /// The instances of a segment.
    pub fn at_segment(&self, handle: &Handle, segment: usize) -> Option<&Few<usize>> {
        self.by_segment.get(&key(handle, segment))
    }
}

/// Handles and places are far fewer than 2^32.
fn key(handle: &Handle, place: usize) -> u64 {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    number(handle.number) << 32 | number(place)
}
