//! Which quirk a difference comes from: by the tags of its line, or, where a storage carries state over, by the tags of
//! an earlier line about the same user and the same campaign, or a campaign of the same group.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use steadfast::engine::Record;
use steadfast::engine::settings::wire::Json;

use crate::case::Case;
use crate::compare::Difference;

/// The tag of a record that is put into the storage and is none.
const UNREADABLE_RECORD: &str = "unreadable-record";

/// The tags that may explain a difference.
pub type Tags<'c> = BTreeSet<&'c str>;

/// What the lines of a case touch, in order.
#[derive(Debug)]
pub struct Attribution<'c> {
    case: &'c Case,
    /// The user of each line, and the campaigns as their [component](Components).
    touched: Vec<(String, BTreeSet<String>)>,
    components: Components,
}

/// Campaigns that influence each other: the members of a group are one component, every other campaign is its own.
#[derive(Debug)]
struct Components(BTreeMap<String, String>);

impl<'c> Attribution<'c> {
    /// Reads what each line of the case touches.
    #[must_use]
    pub fn new(case: &'c Case) -> Self {
        let settings: Value = serde_json::from_str(&case.settings).unwrap_or_default();
        let components = Components::new(&settings);
        let touched = case.requests.iter().map(|request| {
            let request: Value = serde_json::from_str(request).unwrap_or_default();
            let request = match request["op"].as_str() {
                // Nothing is stored for it.
                Some("push") => return (String::new(), BTreeSet::new()),
                Some("storage_put") => &request["record"],
                _ => &request,
            };
            let user = request["userId"].as_str().unwrap_or_default().to_owned();
            (user, components.touched_by(&request["campaignKey"]))
        });
        Attribution { touched: touched.collect(), case, components }
    }

    /// The tags among `deviating` that explain a difference; none when nothing does.
    #[must_use]
    pub fn explain(&self, difference: &Difference, deviating: impl Fn(&str) -> bool) -> Tags<'c> {
        let of_line = |line: usize| self.case.quirks[line].iter().map(String::as_str).filter(|tag| deviating(tag));
        match difference {
            Difference::Answer { line, .. } => {
                let own: Tags<'c> = of_line(*line).collect();
                if !own.is_empty() || !self.case.has_storage {
                    return own;
                }
                let (user, campaigns) = &self.touched[*line];
                self.lines_about(user, campaigns).filter(|earlier| earlier < line).flat_map(of_line).collect()
            }
            Difference::Record { expected: Some(record), found: None, .. }
                if is_unreadable(record) && deviating(UNREADABLE_RECORD) =>
            {
                Tags::from([UNREADABLE_RECORD])
            }
            Difference::Record { key: (user, campaign), .. } => {
                let campaigns = BTreeSet::from([self.components.of(campaign)]);
                self.lines_about(user, &campaigns).flat_map(of_line).collect()
            }
        }
    }

    fn lines_about<'s>(&'s self, user: &'s str, campaigns: &'s BTreeSet<String>) -> impl Iterator<Item = usize> + 's {
        let lines = self.touched.iter().enumerate();
        lines.filter(move |(_, (who, where_))| who == user && !where_.is_disjoint(campaigns)).map(|(line, _)| line)
    }
}

impl Components {
    fn new(settings: &Value) -> Self {
        let campaigns: Vec<&Value> = match &settings["campaigns"] {
            Value::Array(items) => items.iter().collect(),
            Value::Object(items) => items.values().collect(),
            _ => Vec::new(),
        };
        let by_id: BTreeMap<String, String> = campaigns
            .iter()
            .filter_map(|campaign| Some((text(&campaign["id"]), campaign["key"].as_str()?.to_owned())))
            .collect();
        let mut component: BTreeMap<String, String> =
            by_id.values().map(|key| (key.clone(), format!("campaign {key}"))).collect();
        let join = |component: &mut BTreeMap<String, String>, id: &str, group: &str| {
            if let Some(key) = by_id.get(id) {
                component.insert(key.clone(), format!("group {group}"));
            }
        };
        for (group, members) in settings["groups"].as_object().into_iter().flatten() {
            for member in members["campaigns"].as_array().into_iter().flatten() {
                join(&mut component, &text(member), group);
            }
        }
        for (id, group) in settings["campaignGroups"].as_object().into_iter().flatten() {
            join(&mut component, id, &text(group));
        }
        Components(component)
    }

    fn of(&self, campaign: &str) -> String {
        self.0.get(campaign).cloned().unwrap_or_else(|| format!("campaign {campaign}"))
    }

    /// The components of what a request names as its campaign: one, a list, or all.
    fn touched_by(&self, campaign: &Value) -> BTreeSet<String> {
        match campaign {
            Value::String(key) => BTreeSet::from([self.of(key)]),
            Value::Array(keys) => keys.iter().filter_map(Value::as_str).map(|key| self.of(key)).collect(),
            _ => self.0.values().cloned().collect(),
        }
    }
}

/// Whether what is stored there is no record to us.
fn is_unreadable(record: &Value) -> bool {
    let text = record.to_string();
    Json::parse(&text).is_ok_and(|json| Record::from_json(&json).is_err())
}

fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
