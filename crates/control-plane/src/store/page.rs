//! Windows over long lists: newest first, by time-ordered id.

use uuid::Uuid;

/// What part of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// At most this many items.
    pub limit: u32,
    /// Only items that come after this one in the order of the list.
    pub after: Option<Uuid>,
}

impl Window {
    /// One row more than asked for says whether there is a further page.
    pub(super) fn probe(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Lists run from the newest id down, so the start is the greatest id of all.
    pub(super) fn below(&self) -> Uuid {
        self.after.unwrap_or(Uuid::max())
    }

    /// Cuts the probe off again and says where the next page starts.
    pub fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Slice<T> {
        let limit = self.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(id);
        Slice { items, next }
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Slice<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where the next page starts; none on the last one.
    pub next: Option<Uuid>,
}

impl<T> Slice<T> {
    /// The same page of other things.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Slice<U> {
        Slice { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(limit: u32) -> Window {
        Window { limit, after: None }
    }

    #[test]
    fn cut_with_a_further_page_names_the_last_item_shown() {
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let slice = window(2).cut(ids.clone(), |id| *id);
        assert_eq!(slice.items, ids[..2]);
        assert_eq!(slice.next, Some(ids[1]));
    }

    #[test]
    fn cut_on_the_last_page_names_no_next() {
        let ids: Vec<Uuid> = (1..=2).map(Uuid::from_u128).collect();
        assert_eq!(window(2).cut(ids, |id| *id).next, None);
    }
}
