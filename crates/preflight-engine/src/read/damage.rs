//! Collecting damage: each kind a few times, the rest counted.

use crate::facts::{Damage, ObjectRef};

/// How often one kind is listed.
const LISTED: usize = 20;

/// The damage met so far.
#[derive(Debug, Default)]
pub(crate) struct Damages {
    listed: Vec<Damage>,
    left_off: std::collections::BTreeMap<String, (u64, bool)>,
}

impl Damages {
    /// Notes one piece. `repaired` says that nothing was left out.
    pub(crate) fn note(
        &mut self,
        kind: &'static str,
        detail: impl Into<String>,
        page: Option<u32>,
        object: Option<ObjectRef>,
        repaired: bool,
    ) {
        self.add(Damage { kind: kind.to_owned(), detail: detail.into(), page, object, repaired });
    }

    /// Adds one piece, each once for a page and object.
    pub(crate) fn add(&mut self, new: Damage) {
        let same = |one: &Damage| one.kind == new.kind && one.page == new.page && one.object == new.object;
        if self.listed.iter().any(same) {
            return;
        }
        if self.listed.iter().filter(|one| one.kind == new.kind).count() < LISTED {
            self.listed.push(new);
        } else {
            let (count, all) = self.left_off.entry(new.kind).or_insert((0, true));
            *count += 1;
            *all &= new.repaired;
        }
    }

    /// All of it; of a kind that was met more often, one more entry with the count.
    pub(crate) fn into_facts(mut self) -> Vec<Damage> {
        for (kind, (count, repaired)) in self.left_off {
            self.listed.push(Damage {
                kind,
                detail: format!("The same was met {count} more times."),
                page: None,
                object: None,
                repaired,
            });
        }
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_caps_each_kind_and_counts_the_rest() {
        let mut damages = Damages::default();
        for number in 0..25 {
            damages.note("stream_length_wrong", "x", None, Some(ObjectRef(number, 0)), number != 24);
            damages.note("stream_length_wrong", "x", None, Some(ObjectRef(0, 0)), true);
        }
        let facts = damages.into_facts();
        assert_eq!(facts.len(), 21);
        assert_eq!(facts[20].detail, "The same was met 5 more times.");
        assert!(!facts[20].repaired);
    }
}
