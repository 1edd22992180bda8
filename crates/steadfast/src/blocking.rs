//! The blocking client: a driver that waits for its storage where it stands.

use std::sync::Arc;

use steadfast_engine::verb::{self, TrackTarget, Tracking};
use steadfast_engine::{CallError, Decision, Effect, Options, Policy, Question, Record, Request, Settings, Step};
use steadfast_storage::{StorageError, UserStorage};

use crate::drive;

/// Decides for users and keeps what was decided.
///
/// ```
/// use std::sync::Arc;
/// use steadfast::blocking::Client;
/// use steadfast::engine::{Options, Settings};
/// use steadfast::storage::MemoryStorage;
///
/// let settings = Settings::parse(r#"{"accountId": 1, "version": 1, "campaigns": [{
///     "id": 1, "key": "checkout", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100,
///     "segments": {}, "goals": [], "variations": [
///         {"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Green", "weight": 50}]}]}"#)?;
/// let client = Client::new(Arc::new(settings)).with_storage(MemoryStorage::new());
/// let decision = client.activate("checkout", "Ashley", Options::NONE)?;
/// assert_eq!(decision.variation_name(), Some("Control"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    settings: Arc<Settings>,
    storage: Option<Box<dyn UserStorage>>,
    policy: Policy,
    traced: bool,
    on_storage_error: Box<dyn Fn(&StorageError) + Send + Sync>,
}

impl Client {
    /// A client without a storage: everybody is evaluated afresh on each call.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Client { settings, storage: None, policy: Policy::default(), traced: false, on_storage_error: Box::new(|_| {}) }
    }

    /// The same client, which keeps decisions in `storage`.
    #[must_use]
    pub fn with_storage(mut self, storage: impl UserStorage + 'static) -> Self {
        self.storage = Some(Box::new(storage));
        self.policy.has_storage = true;
        self
    }

    /// The same client under this policy. Whether there is a storage is known already and not taken from it.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = Policy { has_storage: self.storage.is_some(), ..policy };
        self
    }

    /// The same client; its decisions come with a trace.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// The same client, which tells `listener` of every failed write. A decision stands all the same.
    #[must_use]
    pub fn on_storage_error(mut self, listener: impl Fn(&StorageError) + Send + Sync + 'static) -> Self {
        self.on_storage_error = Box::new(listener);
        self
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// See [`verb::activate`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn activate<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        Ok(self.decided(verb::activate(self.request(user, options), campaign)?))
    }

    /// See [`verb::variation_name`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn variation_name<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        Ok(self.decided(verb::variation_name(self.request(user, options), campaign)?))
    }

    /// See [`verb::feature_enabled`]; the answer is [`Decision::is_feature_enabled`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn feature_enabled<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        Ok(self.decided(verb::feature_enabled(self.request(user, options), campaign)?))
    }

    /// See [`verb::feature_variable`]; the values are [`Decision::variable`].
    ///
    /// # Errors
    /// What the caller got wrong.
    pub fn feature_variable<'a>(
        &'a self,
        campaign: &str,
        user: &'a str,
        options: &'a Options,
    ) -> Result<Decision<'a>, CallError> {
        Ok(self.decided(verb::feature_variable(self.request(user, options), campaign)?))
    }

    /// See [`verb::track`].
    ///
    /// # Errors
    /// What the caller got wrong about the call as a whole.
    pub fn track<'a>(
        &'a self,
        campaigns: TrackTarget<'_>,
        user: &'a str,
        goal: &'a str,
        options: &'a Options,
    ) -> Result<Tracking<'a>, CallError> {
        let tracking = self.drive(verb::track(self.request(user, options), campaigns, goal)?);
        tracking.effects().for_each(|effect| self.perform(&effect));
        Ok(tracking)
    }

    /// Puts a record straight into the storage, over whatever is there. Without a storage nothing happens.
    ///
    /// # Errors
    /// When the storage cannot keep it.
    pub fn put(&self, record: Record) -> Result<(), StorageError> {
        match &self.storage {
            Some(storage) => storage.set(record),
            None => Ok(()),
        }
    }

    fn request<'a>(&'a self, user: &'a str, options: &'a Options) -> Request<'a> {
        let request = Request::new(&*self.settings, user).with_options(options).with_policy(self.policy);
        if self.traced { request.traced() } else { request }
    }

    fn decided<'a, Q: Question<Output = Decision<'a>>>(&self, step: Step<Q>) -> Decision<'a> {
        let decision = self.drive(step);
        decision.effects().for_each(|effect| self.perform(&effect));
        decision
    }

    fn drive<Q: Question>(&self, mut step: Step<Q>) -> Q::Output {
        loop {
            step = match step {
                Step::Done(output) => break output,
                Step::NeedsStored(need) => {
                    let answers = match &self.storage {
                        Some(storage) => {
                            let (user, campaigns) = drive::look_up(&need);
                            storage.get_many(user, &campaigns)
                        }
                        // Without a storage the engine asks nothing; an empty answer counts as a failure.
                        None => Vec::new(),
                    };
                    need.resume(answers)
                }
            }
        }
    }

    fn perform(&self, effect: &Effect<'_, '_>) {
        if let (Some(claim), Some(storage)) = (drive::claim(effect), &self.storage)
            && let Err(error) = storage.merge(claim)
        {
            (self.on_storage_error)(&error);
        }
    }
}
