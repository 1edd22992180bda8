//! A line that is put together asks for the same as one that is read.

use serde_json::{Value, json};
use steadfast::line::{Line, LineError};

/// The operation, the texts and the options.
type Call<'c> = (&'c str, &'c [(&'c str, &'c str)], Option<Value>);

fn said(line: &Line<'_>) -> String {
    format!("{:?}", line.operation())
}

#[test]
fn a_line_of_parts_is_the_line_that_is_read() {
    let calls: [Call<'_>; 9] = [
        ("activate", &[("campaignKey", "ab"), ("userId", "Ashley")], None),
        (
            "getVariationName",
            &[("campaignKey", "ab"), ("userId", "A\0\"é")],
            Some(json!({"customVariables": {"plan": "g\"old", "age": 3}, "userStorageData": {"all": []}})),
        ),
        ("isFeatureEnabled", &[("campaignKey", "feature"), ("userId", "Ashley")], Some(json!({}))),
        (
            "track",
            &[("campaignKey", "ab"), ("userId", "Ashley"), ("goalIdentifier", "buy")],
            Some(json!({"revenueValue": 5, "goalTypeToTrack": "ALL"})),
        ),
        ("track", &[("userId", "Ashley"), ("goalIdentifier", "buy")], None),
        (
            "getFeatureVariableValue",
            &[("campaignKey", "feature"), ("variableKey", "price"), ("userId", "Ashley")],
            None,
        ),
        // Mistakes are the same, too.
        ("activate", &[("campaignKey", "ab")], None),
        ("activate", &[("campaignKey", ""), ("userId", "Ashley")], None),
        ("activate", &[("campaignKey", "ab"), ("userId", "Ashley")], Some(json!([1]))),
    ];
    for (op, texts, options) in calls {
        let mut call = json!({ "op": op });
        texts.iter().for_each(|(name, text)| call[name] = (*text).into());
        options.iter().for_each(|options| call["options"] = options.clone());
        let (text, options) = (call.to_string(), options.map(|options| options.to_string()));
        let read = Line::parse(&text).unwrap();
        let line = Line::of(op, texts.iter().copied(), options.as_deref()).unwrap();
        assert_eq!(said(&line), said(&read), "{text}");
        assert!(line.warnings().is_empty());
    }
}

#[test]
fn what_is_no_line_cannot_be_put_together() {
    let texts = [("campaignKey", "ab"), ("userId", "Ashley")];
    assert!(matches!(Line::of("decide", texts, None), Err(LineError::UnknownOp(op)) if op == "decide"));
    assert!(matches!(Line::of("activate", texts, Some("{")), Err(LineError::NotJson(_))));
}
