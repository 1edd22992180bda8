//! `storage import`: what is there stays, what other products kept is taken over, and what is lost is told.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod command;

use command::{Run, Scratch, campaign, even, settings, steadfast};
use serde_json::{Value, json};

/// A folder with a storage in a file.
struct Place {
    scratch: Scratch,
    url: String,
}

impl Place {
    fn new(test: &str) -> Place {
        let scratch = Scratch::new(&format!("import-{test}"));
        let url = format!("embedded:{}", scratch.path("users.redb"));
        Place { scratch, url }
    }

    fn import(&self, input: &str, arguments: &[&str]) -> Run {
        let input = self.scratch.file("input.ndjson", input);
        steadfast(&[&["storage", "import", "--storage", &self.url, "--input", &input], arguments].concat())
    }

    /// What is stored: user, campaign, variation, goals.
    fn stored(&self) -> Vec<[String; 4]> {
        let run = steadfast(&["storage", "export", "--storage", &self.url]);
        assert_eq!((run.status, &*run.errors), (0, ""));
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let records = run.output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .map(|record| ["userId", "campaignKey", "variationName", "goalIdentifier"].map(|key| text(&record, key)))
            .collect()
    }

    fn holds(&self, expected: &[[&str; 4]]) {
        assert_eq!(self.stored(), expected);
    }
}

const RECORDS: &str = r#"
{"userId":"Ashley","campaignKey":"checkout","variationName":"Green","goalIdentifiers":"b_vwo_c"}
{"userId":"Bo","campaignKey":"checkout","variationName":"Control"}
"#;

#[test]
fn what_is_there_stays_unless_it_is_to_be_written_over() {
    let place = Place::new("merge");
    let there = r#"{"userId":"Ashley","campaignKey":"checkout","variationName":"Control","goalIdentifier":"a_vwo_b"}"#;
    assert_eq!(place.import(there, &[]).status, 0);
    let run = place.import(RECORDS, &[]);
    assert_eq!((run.status, &*run.errors), (0, ""));
    run.has_lines(&[
        "read                2  from 2 lines",
        "claimed             1",
        "kept                1  with another variation than the imported: 1",
        "replaced            0",
        "failed              0",
    ]);
    place.holds(&[["Ashley", "checkout", "Control", "a_vwo_b_vwo_c"], ["Bo", "checkout", "Control", ""]]);
    let json = place.import(RECORDS, &["--overwrite", "--json"]).json();
    assert_eq!([&json["claimed"], &json["kept"], &json["replaced"]], [0, 1, 1]);
    place.holds(&[["Ashley", "checkout", "Green", "b_vwo_c"], ["Bo", "checkout", "Control", ""]]);
}

#[test]
fn malformed_lines_are_named_and_nothing_else_is_lost() {
    let place = Place::new("malformed");
    let good = |number: usize| json!({"userId": format!("user-{number:04}"), "campaignKey": "c", "variationName": "V"});
    let mut input: Vec<u8> = b"\xef\xbb\xbf".to_vec();
    for number in 0..3_000 {
        input.extend(format!("{}\r\n", good(number)).bytes());
        match number {
            // Blank lines have a number, too.
            9 => input.extend(b"\n{\"userId\":\"x\",\"campaignKey\":\"c\"}\nnot JSON at all\n\xff\xfe\n"),
            1_999 => input.extend(b"{\"userId\":7,\"campaignKey\":\"c\",\"variationName\":\"V\"}\n{\"campaignKey\":\"c\",\"variationName\":\"V\"}\n"),
            _ => {}
        }
    }
    let file = place.scratch.path("input.bin");
    std::fs::write(&file, input).unwrap();
    let run = steadfast(&["storage", "import", "--storage", &place.url, "--input", &file]);
    assert_eq!(run.status, 1);
    run.has_lines(&["read            3,000  from 3,005 lines; 5 malformed and left out", "claimed         3,000"]);
    let told: Vec<&str> = run.errors.lines().collect();
    let expected = [
        "line 12 has no `variationName`",
        "line 13 is not JSON: expected ident at column 2",
        "line 14 is not UTF-8 text",
        "line 2005 has a `userId` that is no text",
        "line 2006 has no `userId`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{told:?}");
    assert_eq!(place.stored().len(), 3_000);
}

#[test]
fn many_malformed_lines_are_counted() {
    let place = Place::new("many");
    let run = place.import(&"{}\n".repeat(100), &[]);
    assert_eq!((run.status, run.errors.lines().count()), (1, 21));
    assert!(run.errors.ends_with("and 80 more lines are malformed\n"), "{}", run.errors);
}

#[test]
fn memory_tries_a_file_out() {
    let place = Place::new("memory");
    let input = place.scratch.file("input.ndjson", RECORDS);
    let run = steadfast(&["storage", "import", "--storage", "memory:", "--input", &input]);
    assert_eq!(run.status, 0);
    run.has_lines(&["claimed             2"]);
}

/// Settings with two campaigns, and a map for what they do not know.
fn known(scratch: &Scratch) -> (String, String) {
    let campaigns =
        [even(231, "checkout"), campaign(232, "banner", &[("Control", 40.0), ("Beach", 30.0), ("Snow", 30.0)])];
    let map = json!({"experiments": {
        "9300": {"campaign": "banner", "variations": {"11": "Snow"}},
        "front__page": {"campaign": "banner", "variations": {"x": "Snow"}},
        "8000": null,
    }});
    (scratch.settings(&settings(&campaigns)), scratch.file("map.json", &map.to_string()))
}

#[test]
fn profiles_of_optimizely() {
    let place = Place::new("optimizely");
    let (settings, map) = known(&place.scratch);
    let profiles = [
        json!({"user_id": "Ashley", "experiment_bucket_map": {
            "9300": {"variation_id": "11"}, "231": {"variation_id": "2"}, "8000": {"variation_id": "1"}}}),
        json!({"user_id": "Bo", "experiment_bucket_map": {"232": {"variation_id": 2}, "7": {"variation_id": "1"}}}),
        json!({"user_id": "Cleo", "experiment_bucket_map": {"231": {"variation_id": "99"}}}),
        json!({"user_id": "Dee", "experiment_bucket_map": {"231": {"variation_id": "1"}, "232": {}}}),
        json!({"user_id": "Eve", "experiment_bucket_map": {}}),
    ];
    let input: String = profiles.iter().map(|profile| format!("{profile}\n")).collect();
    let run = place.import(&input, &["--format", "optimizely", "--settings", &settings, "--map", &map]);
    assert_eq!(run.status, 1);
    run.has_lines(&[
        "read                3  from 5 lines; 1 malformed and left out",
        "claimed             3",
        "named by the map: 1",
        "named by their ids in the settings: 2",
        "left out, as the map says: 1",
        "Not imported, because nothing says what they are called here",
        "experiment 231, variation 99: 1 assignment",
        "experiment 7: 1 assignment",
    ]);
    assert!(run.errors.starts_with("line 4 has no `variation_id` for experiment `232`"), "{}", run.errors);
    place.holds(&[
        ["Ashley", "banner", "Snow", ""],
        ["Ashley", "checkout", "Green", ""],
        ["Bo", "banner", "Beach", ""],
    ]);
}

#[test]
fn sticky_buckets_of_growthbook() {
    let place = Place::new("growthbook");
    let (settings, map) = known(&place.scratch);
    let document = |name: &str, user: &str, assignments: Value| {
        format!("{}\n", json!({"attributeName": name, "attributeValue": user, "assignments": assignments}))
    };
    let input = [
        document("id", "Ashley", json!({"checkout__0": "Control", "checkout__1": "Green", "front__page__0": "x"})),
        document("id", "Bo", json!({"banner__0": "1", "checkout__0": "7"})),
        document("deviceId", "device-1", json!({"banner__0": "1"})),
    ]
    .concat();
    let run = place.import(&input, &["--format", "growthbook", "--settings", &settings, "--map", &map]);
    assert_eq!((run.status, &*run.errors), (1, ""));
    run.has_lines(&[
        "read                3  from 3 lines",
        "named by the map: 1",
        "named as in the settings: 1",
        "named by their place in the settings: 1",
        "of an older bucket version, and left out: 1",
        "passed over: 1 document of attribute deviceId",
        "experiment checkout, variation 7: 1 assignment",
    ]);
    place.holds(&[
        ["Ashley", "banner", "Snow", ""],
        ["Ashley", "checkout", "Green", ""],
        ["Bo", "banner", "Beach", ""],
    ]);
    let json = place
        .import(&input, &["--format", "growthbook", "--settings", &settings, "--attribute", "deviceId", "--json"])
        .json();
    assert_eq!([&json["claimed"], &json["namedByPlace"], &json["otherAttributes"]["id"]], [1, 1, 2]);
}

#[test]
fn imported_users_see_what_they_saw() {
    let place = Place::new("sticky");
    let (settings, _) = known(&place.scratch);
    let users: Vec<String> = (0..50).map(|number| format!("user-{number}")).collect();
    let profile = |user: &String| json!({"user_id": user, "experiment_bucket_map": {"231": {"variation_id": "2"}}});
    let input: String = users.iter().map(|user| format!("{}\n", profile(user))).collect();
    assert_eq!(place.import(&input, &["--format", "optimizely", "--settings", &settings]).status, 0);
    let call = |user: &String| json!({"op": "activate", "campaignKey": "checkout", "userId": user});
    let calls: String = users.iter().map(|user| format!("{}\n", call(user))).collect();
    let calls = place.scratch.file("calls.ndjson", &calls);
    let run = steadfast(&["batch", "--settings", &settings, "--storage", &place.url, "--input", &calls]);
    assert_eq!(run.output.matches("\"result\":\"Green\"").count(), 50);
}

#[test]
fn what_goes_with_which_format() {
    let place = Place::new("arguments");
    let (settings, map) = known(&place.scratch);
    place.import("", &["--format", "optimizely"]).refuses(&["--map, --settings or both"]);
    place.import("", &["--map", &map]).refuses(&["records have their names already"]);
    let wrong = place.scratch.file("wrong.json", r#"{"experiments":{"1":{"campaign":7}}}"#);
    place
        .import("", &["--format", "optimizely", "--settings", &settings, "--map", &wrong])
        .refuses(&["wrong.json`: $.experiments.1.campaign is not there or no text"]);
    let input = place.scratch.path("nowhere.ndjson");
    steadfast(&["storage", "import", "--storage", &place.url, "--input", &input]).refuses(&["cannot read the input"]);
    assert!(!std::path::Path::new(&place.scratch.path("users.redb")).exists(), "a refused command makes no file");
}
