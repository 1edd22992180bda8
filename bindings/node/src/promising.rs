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
use crate::open::Open;
use crate::options::{Options, Unkept};
use crate::refused;
use crate::storage::later::Later;
use crate::storage::records;

/// Answers with promises.
#[napi]
pub struct PromisingClient {
    opened: Open<Opened>,
    unkept: Unkept,
}

/// What a promise goes on with is its own: a worker that ends takes the client with it, whatever is under way.
#[derive(Clone)]
struct Opened {
    client: Arc<Client>,
    /// What keeps writes until the storage has them.
    write_behind: Option<Arc<WriteBehind<Held>>>,
    has_hook: bool,
}

impl Opened {
    async fn call(self, call: String) -> Result<String> {
        let line = border::line(&call)?;
        let (answer, decisions) = self.shown(line::run_async(&line, &self.client)).await;
        Ok(text(&answer, &decisions))
    }

    async fn decide(self, call: String, explain: bool) -> Result<String> {
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

    async fn shown<F: Future>(&self, call: F) -> (F::Output, Vec<Value>) {
        if self.has_hook { shown_later(call).await } else { (call.await, Vec::new()) }
    }

    /// Waits for the client's writes, and then for what keeps them until the storage has them; what is wrong, or an empty text.
    async fn ended(self, milliseconds: u32, is_end: bool) -> String {
        let deadline = Duration::from_millis(milliseconds.into());
        let flushed = told(&self.client.flush(deadline).await);
        match &self.write_behind {
            Some(layer) if flushed.is_empty() && is_end => told(&layer.shutdown(deadline).await),
            Some(layer) if flushed.is_empty() => told(&layer.flush(deadline).await),
            _ => flushed,
        }
    }
}

#[napi]
impl PromisingClient {
    /// Over a storage that is built in, or none.
    #[napi(factory)]
    pub fn open(settings: String, options: Options, sink: Option<&Sink>) -> Result<Self> {
        let (builder, unkept) = options.builder(&settings, Client::builder, sink)?;
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
        let opened = Opened { client: Arc::new(client), write_behind, has_hook: options.integrations };
        Ok(PromisingClient { opened: Open::new(opened), unkept })
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
        let (builder, unkept) = options.builder(&settings, Client::builder, sink)?;
        let storage = Later::over(get, set)?;
        let client = within_runtime_if_available(|| builder.storage(storage).build());
        let opened = Opened { client: Arc::new(client), write_behind: None, has_hook: options.integrations };
        Ok(PromisingClient { opened: Open::new(opened), unkept })
    }

    /// The answer to a call: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format, or the client was released.
    #[napi]
    pub fn call<'env>(&self, env: &'env Env, call: String) -> Result<PromiseRaw<'env, String>> {
        env.spawn_future(self.opened()?.call(call))
    }

    /// The same, and what became of its events: what is wrong, or an empty text.
    ///
    /// # Errors
    /// When it is no call of the line format, or the client was released.
    #[napi]
    pub fn deliver<'env>(
        &self,
        env: &'env Env,
        call: String,
        sink: &Sink,
    ) -> Result<PromiseRaw<'env, (String, String)>> {
        let (opened, collector) = (self.opened()?, sink.collector());
        env.spawn_future(async move {
            let (answer, delivered) = collector.delivered(DELIVERY, opened.call(call)).await;
            Ok((answer?, told(&delivered)))
        })
    }

    /// A decision with its reasons, made or only explained: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format, or the client was released.
    #[napi]
    pub fn decide<'env>(&self, env: &'env Env, call: String, explain: bool) -> Result<PromiseRaw<'env, String>> {
        env.spawn_future(self.opened()?.decide(call, explain))
    }

    /// All that is stored for a user, as a list of records in JSON.
    ///
    /// # Errors
    /// When the storage cannot say, or the client was released.
    #[napi]
    pub fn stored<'env>(&self, env: &'env Env, user: String) -> Result<PromiseRaw<'env, String>> {
        let client = self.opened()?.client;
        env.spawn_future(async move { client.stored(&user).await.map(|data| records(&data)).map_err(refused) })
    }

    /// How many writes the storage could not keep since this was asked last, in words, or an empty text. What is kept until
    /// it can is no failure: `flush` waits for that.
    #[napi]
    pub fn unkept(&self) -> String {
        let is_kept = self.opened.get(|opened| opened.write_behind.is_some());
        if is_kept.unwrap_or(false) { String::new() } else { self.unkept.told() }
    }

    /// Waits until the storage has answered to what was handed over, so many milliseconds at most; what is wrong, or an empty
    /// text.
    ///
    /// # Errors
    /// When the client was released.
    #[napi]
    pub fn flush<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        let ended = self.opened()?.ended(milliseconds, false);
        env.spawn_future(async move { Ok(ended.await) })
    }

    /// The orderly end: the same, and what is left goes into the journal, if there is one.
    ///
    /// # Errors
    /// When the client was released.
    #[napi]
    pub fn close<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        let ended = self.opened()?.ended(milliseconds, true);
        env.spawn_future(async move { Ok(ended.await) })
    }

    /// Lets go of the storage: its file is free when the promise is kept.
    ///
    /// # Errors
    /// Never: the promise is kept.
    #[napi]
    pub fn release<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        self.opened.release(env)
    }

    /// Waits where it stands until the storage has what was handed over, so many milliseconds at most: at the end of the process
    /// nothing else can be waited for.
    #[napi]
    pub fn drain(&self, milliseconds: u32) {
        let deadline = Duration::from_millis(milliseconds.into());
        // What is left is lost, and nobody is there to be told.
        let _ = self.opened().map(|opened| block_on(opened.client.flush(deadline)));
    }

    /// The answer to a push, which waits for nothing: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format, or the client was released.
    #[napi]
    pub fn push(&self, call: String) -> Result<String> {
        block_on(self.opened()?.call(call))
    }

    /// From now on decides under these settings.
    ///
    /// # Errors
    /// When they are none; those in force stay. When the client was released.
    #[napi]
    pub fn update_settings(&self, settings: String) -> Result<()> {
        self.opened()?.client.update_settings(Arc::new(Options::settings(&settings)?));
        Ok(())
    }

    /// From now on nobody takes part.
    #[napi]
    pub fn opt_out(&self) {
        // Whoever is gone takes no part.
        let _ = self.opened().map(|opened| opened.client.opt_out());
    }

    fn opened(&self) -> Result<Opened> {
        self.opened.get(Opened::clone)
    }
}
