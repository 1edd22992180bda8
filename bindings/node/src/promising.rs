//! The client that answers with promises.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{
    Env, FnArgs, Function, Promise, PromiseRaw, Result, block_on, within_runtime_if_available,
};
use napi_derive::napi;
use serde_json::Value;
use steadfast::Client;
use steadfast::line;
use steadfast::storage::Held;
use steadfast::storage::layer::write_behind::WriteBehind;

use crate::blocking::{DELIVERY, told};
use crate::border::{self, asked, explained, shown_later, text};
use crate::events::Sink;
use crate::options::{Options, Unkept};
use crate::refused;
use crate::storage::later::Later;
use crate::storage::records;

/// Answers with promises. What a promise goes on with is its own: a worker that ends takes the client with it, whatever is under
/// way.
#[napi]
#[derive(Clone)]
pub struct PromisingClient {
    client: Arc<Client>,
    /// What keeps writes until the storage has them.
    write_behind: Option<Arc<WriteBehind<Held>>>,
    unkept: Unkept,
    has_hook: bool,
}

#[napi]
impl PromisingClient {
    /// Over a storage that is built in, or none.
    #[napi(factory)]
    pub fn open(settings: String, options: Options, sink: Option<&Sink>) -> Result<Self> {
        let settings = Arc::new(Options::settings(&settings)?);
        let account = settings.account().as_str().to_owned();
        let unkept = Unkept::default();
        let builder = options.apply(Client::builder(settings), &account, sink, &unkept)?;
        let mut write_behind = None;
        let client = match &options.storage {
            None => within_runtime_if_available(|| builder.build()),
            Some(of) => {
                let config = of.config()?;
                // A file is opened; a server is only begun to be.
                block_on(async {
                    let builder = match of.write_behind() {
                        None => builder.storage(config.open().await.map_err(refused)?),
                        Some(options) => {
                            let opened = config.open_write_behind(options).await.map_err(refused)?;
                            write_behind = Some(Arc::clone(&opened));
                            builder.storage(opened)
                        }
                    };
                    Ok::<_, napi::Error>(builder.build())
                })?
            }
        };
        Ok(PromisingClient { client: Arc::new(client), write_behind, unkept, has_hook: options.integrations })
    }

    /// Over `get` and `set` of the caller's, which answer with promises: see `lib/storage.cjs` for what comes of them.
    #[napi(factory)]
    pub fn over(
        settings: String,
        options: Options,
        sink: Option<&Sink>,
        get: Function<FnArgs<(String, String)>, Promise<String>>,
        set: Function<FnArgs<(String,)>, Promise<String>>,
    ) -> Result<Self> {
        let settings = Arc::new(Options::settings(&settings)?);
        let account = settings.account().as_str().to_owned();
        let unkept = Unkept::default();
        let builder = options.apply(Client::builder(settings), &account, sink, &unkept)?;
        let storage = Later::over(get, set)?;
        let client = within_runtime_if_available(|| builder.storage(storage).build());
        Ok(PromisingClient { client: Arc::new(client), write_behind: None, unkept, has_hook: options.integrations })
    }

    /// The answer to a call: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format.
    #[napi]
    pub fn call<'env>(&self, env: &'env Env, call: String) -> Result<PromiseRaw<'env, String>> {
        let this = self.clone();
        env.spawn_future(async move { this.call_now(call).await })
    }

    async fn call_now(&self, call: String) -> Result<String> {
        let line = border::line(&call)?;
        let (answer, decisions) = self.shown(line::run_async(&line, &self.client)).await;
        Ok(text(&answer, &decisions))
    }

    /// The same, and what became of its events: what is wrong, or an empty text.
    ///
    /// # Errors
    /// When it is no call of the line format.
    #[napi]
    pub fn deliver<'env>(
        &self,
        env: &'env Env,
        call: String,
        sink: &Sink,
    ) -> Result<PromiseRaw<'env, (String, String)>> {
        let (this, collector) = (self.clone(), sink.collector());
        env.spawn_future(async move {
            let (answer, delivered) = collector.delivered(DELIVERY, this.call_now(call)).await;
            Ok((answer?, told(&delivered)))
        })
    }

    /// A decision with its reasons, made or only explained: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format.
    #[napi]
    pub fn decide<'env>(&self, env: &'env Env, call: String, explain: bool) -> Result<PromiseRaw<'env, String>> {
        let this = self.clone();
        env.spawn_future(async move { this.decide_now(call, explain).await })
    }

    async fn decide_now(&self, call: String, explain: bool) -> Result<String> {
        let line = border::line(&call)?;
        let asked = match asked(&line) {
            Ok(asked) => asked,
            Err(answer) => return Ok(answer),
        };
        if explain {
            return Ok(explained(&self.client.explain(asked.campaign, asked.user, asked.options).await, &[]));
        }
        let decided = self.client.decide(asked.campaign, asked.user, asked.options);
        let (decided, decisions) = self.shown(decided).await;
        Ok(explained(&decided, &decisions))
    }

    /// All that is stored for a user, as a list of records in JSON.
    ///
    /// # Errors
    /// When the storage cannot say.
    #[napi]
    pub fn stored<'env>(&self, env: &'env Env, user: String) -> Result<PromiseRaw<'env, String>> {
        let this = self.clone();
        env.spawn_future(async move { this.stored_now(user).await })
    }

    async fn stored_now(&self, user: String) -> Result<String> {
        self.client.stored(&user).await.map(|data| records(&data)).map_err(refused)
    }

    /// How many writes the storage could not keep since this was asked last, in words, or an empty text. What is kept until
    /// it can is no failure: `flush` waits for that.
    #[napi]
    pub fn unkept(&self) -> String {
        if self.write_behind.is_some() { String::new() } else { self.unkept.told() }
    }

    /// Waits until the storage has answered to what was handed over, so many milliseconds at most; what is wrong, or an empty
    /// text.
    #[napi]
    pub fn flush<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        let this = self.clone();
        env.spawn_future(async move { Ok(this.flush_now(milliseconds).await) })
    }

    async fn flush_now(&self, milliseconds: u32) -> String {
        let deadline = Duration::from_millis(milliseconds.into());
        let flushed = told(&self.client.flush(deadline).await);
        match &self.write_behind {
            Some(layer) if flushed.is_empty() => told(&layer.flush(deadline).await),
            _ => flushed,
        }
    }

    /// The orderly end: the same, and what is left goes into the journal, if there is one.
    #[napi]
    pub fn close<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        let this = self.clone();
        env.spawn_future(async move { Ok(this.close_now(milliseconds).await) })
    }

    async fn close_now(&self, milliseconds: u32) -> String {
        let deadline = Duration::from_millis(milliseconds.into());
        let flushed = told(&self.client.flush(deadline).await);
        match &self.write_behind {
            Some(layer) if flushed.is_empty() => told(&layer.shutdown(deadline).await),
            _ => flushed,
        }
    }

    /// Waits where it stands until the storage has what was handed over, so many milliseconds at most: at the end of the process
    /// nothing else can be waited for.
    #[napi]
    pub fn drain(&self, milliseconds: u32) {
        // What is left is lost, and nobody is there to be told.
        let _ = block_on(self.client.flush(Duration::from_millis(milliseconds.into())));
    }

    /// The answer to a push, which waits for nothing: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format.
    #[napi]
    pub fn push(&self, call: String) -> Result<String> {
        block_on(self.call_now(call))
    }

    /// From now on decides under these settings.
    ///
    /// # Errors
    /// When they are none; those in force stay.
    #[napi]
    pub fn update_settings(&self, settings: String) -> Result<()> {
        self.client.update_settings(Arc::new(Options::settings(&settings)?));
        Ok(())
    }

    /// From now on nobody takes part.
    #[napi]
    pub fn opt_out(&self) {
        self.client.opt_out();
    }

    async fn shown<F: Future>(&self, call: F) -> (F::Output, Vec<Value>) {
        if self.has_hook { shown_later(call).await } else { (call.await, Vec::new()) }
    }
}
