//! Users and campaigns do not mix, whatever their ids look like.

use steadfast_engine::Record;

use crate::conformance::check::{Check, StorageCheck, Verdict, same};
use crate::conformance::run::Run;

pub(super) const CHECKS: &[StorageCheck] = &[
    Check::new("users-apart", "a user is no other user in the same campaign", users),
    Check::new("campaigns-apart", "a campaign is no other campaign of the same user", campaigns),
    Check::new("separators-apart", "no user and campaign are taken for others that read alike together", separators),
    Check::new("nul-apart", "an id goes on after a NUL byte", nul),
    Check::new("case-apart", "ids that differ in case are different", case),
    Check::new("blanks-apart", "ids that differ in blanks at an end are different", blanks),
    Check::new("unicode-apart", "ids are any Unicode text, and are compared as they are", unicode),
    Check::new("long-ids-apart", "ids of 4096 bytes count to their last byte", long),
];

/// Sets a record in each place, which must be empty until then, and looks for each afterwards.
fn apart(run: &Run<'_>, places: &[(String, String)]) -> Verdict {
    let record = |number: usize, (user, campaign): &(String, String)| Record::new(user, campaign, format!("V{number}"));
    for (number, place) in places.iter().enumerate() {
        let found = run.get(&place.0, &place.1)?;
        same(format!("nothing had been set for user {:?} in campaign {:?}", place.0, place.1), &None, &found)?;
        run.set(record(number, place))?;
    }
    for (number, place) in places.iter().enumerate() {
        let found = run.get(&place.0, &place.1)?;
        same("other users and campaigns were set after this one", &Some(record(number, place)), &found)?;
    }
    Ok(())
}

/// These texts as the ids of users, then as the keys of campaigns.
fn apart_as_either(run: &Run<'_>, texts: &[&str]) -> Verdict {
    let users: Vec<_> = texts.iter().map(|text| (run.user(text), "campaign".to_owned())).collect();
    apart(run, &users)?;
    let user = run.user("of campaigns");
    let campaigns: Vec<_> = texts.iter().map(|text| (user.clone(), format!("campaign-{text}"))).collect();
    apart(run, &campaigns)
}

fn users(run: &Run<'_>) -> Verdict {
    let users = ["", "a", "b", "ab", "abc", "1", "10", "2"];
    apart(run, &users.map(|user| (run.user(user), "campaign".to_owned())))
}

fn campaigns(run: &Run<'_>) -> Verdict {
    let campaigns = ["a", "b", "ab", "abc", "1", "10", "2"];
    apart(run, &campaigns.map(|campaign| (run.user("user"), campaign.to_owned())))
}

/// Two places that are the same text once user and campaign are joined, for everything one could join them with.
fn separators(run: &Run<'_>) -> Verdict {
    const JOINTS: [&str; 20] = [
        "", "_vwo_", ":", "::", "/", "//", "\\", "{}", "}{", "|", "#", "-", "_", ".", ",", ";", " ", "\0", "\n",
        "\u{1f}",
    ];
    let places: Vec<_> = JOINTS
        .into_iter()
        .enumerate()
        .flat_map(|(number, joint)| {
            let user = |rest: String| run.user(&format!("{number}{rest}"));
            [
                (user("a".into()), format!("b{joint}c")),
                (user(format!("a{joint}b")), "c".to_owned()),
                (user("a".into()), format!("{joint}bc")),
                (user(format!("a{joint}")), "bc".to_owned()),
                (user(format!("{{a{joint}}}")), "bc".to_owned()),
            ]
        })
        .collect();
    // Joined with nothing at all, some are the very same place.
    let mut once: Vec<(String, String)> = Vec::new();
    for place in places {
        if !once.contains(&place) {
            once.push(place);
        }
    }
    apart(run, &once)
}

fn nul(run: &Run<'_>) -> Verdict {
    apart_as_either(run, &["a", "a\0", "a\0b", "a\0c", "a\0\0b", "\0", "\0a"])
}

fn case(run: &Run<'_>) -> Verdict {
    apart_as_either(run, &["ashley", "Ashley", "ASHLEY", "straße", "STRASSE", "Straße", "ı", "i", "I", "İ"])
}

fn blanks(run: &Run<'_>) -> Verdict {
    // The first of a campaign key is no end; the last of either is.
    apart_as_either(
        run,
        &["a", "a ", "a  ", "a\t", "a\n", "a\r\n", "a\u{a0}", "a\u{2003}", "a\u{200b}", "a\u{feff}", ""],
    )
}

fn unicode(run: &Run<'_>) -> Verdict {
    let texts = [
        "é",
        "e\u{301}",
        "e",
        "日本",
        "日",
        "🎯",
        "👩‍👩‍👧",
        "👩",
        "\u{10ffff}",
        "\u{fffd}",
        "\u{e000}",
        "ﬁ",
        "fi",
        "א",
        "ا",
    ];
    apart_as_either(run, &texts)
}

fn long(run: &Run<'_>) -> Verdict {
    const BYTES: usize = 4_096;
    let filled = |start: String, end: &str| {
        let fill = BYTES.saturating_sub(start.len() + end.len());
        start + &"x".repeat(fill) + end
    };
    let user = |end| (filled(run.user("long"), end), "campaign".to_owned());
    let campaign = |end| (run.user("of long"), filled(String::new(), end));
    let both = |user: &str, campaign: &str| (filled(run.user("both"), user), filled(String::new(), campaign));
    let places = [
        user("1"),
        user("2"),
        user(""),
        campaign("1"),
        campaign("2"),
        campaign(""),
        both("1", "1"),
        both("1", "2"),
        both("2", "1"),
    ];
    apart(run, &places)
}
