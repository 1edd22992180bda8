//! A decision that asks nothing allocates nothing: not for the user, not for the event, not for the reason.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use steadfast_engine::decide::NeedsStored;
use steadfast_engine::{Attributes, CallError, Options, Request, Settings, Step, verb};

const SETTINGS: &str = r#"{"accountId":888888,"version":1,"campaigns":[
    {"id":1,"key":"plain","type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"segments":{},"goals":[],
     "variations":[{"id":1,"name":"Control","weight":50},{"id":2,"name":"Green","weight":50}]},
    {"id":2,"key":"audience","type":"FEATURE_TEST","status":"RUNNING","percentTraffic":80,"goals":[],
     "segments":{"and":[{"custom_variable":{"plan":"lower(gold)"}},{"custom_variable":{"age":"gt(18)"}},
        {"or":[{"custom_variable":{"email":"wildcard(*@example.com)"}},{"custom_variable":{"age":"42"}}]}]},
     "variations":[{"id":1,"name":"Control","weight":50},{"id":2,"name":"Green","weight":50}]},
    {"id":3,"key":"first","type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"segments":{},"goals":[],
     "variations":[{"id":1,"name":"Control","weight":100}]},
    {"id":4,"key":"second","type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"segments":{},"goals":[],
     "variations":[{"id":1,"name":"Control","weight":100}]},
    {"id":5,"key":"forced","type":"VISUAL_AB","status":"RUNNING","percentTraffic":100,"segments":{},"goals":[],
     "isForcedVariationEnabled":true,"isUserListEnabled":true,
     "variations":[{"id":1,"name":"Control","weight":100,"segments":{"or":[{"user":"F17FB0E3D3C25D379A231CA14929994D"}]}},
        {"id":2,"name":"Green","weight":0,"segments":{"or":[{"user":"nobody"}]}}]}],
    "groups":{"7":{"campaigns":[3,4]}},"campaignGroups":{"3":7,"4":7}}"#;

type Decide = for<'a> fn(Request<'a>, &str) -> Result<Step<NeedsStored<'a>>, CallError>;

fn check(campaign: &str, decide: Decide) {
    let settings = Settings::parse(SETTINGS).expect("well formed");
    let custom_variables = Attributes::new().with("plan", "gold").with("age", 42.0).with("email", "a@example.com");
    let options = Options { custom_variables, ..Options::default() };
    let users: Vec<String> = (0..100).map(|number| format!("user-{number}")).chain(["ü 日本".to_owned()]).collect();
    let mut assigned = 0;
    let counted = allocation_counter::measure(|| {
        for user in &users {
            let request = Request::new(&settings, user.as_str()).with_options(&options);
            if let Ok(Step::Done(decision)) = decide(request, campaign) {
                assigned += u32::from(decision.variation().is_some());
                assert!(decision.effects().count() < 3);
            }
        }
    });
    assert!(assigned > 20, "{campaign}: only {assigned} got a variation");
    assert_eq!(counted.count_total, 0, "{campaign}");
}

#[test]
fn a_decision_without_a_storage_allocates_nothing() {
    check("plain", verb::activate);
    check("plain", verb::variation_name);
    check("audience", verb::feature_enabled);
    check("audience", verb::feature_variable);
    check("first", verb::activate);
    check("forced", verb::activate);
}
