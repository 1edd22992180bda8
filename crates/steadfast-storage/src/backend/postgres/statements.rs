//! The SQL, made once for the name of the table.

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
    /// Keeps rows, over what is there.
    pub(super) set: String,
    /// Keeps the rows whose places are empty: those come back without fields. What stands in the other places comes back
    /// with them, unless it came there while the statement ran. What was claimed may come back in both ways, if another
    /// row was erased there meanwhile.
    pub(super) claim: String,
    /// Changes rows that are still as they were: the places of those.
    pub(super) change: String,
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
        let insert = format!("INSERT INTO {table} ({row}) SELECT {row} FROM {given} ORDER BY number");
        Statements {
            get: format!("SELECT {row} FROM {table} WHERE user_id = $1 AND campaign_key = $2"),
            get_many: format!("SELECT {row} FROM {table} WHERE user_id = $1 AND campaign_key = ANY ($2)"),
            set: format!(
                "{insert} ON CONFLICT (user_id, campaign_key) DO UPDATE SET variation_name = excluded.variation_name, \
                 goals = excluded.goals, activated = excluded.activated, meta_data = excluded.meta_data"
            ),
            claim: format!(
                "WITH claimed AS ({insert} ON CONFLICT (user_id, campaign_key) DO NOTHING \
                 RETURNING user_id, campaign_key) \
                 SELECT user_id, campaign_key, true, NULL::text, NULL::text, NULL::bool, NULL::text FROM claimed \
                 UNION ALL \
                 SELECT there.user_id, there.campaign_key, false, \
                 there.variation_name, there.goals, there.activated, there.meta_data \
                 FROM unnest($1::text[], $2::text[]) AS asked (user_id, campaign_key) \
                 JOIN {table} AS there \
                 ON there.user_id = asked.user_id AND there.campaign_key = asked.campaign_key"
            ),
            change: format!(
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
