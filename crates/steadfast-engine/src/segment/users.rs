//! The ids of a `user` operand.

use super::number::trim;

/// A list of user ids, or of visitor ids where the campaign hashes them (spec SEG-40, SEG-41). Sorted, so that lists
/// of many thousand ids are searched in a few steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Users {
    ids: Box<[Box<str>]>,
}

impl Users {
    /// Reads `id1,id2,…`; white space around an id does not count. The empty text holds one id, the empty one.
    pub(super) fn parse(text: &str) -> Self {
        let mut ids: Vec<Box<str>> = text.split(',').map(|id| trim(id).into()).collect();
        ids.sort_unstable();
        ids.dedup();
        Users { ids: ids.into() }
    }

    /// Whether exactly this id is in the list.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.binary_search_by(|candidate| candidate.as_ref().cmp(id)).is_ok()
    }

    /// The ids, each once, in the order of their bytes.
    pub(super) fn ids(&self) -> &[Box<str>] {
        &self.ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, id: &str, expected: bool) {
        assert_eq!(Users::parse(list).contains(id), expected, "{id:?} in {list:?}");
    }

    #[test]
    fn items_are_trimmed_and_ids_are_not() {
        check("u1,u2", "u1", true);
        check("u1, u2 ", "u2", true);
        check("u1,\u{feff}u2\u{3000}", "u2", true);
        check("u1", " u1", false);
        check("u1", "U1", false);
        check("u1", "u", false);
    }

    #[test]
    fn an_empty_item_is_the_empty_id() {
        check("", "", true);
        check("u1,", "", true);
        check("u1", "", false);
    }

    #[test]
    fn long_lists_are_searched_too() {
        let list = (0..1000).map(|number| format!("user-{number}")).collect::<Vec<_>>().join(", ");
        check(&list, "user-0", true);
        check(&list, "user-999", true);
        check(&list, "user-1000", false);
    }
}
