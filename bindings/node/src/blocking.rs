//! The client that answers where it is called.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use napi::bindgen_prelude::{Env, FnArgs, Function, PromiseRaw, Result};
use napi_derive::napi;
use serde_json::Value;
use steadfast::blocking::Client;
use steadfast::line;
use steadfast::storage::bridge::Waited;
use steadfast::storage::layer::write_behind::{Unsent, WriteBehind};
use steadfast::storage::{Held, StorageError, UserStorage};

use crate::border::{self, Text, asked, explained, shown, text};
use crate::events::Sink;
use crate::open::Open;
use crate::options::{Options, Unkept};
use crate::refused;
use crate::storage::here::{Called, Functions, Here};
use crate::storage::prefetched::Prefetched;
use crate::storage::records;

/// Whoever asked for the end of a call waits so long for the collector to have its event (`returnPromiseFor`).
pub(crate) const DELIVERY: Duration = Duration::from_secs(10);

/// What keeps writes until the storage has them.
type Layer = Waited<WriteBehind<Held>>;

/// What its end comes to, where there was one in time.
type Ended = std::result::Result<std::result::Result<(), Unsent>, StorageError>;

/// Answers where it is called.
#[napi]
pub struct BlockingClient {
    calls: Calls,
    sink: Option<Sink>,
    unkept: Unkept,
}

#[derive(Clone)]
struct Opened {
    client: Arc<Client>,
    /// What keeps writes until the storage has them.
    write_behind: Option<Arc<Layer>>,
}

/// What calls are made with.
#[derive(Clone)]
struct Calls {
    opened: Rc<Open<Opened>>,
    functions: Option<Rc<Functions>>,
    has_hook: bool,
}

impl Calls {
    fn client(&self) -> Result<Arc<Client>> {
        self.opened.get(|opened| Arc::clone(&opened.client))
    }

    fn answer(&self, env: Env, call: &str) -> Result<String> {
        let (line, client) = (border::line(call)?, self.client()?);
        let _called = Called::with(env, self.functions.clone());
        let (answer, decisions) = self.shown(|| line::run(&line, &client));
        Ok(text(&answer, &decisions))
    }

    fn shown<T>(&self, call: impl FnOnce() -> T) -> (T, Vec<Value>) {
        if self.has_hook { shown(call) } else { (call(), Vec::new()) }
    }
}

#[napi]
impl BlockingClient {
    /// Over a storage that is built in, or none.
    #[napi(factory)]
    pub fn open(settings: String, options: Options, sink: Option<&Sink>) -> Result<Self> {
        let (builder, unkept) = options.builder(&settings, Client::builder, sink)?;
        let (mut storage, mut write_behind): (Option<Arc<dyn UserStorage>>, _) = (None, None);
        if let Some(of) = &options.storage {
            let config = of.config()?;
            storage = Some(match of.write_behind() {
                None => config.open_blocking().map_err(refused)?,
                Some(options) => {
                    let opened = config.open_write_behind_blocking(options).map_err(refused)?;
                    write_behind = Some(Arc::clone(&opened));
                    opened
                }
            });
            if of.is_server() {
                storage = storage.map(|storage| Arc::new(Prefetched::new(storage)) as Arc<dyn UserStorage>);
            }
        }
        let client = match storage {
            None => builder.build(),
            Some(storage) => builder.storage(storage).build(),
        };
        let opened = Rc::new(Open::new(Opened { client: Arc::new(client), write_behind }));
        let calls = Calls { opened, functions: None, has_hook: options.integrations };
        Ok(BlockingClient { calls, sink: sink.cloned(), unkept })
    }

    /// Over `get` and `set` of the caller's, which answer where they are called: see `lib/storage.cjs` for what they return.
    #[napi(factory)]
    pub fn over(
        settings: String,
        options: Options,
        sink: Option<&Sink>,
        get: Function<FnArgs<(String, String, bool)>, Text>,
        set: Function<String, String>,
    ) -> Result<Self> {
        let (builder, unkept) = options.builder(&settings, Client::builder, sink)?;
        let client = Arc::new(builder.storage(Here).build());
        let opened = Rc::new(Open::new(Opened { client, write_behind: None }));
        let functions = Some(Rc::new(Functions { get: get.create_ref()?, set: set.create_ref()? }));
        let calls = Calls { opened, functions, has_hook: options.integrations };
        Ok(BlockingClient { calls, sink: sink.cloned(), unkept })
    }

    /// A function that answers calls: see `border.rs`. What is called most is no method, which would cost more than the
    /// decision does.
    ///
    /// # Errors
    /// It throws what is no call.
    #[napi]
    pub fn caller<'env>(&self, env: &'env Env) -> Result<Function<'env, String, String>> {
        let calls = self.calls.clone();
        env.create_function_from_closure("call", move |called| {
            calls.answer(*called.env, &called.first_arg::<Text>()?.0)
        })
    }

    /// The same, and a promise that is kept when the collector has the events of the call, or too long has passed: what is
    /// wrong, or an empty text.
    ///
    /// # Errors
    /// When it is no call of the line format.
    #[napi]
    pub fn deliver<'env>(&self, env: &'env Env, call: String) -> Result<(String, Option<PromiseRaw<'env, String>>)> {
        let Some(sink) = &self.sink else { return Ok((self.calls.answer(*env, &call)?, None)) };
        // Here is the call made, and no further than to where it would wait.
        let answer = Arc::new(Mutex::new(None));
        let (client, has_hook) = (self.calls.client()?, self.calls.has_hook);
        let (collector, into) = (sink.collector(), Arc::clone(&answer));
        let mut delivery = Box::pin(async move {
            let call = async {
                let answered = border::line(&call).map(|line| {
                    let call = || line::run(&line, &client);
                    let (answer, decisions) = if has_hook { shown(call) } else { (call(), Vec::new()) };
                    text(&answer, &decisions)
                });
                *into.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
            };
            let ((), delivered) = collector.delivered(DELIVERY, call).await;
            Ok(delivered.map_or_else(|error| error.to_string(), |()| String::new()))
        });
        let polled = {
            let _called = Called::with(*env, self.calls.functions.clone());
            // Its waits are tokio's, whose timers want to know of a runtime.
            napi::bindgen_prelude::within_runtime_if_available(|| {
                delivery.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            })
        };
        let answered = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answered = answered.unwrap_or_else(|| Err(refused("the call was not made")))?;
        match polled {
            Poll::Ready(_) => Ok((answered, None)),
            Poll::Pending => Ok((answered, Some(env.spawn_future(delivery)?))),
        }
    }

    /// A decision with its reasons, made or only explained: see `border.rs`.
    ///
    /// # Errors
    /// When it is no call of the line format.
    #[napi]
    pub fn decide(&self, env: Env, call: String, explain: bool) -> Result<String> {
        let line = border::line(&call)?;
        let asked = match asked(&line) {
            Ok(asked) => asked,
            Err(answer) => return Ok(answer),
        };
        let client = self.calls.client()?;
        let _called = Called::with(env, self.calls.functions.clone());
        if explain {
            return Ok(explained(&client.explain(asked.campaign, asked.user, asked.options), &[]));
        }
        let (decided, decisions) = self.calls.shown(|| client.decide(asked.campaign, asked.user, asked.options));
        Ok(explained(&decided, &decisions))
    }

    /// All that is stored for a user, as a list of records in JSON; it is read on a thread that may wait.
    ///
    /// # Errors
    /// When the storage cannot say: the promise is rejected.
    #[napi]
    pub fn stored<'env>(&self, env: &'env Env, user: String) -> Result<PromiseRaw<'env, String>> {
        let client = self.calls.client()?;
        env.spawn_future(async move {
            apart(move || client.stored(&user)).await?.map(|data| records(&data)).map_err(refused)
        })
    }

    /// How many writes the storage could not keep since this was asked last, in words, or an empty text. What is kept until
    /// it can is no failure: `flush` waits for that.
    #[napi]
    pub fn unkept(&self) -> String {
        let is_kept = self.calls.opened.get(|opened| opened.write_behind.is_some());
        if is_kept.unwrap_or(false) { String::new() } else { self.unkept.told() }
    }

    /// Waits until the storage has answered to what was handed over, so many milliseconds at most; what is wrong, or an empty
    /// text.
    ///
    /// # Errors
    /// When the client was released.
    #[napi]
    pub fn flush<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        self.ended(env, milliseconds, |storage, deadline| {
            storage.call(2 * deadline, move |storage| async move { storage.flush(deadline).await })
        })
    }

    /// The orderly end: the same, and what is left goes into the journal, if there is one.
    ///
    /// # Errors
    /// When the client was released.
    #[napi]
    pub fn close<'env>(&self, env: &'env Env, milliseconds: u32) -> Result<PromiseRaw<'env, String>> {
        self.ended(env, milliseconds, |storage, deadline| {
            storage.call(2 * deadline, move |storage| async move { storage.shutdown(deadline).await })
        })
    }

    /// Lets go of the storage: its file is free when the promise is kept.
    ///
    /// # Errors
    /// Never: the promise is kept.
    #[napi]
    pub fn release<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        self.calls.opened.release(env)
    }

    /// Waits where it stands until the storage has what was handed over, so many milliseconds at most: at the end of the process
    /// nothing else can be waited for.
    #[napi]
    pub fn drain(&self, milliseconds: u32) {
        // What is left is lost, and nobody is there to be told.
        let _ = self.calls.client().map(|client| client.flush(Duration::from_millis(milliseconds.into())));
    }

    /// The keys of all campaigns of the settings in force.
    ///
    /// # Errors
    /// When the client was released.
    #[napi]
    pub fn campaigns(&self) -> Result<Vec<String>> {
        let settings = self.calls.client()?.settings();
        Ok(settings.campaigns().iter().map(|campaign| campaign.key().to_owned()).collect())
    }

    /// From now on decides under these settings.
    ///
    /// # Errors
    /// When they are none; those in force stay. When the client was released.
    #[napi]
    pub fn update_settings(&self, settings: String) -> Result<()> {
        self.calls.client()?.update_settings(Arc::new(Options::settings(&settings)?));
        Ok(())
    }

    /// From now on nobody takes part.
    #[napi]
    pub fn opt_out(&self) {
        // Whoever is gone takes no part.
        let _ = self.calls.client().map(|client| client.opt_out());
    }

    /// Waits for the client's writes, and then for what keeps them until the storage has them.
    fn ended<'env>(
        &self,
        env: &'env Env,
        milliseconds: u32,
        end: fn(&Layer, Duration) -> Ended,
    ) -> Result<PromiseRaw<'env, String>> {
        let deadline = Duration::from_millis(milliseconds.into());
        let Opened { client, write_behind } = self.calls.opened.get(Opened::clone)?;
        env.spawn_future(async move {
            let end = move || -> std::result::Result<(), String> {
                client.flush(deadline).map_err(|unfinished| unfinished.to_string())?;
                let Some(layer) = write_behind else { return Ok(()) };
                end(&layer, deadline).map_err(|error| error.to_string())?.map_err(|unsent| unsent.to_string())
            };
            Ok(told(&apart(end).await?))
        })
    }
}

/// Does what may wait on a thread for that.
async fn apart<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    napi::bindgen_prelude::spawn_blocking(call).await.map_err(refused)
}

/// What is wrong, or an empty text.
pub(crate) fn told<E: std::fmt::Display>(result: &std::result::Result<(), E>) -> String {
    result.as_ref().map_or_else(ToString::to_string, |()| String::new())
}
