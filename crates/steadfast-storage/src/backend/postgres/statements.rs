//! The SQL, made once for the name of the table. What is for one row has a plan of its own: that of several looks at every
//! part of the table.

/// The columns of a row's place, as `row::record` reads them.
const PLACE: &str = "user_id, campaign_key, long_user_id, long_campaign_key";
/// The columns of what stands there, as `row::Stored` reads them.
const FIELDS: &str = "variation_name, goals, activated, meta_data";

/// The statements of one table.
#[derive(Debug)]
pub(super) struct Statements {
    /// One place.
    pub(super) get: String,
    /// One user's places in several campaigns.
    pub(super) get_many: String,
    /// What stands in several places.
    pub(super) read: String,
    /// Keeps a row, over what is there.
    pub(super) set: String,
    /// The same for several.
    pub(super) set_many: String,
    /// Keeps a row whose place is empty: its place, and nothing where it is not.
    pub(super) claim: String,
    /// The same for several.
    pub(super) claim_many: String,
    /// Changes a row that is still as it was: its place, and nothing where it is not.
    pub(super) change: String,
    /// The same for several.
    pub(super) change_many: String,
    /// All of a user.
    pub(super) records_of: String,
    /// Erases all of a user.
    pub(super) erase: String,
    /// The first rows of all.
    pub(super) scan_first: String,
    /// The rows behind a place.
    pub(super) scan_next: String,
}

impl Statements {
    /// For a table with this name, quoted and with its schema.
    pub(super) fn new(table: &str) -> Statements {
        let row = format!("{PLACE}, {FIELDS}");
        // Rows are locked in the order they come in, which is that of their keys.
        let given = format!(
            "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::text[]) \
             WITH ORDINALITY AS given ({row}, number)"
        );
        let one = format!("INSERT INTO {table} ({row}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
        let many = format!("INSERT INTO {table} ({row}) SELECT {row} FROM {given} ORDER BY number");
        let set = "ON CONFLICT (user_id, campaign_key) DO UPDATE SET variation_name = excluded.variation_name, \
                   goals = excluded.goals, activated = excluded.activated, meta_data = excluded.meta_data";
        let claim = "ON CONFLICT (user_id, campaign_key) DO NOTHING RETURNING user_id, campaign_key";
        let there = "there.user_id, there.campaign_key, there.long_user_id, there.long_campaign_key, \
                     there.variation_name, there.goals, there.activated, there.meta_data";
        Statements {
            get: format!("SELECT {row} FROM {table} WHERE user_id = $1 AND campaign_key = $2"),
            get_many: format!("SELECT {row} FROM {table} WHERE user_id = $1 AND campaign_key = ANY ($2)"),
            read: format!(
                "SELECT {there} FROM unnest($1::text[], $2::text[]) AS asked (user_id, campaign_key) \
                 JOIN {table} AS there \
                 ON there.user_id = asked.user_id AND there.campaign_key = asked.campaign_key"
            ),
            set: format!("{one} {set}"),
            set_many: format!("{many} {set}"),
            claim: format!("{one} {claim}"),
            claim_many: format!("{many} {claim}"),
            change: format!(
                "UPDATE {table} SET variation_name = $7, goals = $8, activated = $9, meta_data = $10 \
                 WHERE user_id = $1 AND campaign_key = $2 AND variation_name = $3 AND goals = $4 AND activated = $5 \
                 AND meta_data IS NOT DISTINCT FROM $6 RETURNING user_id, campaign_key"
            ),
            change_many: format!(
                "WITH held AS (SELECT given.* FROM unnest($1::text[], $2::text[], \
                 $3::text[], $4::text[], $5::bool[], $6::text[], $7::text[], $8::text[], $9::bool[], $10::text[]) \
                 WITH ORDINALITY AS given (user_id, campaign_key, was_variation, was_goals, was_activated, \
                 was_meta_data, {FIELDS}, number) \
                 JOIN {table} AS there \
                 ON there.user_id = given.user_id AND there.campaign_key = given.campaign_key \
                 ORDER BY number FOR UPDATE OF there) \
                 UPDATE {table} AS there SET variation_name = held.variation_name, goals = held.goals, \
                 activated = held.activated, meta_data = held.meta_data FROM held \
                 WHERE there.user_id = held.user_id AND there.campaign_key = held.campaign_key \
                 AND there.variation_name = held.was_variation AND there.goals = held.was_goals \
                 AND there.activated = held.was_activated AND there.meta_data IS NOT DISTINCT FROM held.was_meta_data \
                 RETURNING there.user_id, there.campaign_key"
            ),
            records_of: format!("SELECT {row} FROM {table} WHERE user_id = $1"),
            erase: format!("DELETE FROM {table} WHERE user_id = $1"),
            scan_first: format!("SELECT {row} FROM {table} ORDER BY user_id, campaign_key LIMIT $1"),
            scan_next: format!(
                "SELECT {row} FROM {table} WHERE (user_id, campaign_key) > ($2, $3) \
                 ORDER BY user_id, campaign_key LIMIT $1"
            ),
        }
    }
}
