'use strict';
// A client with the methods of the official SDK. A method makes a call of the line format, which the addon answers
// (`crates/steadfast/src/line`).

const addon = require('./addon.cjs');
const { kindOf, lineOf } = require('./line.cjs');
const { messageOf, within } = require('./promises.cjs');
const { getSettingsFile } = require('./settings.cjs');
const { Here, Later } = require('./storage.cjs');

/** Whoever waits for what was handed over waits a minute, unless told otherwise. */
const FLUSH = 60_000;
/** The end of the process waits so long for what is to be stored. */
const END = 10_000;
/** The answer begins so where it is a text, and where there is more to be said than the result. */
const [TEXT, MORE] = [...'=!'].map((sign) => sign.charCodeAt(0));

/** No timer takes a longer time: 24 days. */
const LONGEST = 2 ** 31 - 1;
/** A time in whole milliseconds, as the addon takes it. */
const timeOf = (milliseconds) => Math.min(Math.max(Math.trunc(Number(milliseconds)) || 0, 0), LONGEST);

/** What a storage of this process has not got when the process is ended, it is given so long to get. */
const DRAIN = 2_000;
const draining = new Set();
const forgotten = new FinalizationRegistry((reference) => draining.delete(reference));
process.on('exit', () => {
  for (const reference of draining) {
    const client = reference.deref();
    if (client) client.drain(DRAIN);
  }
});

/**
 * Calls what is not ours: what it throws is said, and costs nothing else (quirk Q-110). It must not know the client: what the
 * addon holds would hold it for ever.
 */
const guarded = (log, name, call) => (...given) => {
  try {
    const value = call(...given);
    if (value && typeof value.then === 'function') Promise.resolve(value).catch((error) => log.error(`\`${name}\` rejected: ${messageOf(error)}`));
  } catch (error) {
    log.error(`\`${name}\` threw: ${messageOf(error)}`);
  }
};

/** `flushCallback` is told of an error as an error. */
const flushed = (log, callback) => callback && guarded(log, 'flushCallback', (error, batch) => callback(error ? new Error(error) : null, batch));

class Client {
  #config;
  #log;
  #sink;
  /** The addon's client, of either kind. */
  #addon;
  /** What answers calls at once. */
  #answer;
  /** The functions of the caller's storage, where calls are answered at once. */
  #here;
  /** Those, of either kind. */
  #service;
  /** Calls that are awaited. */
  #underWay = new Set();
  #accountId;
  #sdkKey;
  #isOptedOut = false;
  #isReleased = false;
  #staysForStorage;
  #staysForEvents;
  #isStoring = false;
  #isSending = false;

  constructor(config, log) {
    this.#config = config;
    this.#log = log;
    const { settings, options, service } = config;
    try {
      this.#warnOf(settings);
    } catch (error) {
      throw new Error(`\`settingsFile\` cannot be used: ${messageOf(error)}`, { cause: error });
    }
    const { accountId, sdkKey } = JSON.parse(settings);
    this.#accountId = accountId;
    this.#sdkKey = config.sdkKey || sdkKey;
    if (!config.isDevelopmentMode) this.#sink = addon.Sink.open(config.sink, flushed(log, config.flushCallback));
    this.#staysForStorage = config.isLater || config.isServer;
    this.#staysForEvents = this.#sink !== undefined && !config.hasBatches;
    if (config.isLater) {
      const later = service && new Later(service, log);
      this.#service = later;
      this.#addon = later ? addon.PromisingClient.over(settings, options, this.#sink, later.get, later.set) : addon.PromisingClient.open(settings, options, this.#sink);
    } else {
      this.#here = service && new Here(service, log);
      this.#service = this.#here;
      this.#addon = this.#here ? addon.BlockingClient.over(settings, options, this.#sink, this.#here.get, this.#here.set) : addon.BlockingClient.open(settings, options, this.#sink);
      this.#answer = this.#addon.caller();
    }
    if (options.storage && !config.isServer) {
      const reference = new WeakRef(this.#addon);
      draining.add(reference);
      forgotten.register(this.#addon, reference);
    }
    // Whoever wraps a client, or takes a method out of it, calls it with another `this`.
    for (const name of Object.getOwnPropertyNames(Client.prototype)) if (name !== 'constructor') this[name] = this[name].bind(this);
  }

  activate(campaignKey, userId, options) {
    return this.#call('activate', { op: 'activate', campaignKey, userId, options }, null);
  }

  getVariationName(campaignKey, userId, options) {
    return this.#call('getVariationName', { op: 'getVariationName', campaignKey, userId, options }, null);
  }

  getVariation(campaignKey, userId, options) {
    return this.getVariationName(campaignKey, userId, options);
  }

  isFeatureEnabled(campaignKey, userId, options) {
    return this.#call('isFeatureEnabled', { op: 'isFeatureEnabled', campaignKey, userId, options }, false);
  }

  getFeatureVariableValue(campaignKey, variableKey, userId, options) {
    return this.#call('getFeatureVariableValue', { op: 'getFeatureVariableValue', campaignKey, variableKey, userId, options }, null);
  }

  track(campaignSpecifier, userId, goalIdentifier, options) {
    const campaignKey = campaignSpecifier === undefined ? null : campaignSpecifier;
    return this.#call('track', { op: 'track', campaignKey, userId, goalIdentifier, options }, null);
  }

  push(...given) {
    const [first, second, third] = given;
    const call = given.length === 2
      ? { op: 'push', customDimensionMap: first === undefined ? null : first, userId: second }
      : { op: 'push', tagKey: first, tagValue: second, userId: third };
    if (given.length === 2 || given.length === 3) return this.#call('push', call, this.#isOptedOut ? null : false);
    this.#log.error('`push` takes a key, a value and a user id, or a map and a user id');
    return this.#isPromised('push') ? Promise.resolve(false) : false;
  }

  /** A decision in a campaign of whatever type, with its reasons: it is kept and counted as `activate` and `isFeatureEnabled` are. */
  decide(campaignKey, userId, options) {
    return this.#decide('decide', { op: 'activate', campaignKey, userId, options });
  }

  /** What `decide` would answer, and why, stage by stage. Nothing is sent, kept or shown. */
  explain(campaignKey, userId, options) {
    return this.#decide('explain', { op: 'activate', campaignKey, userId, options });
  }

  /** All that is stored for a user: pass it as `userStorageData`, and no call about them asks the storage. */
  async stored(userId) {
    if (typeof userId !== 'string' || userId === '') throw new TypeError('`stored` takes the id of a user');
    this.#mustNotBeInside('stored');
    const records = this.#here
      ? await within(END, this.#here.stored(userId, this.#addon.campaigns()))
      : JSON.parse(await this.#addon.stored(userId));
    return { all: records };
  }

  /** Puts a record over whatever is stored, as something that this client knows of; whether it is kept. */
  put(record) {
    return this.#call('put', { op: 'storage_put', record }, false);
  }

  /** Waits until the storage has what was decided; whether it has, within the time. */
  async flushStorage(milliseconds = FLUSH) {
    const wrong = (await this.#ended('flush', timeOf(milliseconds))) || this.#unkept();
    return wrong ? { status: false, message: wrong } : { status: true, message: 'the storage has everything' };
  }

  async flushEvents() {
    const answer = (status, message) => ({ status, message });
    if (this.#isOptedOut) return answer(false, 'opted out');
    if (!this.#sink) return answer(false, 'no event leaves in development mode');
    const wrong = await this.#sink.flush(FLUSH);
    return wrong ? answer(false, wrong) : answer(true, 'the collector has all events');
  }

  /**
   * The orderly end: the storage has what was decided, and the collector the events, as far as that goes within the time. Where
   * the storage has not, it may be closed once more; where it has, it is let go of.
   */
  async close(milliseconds = FLUSH) {
    const time = timeOf(milliseconds);
    // Nobody begins a call any more.
    this.#isOptedOut = true;
    const wrong = await this.#ended('close', time);
    const unkept = this.#unkept();
    const unsent = this.#sink ? await this.#sink.flush(time) : '';
    // Nor are settings looked for.
    this.setOptOut();
    if (!wrong) {
      this.#isReleased = true;
      await this.#addon.release();
      if (this.#service) this.#service.forget();
    }
    return wrong || unkept || unsent ? { status: false, message: [wrong, unkept, unsent].filter(Boolean).join('; ') } : { status: true, message: 'everything is where it should be' };
  }

  setOptOut() {
    this.#isOptedOut = true;
    this.#addon.optOut();
    if (!this.#isPromised('optOut')) return true;
    // What waits for more is on its way.
    return Promise.resolve(this.#sink ? this.#sink.flush(END) : '').then(() => true);
  }

  /** Fetches the settings, and puts them in force; they are what it answers with. */
  async getAndUpdateSettingsFile(accountId, sdkKey) {
    if (this.#isOptedOut) return null;
    try {
      const { service, proxyUrl } = this.#config;
      const settings = await getSettingsFile(accountId || this.#accountId, sdkKey || this.#sdkKey, service, { proxyUrl });
      const text = JSON.stringify(settings);
      this.#warnOf(text);
      this.#addon.updateSettings(text);
      return settings;
    } catch (error) {
      this.#log.error(`the settings in force stay: ${messageOf(error)}`);
      throw error;
    }
  }

  /** What is wrong after the addon's `flush` or `close`, and the promises of `set`, or an empty text. */
  async #ended(how, time) {
    if (this.#isReleased) return '';
    try {
      await within(time, Promise.allSettled(this.#underWay));
    } catch (error) {
      return `calls are not answered: ${messageOf(error)}`;
    }
    return (await this.#addon[how](time)) || (this.#here ? this.#here.idle(time) : '');
  }

  /** What could not be stored since this was asked last, or an empty text. */
  #unkept() {
    return this.#addon.unkept() || (this.#here ? this.#here.unkept() : '');
  }

  #warnOf(settings) {
    for (const problem of addon.checkSettings(settings)) this.#log.warn(`settings: ${problem}`);
  }

  #isPromised(method) {
    return Boolean(this.#config.promises[method] || this.#config.promises.all);
  }

  #call(method, call, failure) {
    // Nobody takes part any more (spec API-70).
    if (this.#isOptedOut) return (this.#config.isLater && method !== 'push') || this.#isPromised(method) ? Promise.resolve(failure) : failure;
    const waits = this.#config.isLater && (method !== 'push' || this.#isPromised('push'));
    if (waits) return this.#waitedFor(this.#awaited(method, call, failure));
    return this.#mustFetch(method, call) ? this.#waitedFor(this.#fetched(method, call, failure)) : this.#answered(method, call, failure);
  }

  #answered(method, call, failure) {
    try {
      this.#mustNotBeInside(method);
      const line = lineOf(call);
      if (this.#config.isLater) {
        const text = this.#addon.push(line);
        this.#stay();
        return this.#result(method, call, text);
      }
      if (!this.#isPromised(method)) {
        const text = this.#answer(line);
        this.#stay();
        return this.#result(method, call, text);
      }
      const [text, delivered] = this.#addon.deliver(line);
      const result = this.#result(method, call, text);
      this.#stay();
      return delivered ? delivered.then((wrong) => this.#delivered(method, wrong, result)) : Promise.resolve(result);
    } catch (error) {
      this.#log.error(`${method}: ${messageOf(error)}`);
      return this.#isPromised(method) ? Promise.resolve(failure) : failure;
    }
  }

  /** Whoever closes the client waits for this call. */
  #waitedFor(promise) {
    const over = () => this.#underWay.delete(promise);
    this.#underWay.add(promise);
    promise.then(over, over);
    return promise;
  }

  /** Whether the caller awaits a call of a client whose calls do not wait for the storage. */
  #mustFetch(method, { userId, options }) {
    if (!(this.#here || this.#config.isServer) || !this.#isPromised(method) || method === 'push') return false;
    try {
      const hasData = options !== undefined && (kindOf(options) !== '[object Object]' || Boolean(options.userStorageData));
      return typeof userId === 'string' && userId !== '' && !hasData && !(this.#here && this.#here.isInside);
    } catch {
      // A getter of the options: the call itself says so.
      return false;
    }
  }

  /** The same, with all that is stored for the user. Where that cannot be had, it is decided as where a look-up fails. */
  async #fetched(method, call, failure) {
    const answered = (all) => this.#answered(method, all ? { ...call, options: { ...call.options, userStorageData: { all } } } : call, failure);
    try {
      if (this.#here) return await this.#here.fetched(call.userId, this.#addon.campaigns(), answered);
      // The call says what is wrong with the server.
      return await answered(await this.#addon.stored(call.userId).then(JSON.parse, () => undefined));
    } catch (error) {
      this.#log.error(`${method}: ${messageOf(error)}`);
      return failure;
    }
  }

  async #awaited(method, call, failure) {
    try {
      const waits = !this.#config.isAsync && this.#isPromised(method) && this.#sink;
      const line = lineOf(call);
      if (!waits) return this.#result(method, call, await this.#addon.call(line));
      const [text, wrong] = await this.#addon.deliver(line, this.#sink);
      return this.#delivered(method, wrong, this.#result(method, call, text));
    } catch (error) {
      this.#log.error(`${method}: ${messageOf(error)}`);
      return failure;
    } finally {
      this.#stay();
    }
  }

  #result(method, call, text) {
    const sign = text.charCodeAt(0);
    if (sign === TEXT) return text.slice(1);
    if (sign !== MORE) return JSON.parse(text);
    const { result, mistakes, decisions } = JSON.parse(text.slice(1));
    // A campaign that the settings do not have may have come to its end: that is nobody's mistake.
    for (const [sentence, isUnknown] of mistakes) this.#log[isUnknown ? 'warn' : 'error'](`${method}: ${sentence}`);
    this.#show(call, decisions);
    return result;
  }

  #delivered(method, wrong, result) {
    if (wrong) this.#log.error(`${method}: ${wrong}`);
    return result;
  }

  /** Shows decisions to `integrations`, with what was passed as it was passed (spec API-91). */
  #show(call, decisions) {
    for (const properties of decisions) {
      guarded(this.#log, 'integrations.callback', () => {
        const { customVariables, variationTargetingVariables = {} } = call.options || {};
        return this.#config.callback({ goalIdentifier: undefined, ...properties, customVariables, variationTargetingVariables });
      })();
    }
  }

  #decide(method, call) {
    const read = (text) => {
      const { decision, decisions = [], mistake = null } = JSON.parse(text);
      if (mistake) this.#log.error(`${method}: ${mistake}`);
      this.#show(call, decisions);
      return this.#decision(call, decision, mistake);
    };
    const failed = (error) => {
      this.#log.error(`${method}: ${messageOf(error)}`);
      return this.#decision(call, undefined, messageOf(error));
    };
    const isExplained = method === 'explain';
    try {
      this.#mustNotBeInside(method);
      const text = this.#addon.decide(lineOf(call), isExplained);
      if (this.#config.isLater) return this.#waitedFor(text.then(read).catch(failed).finally(() => this.#stay()));
      this.#stay();
      return read(text);
    } catch (error) {
      return this.#config.isLater ? Promise.resolve(failed(error)) : failed(error);
    }
  }

  #decision({ campaignKey, userId }, decision, mistake) {
    const { variation, featureEnabled, variables, otherCampaign, reason, sentence, warnings, stages } = decision || {};
    return {
      campaignKey,
      userId,
      variationName: variation ? variation.name : null,
      variationId: variation ? variation.id : null,
      isFeatureEnabled: featureEnabled === true,
      variables: variables || {},
      otherCampaign: otherCampaign || null,
      reason: reason || 'mistake',
      sentence: sentence || mistake,
      warnings: warnings || [],
      ...(stages && { stages }),
    };
  }

  #mustNotBeInside(method) {
    if (this.#here && this.#here.isInside) throw new Error(`it was called by \`get\` or \`set\` of the storage, which \`${method}\` would wait for`);
  }

  /** The process does not end before what was decided is stored and its event is there, or cannot be. */
  #stay() {
    // It took longer than whoever closed the client would wait.
    if (this.#isReleased) return;
    if (this.#staysForStorage && !this.#isStoring) {
      this.#isStoring = true;
      this.#addon.flush(END).catch(() => {}).finally(() => {
        this.#isStoring = false;
      });
    }
    // Events in batches wait for more; a flush would send them.
    if (this.#staysForEvents && !this.#isSending) {
      this.#isSending = true;
      this.#sink.flush(END).catch(() => {}).finally(() => {
        this.#isSending = false;
      });
    }
  }
}

module.exports = { Client };
