//! Reading a line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use steadfast_engine::settings::wire::Json;
use steadfast_engine::{Options, Record, Verb};

use super::{options, unknown};

/// One line, read.
#[derive(Debug)]
pub struct Line<'l> {
    pub(super) operation: Operation<'l>,
    warnings: Vec<String>,
}

/// What a line asks for.
#[derive(Debug)]
pub enum Operation<'l> {
    /// `activate`, `getVariationName`, `isFeatureEnabled`: a verb on a campaign.
    Decide {
        /// The verb.
        verb: Verb,
        /// The campaign's key.
        campaign: Cow<'l, str>,
        /// The user.
        user: Cow<'l, str>,
        /// The options.
        options: Options,
    },
    /// `getFeatureVariableValue`
    Variable {
        /// The campaign's key.
        campaign: Cow<'l, str>,
        /// The variable's key.
        variable: Cow<'l, str>,
        /// The user.
        user: Cow<'l, str>,
        /// The options.
        options: Options,
    },
    /// `track`
    Track {
        /// The campaigns; `None` for every one that has the goal.
        campaigns: Option<Vec<Named<'l>>>,
        /// Whether a single key was given, not a list.
        single: bool,
        /// The user.
        user: Cow<'l, str>,
        /// The goal's identifier.
        goal: Cow<'l, str>,
        /// The options.
        options: Options,
    },
    /// `push`
    Push {
        /// The user.
        user: Cow<'l, str>,
        /// The properties.
        properties: BTreeMap<String, String>,
    },
    /// `storage_put`: a record straight into the storage.
    Put(Record),
    /// A well-formed line with values of a wrong type.
    Mistaken {
        /// The operation, for its negative answer.
        op: Op,
        /// What is wrong.
        mistake: Mistake,
    },
}

/// A campaign in the list of `track`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named<'l> {
    /// By its key.
    Key(Cow<'l, str>),
    /// By something that is no text and names no campaign; this is its text in the result.
    Other(String),
}

/// The operations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `activate`
    Activate,
    /// `getVariationName`
    GetVariationName,
    /// `track`
    Track,
    /// `isFeatureEnabled`
    IsFeatureEnabled,
    /// `getFeatureVariableValue`
    GetFeatureVariableValue,
    /// `push`
    Push,
    /// `storage_put`
    StoragePut,
}

/// A mistake of the caller inside a well-formed line, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(String);

/// Why a line is malformed.
#[derive(Debug)]
pub enum LineError {
    /// It is not JSON.
    NotJson(serde_json::Error),
    /// It is JSON, but no object.
    NotAnObject(&'static str),
    /// It has no `op` that is a text.
    NoOp,
    /// Its `op` is not known.
    UnknownOp(String),
}

impl<'l> Line<'l> {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is no JSON object, or has no `op` that is known.
    pub fn parse(text: &'l str) -> Result<Line<'l>, LineError> {
        let json = Json::parse(text).map_err(LineError::NotJson)?;
        if !matches!(json, Json::Object(_)) {
            return Err(LineError::NotAnObject(json.kind()));
        }
        let op = match json.get("op") {
            Some(Json::Text(op)) => Op::named(op).ok_or_else(|| LineError::UnknownOp(op.to_string()))?,
            _ => return Err(LineError::NoOp),
        };
        Ok(Line { warnings: unknown::warnings(&json), ..Line::read(op, &json) })
    }

    /// The line of a call whose parts are at hand, so that nothing but its options has to be read: `texts` are its other keys,
    /// by name. Keys of the options that have no effect are not looked for.
    ///
    /// ```
    /// use steadfast::line::Line;
    ///
    /// let texts = [("campaignKey", "ab"), ("userId", "Ashley")];
    /// let line = Line::of("activate", texts, Some(r#"{"customVariables":{"plan":"gold"}}"#))?;
    /// assert_eq!(line.user(), Some("Ashley"));
    /// # Ok::<(), steadfast::line::LineError>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such operation, or the options are not JSON.
    pub fn of(
        op: &str,
        texts: impl IntoIterator<Item = (&'l str, &'l str)>,
        options: Option<&'l str>,
    ) -> Result<Line<'l>, LineError> {
        let op = Op::named(op).ok_or_else(|| LineError::UnknownOp(op.to_owned()))?;
        let texts = texts.into_iter().map(|(name, text)| (name.into(), Json::Text(text.into())));
        let options = options.map(Json::parse).transpose().map_err(LineError::NotJson)?;
        let options = options.map(|options| ("options".into(), options));
        Ok(Line::read(op, &Json::Object(texts.chain(options).collect())))
    }

    fn read(op: Op, json: &Json<'l>) -> Line<'l> {
        let operation = read(op, json).unwrap_or_else(|mistake| Operation::Mistaken { op, mistake });
        Line { operation, warnings: Vec::new() }
    }

    /// What it asks for.
    #[must_use]
    pub fn operation(&self) -> &Operation<'l> {
        &self.operation
    }

    /// Keys of the line and of its options that have no effect, each in a sentence for people. They change no answer.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The user it is about, as far as it names one: calls of one user must keep their order.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.operation {
            Operation::Decide { user, .. }
            | Operation::Variable { user, .. }
            | Operation::Track { user, .. }
            | Operation::Push { user, .. } => Some(user),
            Operation::Put(record) => Some(&record.user_id),
            Operation::Mistaken { .. } => None,
        }
    }
}

fn read<'l>(op: Op, json: &Json<'l>) -> Result<Operation<'l>, Mistake> {
    match op {
        Op::Activate | Op::GetVariationName | Op::IsFeatureEnabled => {
            let verb = match op {
                Op::Activate => Verb::Activate,
                Op::IsFeatureEnabled => Verb::FeatureEnabled,
                _ => Verb::VariationName,
            };
            Ok(Operation::Decide {
                verb,
                campaign: required(json, "campaignKey")?,
                user: required(json, "userId")?,
                options: options::read(json.get("options"), verb.activates(), false)?,
            })
        }
        Op::GetFeatureVariableValue => Ok(Operation::Variable {
            campaign: required(json, "campaignKey")?,
            variable: required(json, "variableKey")?,
            user: required(json, "userId")?,
            options: options::read(json.get("options"), false, false)?,
        }),
        Op::Track => {
            let (campaigns, single) = campaigns(json)?;
            Ok(Operation::Track {
                campaigns,
                single,
                user: required(json, "userId")?,
                goal: required(json, "goalIdentifier")?,
                options: options::read(json.get("options"), true, true)?,
            })
        }
        Op::Push => Ok(Operation::Push { user: required(json, "userId")?, properties: properties(json)? }),
        Op::StoragePut => {
            let record = json.get("record").ok_or_else(|| Mistake::new("`record` is missing".to_owned()))?;
            let record = Record::from_json(record).map_err(|error| Mistake::new(format!("`record` {error}")))?;
            Ok(Operation::Put(record))
        }
    }
}

/// A text that is not empty (spec API-10).
fn required<'l>(json: &Json<'l>, name: &str) -> Result<Cow<'l, str>, Mistake> {
    match json.get(name) {
        None => Err(Mistake::new(format!("`{name}` is missing"))),
        Some(Json::Text(text)) if text.is_empty() => Err(Mistake::new(format!("`{name}` is empty"))),
        Some(Json::Text(text)) => Ok(text.clone()),
        Some(other) => Err(Mistake::new(format!("`{name}` is {}, expected a text", other.kind()))),
    }
}

/// The campaigns of `track`, and whether a single one was given (spec API-11).
fn campaigns<'l>(json: &Json<'l>) -> Result<(Option<Vec<Named<'l>>>, bool), Mistake> {
    match json.get("campaignKey") {
        None | Some(Json::Null) => Ok((None, false)),
        Some(Json::List(items)) => Ok((Some(items.iter().map(named).collect()), false)),
        Some(_) => Ok((Some(vec![Named::Key(required(json, "campaignKey")?)]), true)),
    }
}

fn named<'l>(json: &Json<'l>) -> Named<'l> {
    match json {
        Json::Text(text) => Named::Key(text.clone()),
        other => Named::Other(other.to_value().to_string()),
    }
}

/// The properties of `push`: a map, or one key and value (spec API-50 to API-54).
fn properties(json: &Json<'_>) -> Result<BTreeMap<String, String>, Mistake> {
    match json.get("customDimensionMap") {
        None => {
            let (key, value) = (required(json, "tagKey")?, required(json, "tagValue")?);
            Ok(BTreeMap::from([(key.into_owned(), value.into_owned())]))
        }
        Some(Json::Object(entries)) => entries
            .iter()
            .map(|(key, value)| match value {
                Json::Text(text) => Ok((key.to_string(), text.to_string())),
                Json::Null => Err(Mistake::new(format!("`customDimensionMap.{key}` is null"))),
                other => Ok((key.to_string(), other.to_value().to_string())),
            })
            .collect(),
        Some(other) => Err(Mistake::new(format!("`customDimensionMap` is {}, expected an object", other.kind()))),
    }
}

impl Op {
    fn named(name: &str) -> Option<Op> {
        Some(match name {
            "activate" => Op::Activate,
            "getVariationName" => Op::GetVariationName,
            "track" => Op::Track,
            "isFeatureEnabled" => Op::IsFeatureEnabled,
            "getFeatureVariableValue" => Op::GetFeatureVariableValue,
            "push" => Op::Push,
            "storage_put" => Op::StoragePut,
            _ => return None,
        })
    }
}

impl Mistake {
    pub(super) fn new(message: String) -> Self {
        Mistake(message)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::NotJson(error) => write!(formatter, "not JSON: {error}"),
            LineError::NotAnObject(kind) => write!(formatter, "is {kind}, expected an object with an `op`"),
            LineError::NoOp => write!(formatter, "has no `op`, expected a text such as `activate`"),
            LineError::UnknownOp(op) => write!(formatter, "unknown op `{op}`"),
        }
    }
}

impl std::error::Error for LineError {}
