//! What a panic says on standard error.

use std::panic::{self, Location, PanicHookInfo};

/// Lets redb's panics say nothing. They are its answer to a damaged file, and the storage makes an error of each, with
/// words for people; any other panic is a fault of this program, and says so as ever.
pub(crate) fn silence_redb() {
    let as_ever = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if !info.location().is_some_and(is_in_redb) {
            as_ever(info);
        }
    }));
}

/// Sources of a dependency lie in a folder of its name and version.
fn is_in_redb(location: &Location<'_>) -> bool {
    location.file().split(['/', '\\']).any(|part| {
        part.strip_prefix("redb-").is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    })
}
