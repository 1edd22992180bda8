//! Where a record stands: user id, end, campaign key, so that the order of bytes is the order of (user, campaign).

/// Ends a user id, and stands for a NUL in it where [`ESCAPE`] follows.
const END: u8 = 0x00;
/// Never the first byte of a UTF-8 text.
const ESCAPE: u8 = 0xff;

/// The key of a record.
pub(super) fn key(user: &str, campaign: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(user.len() + 1 + campaign.len());
    push_user(&mut key, user);
    key.extend_from_slice(campaign.as_bytes());
    key
}

/// The keys of all records of a user: from the first, up to and without the second.
pub(super) fn keys_of(user: &str) -> (Vec<u8>, Vec<u8>) {
    let mut first = Vec::with_capacity(user.len() + 2);
    push_user(&mut first, user);
    let mut end = first.clone();
    end.push(ESCAPE);
    (first, end)
}

/// The user's part of a key and the campaign key; `None` if it is no key.
pub(super) fn split(key: &[u8]) -> Option<(&[u8], &str)> {
    let mut from = 0;
    loop {
        let end = from + key.get(from..)?.iter().position(|byte| *byte == END)?;
        if key.get(end + 1) == Some(&ESCAPE) {
            from = end + 2;
        } else {
            return Some((&key[..end], std::str::from_utf8(&key[end + 1..]).ok()?));
        }
    }
}

/// The user id from the user's part of a key; `None` if it is none.
pub(super) fn user(part: &[u8]) -> Option<String> {
    if !part.contains(&END) {
        return std::str::from_utf8(part).ok().map(str::to_owned);
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.iter();
    while let Some(byte) = rest.next() {
        bytes.push(*byte);
        if *byte == END && rest.next() != Some(&ESCAPE) {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

fn push_user(key: &mut Vec<u8>, user: &str) {
    for (place, part) in user.split('\0').enumerate() {
        if place > 0 {
            key.extend_from_slice(&[END, ESCAPE]);
        }
        key.extend_from_slice(part.as_bytes());
    }
    key.push(END);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 12] = ["", "\0", "\0\0", "\0a", "\u{1}", "a", "a\0", "a\0b", "a\u{1}", "ab", "é", "\u{10ffff}"];

    #[test]
    fn a_key_is_read_back() {
        for id in TEXTS {
            for campaign in TEXTS {
                let key = key(id, campaign);
                let (part, found) = split(&key).expect("a key");
                assert_eq!((user(part).as_deref(), found), (Some(id), campaign), "{id:?} {campaign:?}");
            }
        }
    }

    #[test]
    fn the_order_of_keys_is_the_order_of_users_and_campaigns() {
        let mut places: Vec<(&str, &str)> =
            TEXTS.iter().flat_map(|user| TEXTS.iter().map(move |campaign| (*user, *campaign))).collect();
        places.sort_unstable();
        assert!(places.is_sorted_by_key(|(user, campaign)| key(user, campaign)));
    }

    #[test]
    fn a_range_holds_the_records_of_its_user_alone() {
        for id in TEXTS {
            let (first, end) = keys_of(id);
            for other in TEXTS {
                for campaign in TEXTS {
                    let key = key(other, campaign);
                    assert_eq!(first <= key && key < end, id == other, "{id:?} and {other:?} in {campaign:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for bytes in [&b""[..], b"user", b"user\0\xff", b"user\0\xf5campaign"] {
            assert!(split(bytes).is_none(), "{bytes:?}");
        }
        assert_eq!(user(b"\xff"), None);
    }
}
