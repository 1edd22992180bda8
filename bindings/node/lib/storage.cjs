'use strict';
// The caller's `userStorageService`, as text, whatever its `get` and `set` return, throw or reject. Of `get` the addon is told
// that nothing is stored: ''; the record, as JSON or short (`src/storage/mod.rs`); '!' and why neither can be said; or '?', where
// it is asked before a write and returns a promise.

const { jsonOf } = require('./line.cjs');
const { isThenable, messageOf, within } = require('./promises.cjs');

/**
 * So long may a `set` take before the next one of its place is called, and a `get`. The client gives up a little later: that it
 * was one of these which took so long can be said here.
 */
const [WRITE, LOOK_UP] = [9_950, 1_950];

const ADVICE = '`userStorageService.get` returns a promise, which a call that answers at once cannot wait for: it decides without the storage, and keeps nothing. Launch with `asyncStorageConfig: {}` and await the calls, or pass `userStorageData: await client.stored(userId)`';

const placeOf = (record) => JSON.stringify([record.userId, record.campaignKey]);

const isAbsent = (value) => value === undefined || value === null;
const isPlain = (value) => typeof value === 'string' && !value.includes('\0');

/** What is wrong with what `get` returned, which has a `variationName`, or an empty text. */
function flawOf({ userId, campaignKey, variationName }) {
  if (typeof campaignKey !== 'string' || campaignKey === '') return 'a record without a `campaignKey`';
  if (typeof variationName !== 'string') return 'a record whose `variationName` is no text';
  return isAbsent(userId) || typeof userId === 'string' ? '' : 'a record whose `userId` is no text';
}

/** What `get` returned, as text; short, where it says no more of a user and a campaign that are named than the variation and goals. */
function asText(value, user, campaign) {
  if (isAbsent(value)) return '';
  if (typeof value !== 'object' || Array.isArray(value)) return `!\`get\` returned ${Array.isArray(value) ? 'a list' : `a ${typeof value}`}, and no record`;
  const { userId, campaignKey, variationName, goalIdentifier, goalIdentifiers, metaData, activated } = value;
  // A storage may say so that there is nothing; the reference reads it like that, too.
  if (!variationName) return '';
  const goals = isAbsent(goalIdentifier) ? '' : goalIdentifier;
  const hasMore = !isAbsent(goalIdentifiers) || !isAbsent(metaData) || activated !== undefined;
  if (user !== undefined && userId === user && campaignKey === campaign && isPlain(variationName) && isPlain(goals) && !hasMore) return `=${variationName}\0${goals}`;
  const record = { userId, campaignKey, variationName, goalIdentifier, goalIdentifiers, metaData, activated };
  const flaw = flawOf(record);
  return flaw ? `!\`get\` returned ${flaw}` : jsonOf(record);
}

/** Says the first of several failures, and that they are over. */
class Trouble {
  #log;
  #what;
  #isOn = false;

  constructor(log, what) {
    this.#log = log;
    this.#what = what;
  }

  on(error) {
    const message = messageOf(error);
    if (!this.#isOn) this.#log.error(`\`userStorageService.${this.#what}\` failed: ${message}`);
    this.#isOn = true;
    return message;
  }

  over() {
    if (this.#isOn) this.#log.info(`\`userStorageService.${this.#what}\` works again`);
    this.#isOn = false;
  }
}

/** The functions for a client that answers where it is called. */
class Here {
  /** One of them runs: a call that is made from there would wait for the one that it is made from. */
  isInside = false;
  #service;
  #log;
  #reading;
  #writing;
  #isAdvised = false;
  /** Why `get` is not asked at this moment. */
  #failure = '';
  #broken = 0;
  /** Promises of `set` that are not kept yet, by place, and the record that is to be set after. */
  #pending = new Map();

  constructor(service, log) {
    this.#service = service;
    this.#log = log;
    this.#reading = new Trouble(log, 'get');
    this.#writing = new Trouble(log, 'set');
  }

  /** `isWrite`: before something is written, where a promise is told as a `?`. */
  get = (user, campaign, isWrite) =>
    this.#inside(() => {
      try {
        if (this.#failure) return `!${this.#failure}`;
        if (typeof this.#service.get !== 'function') return '';
        const value = this.#service.get(user, campaign);
        if (isThenable(value)) {
          // Nobody waits for it: what it comes to must not end the process.
          Promise.resolve(value).then(() => {}, () => {});
          if (isWrite) return '?';
          if (!this.#isAdvised) this.#log.error(ADVICE);
          this.#isAdvised = true;
          return '!`get` returned a promise';
        }
        const text = asText(value, user, campaign);
        if (text.startsWith('!')) this.#reading.on(text.slice(1));
        else this.#reading.over();
        return text;
      } catch (error) {
        return `!${this.#reading.on(error)}`;
      }
    });

  set = (text) =>
    this.#inside(() => {
      try {
        if (typeof this.#service.set !== 'function') return '';
        const record = JSON.parse(text);
        const before = this.#pending.get(placeOf(record));
        // What is under way may be slow, and must not come after this.
        if (before) before.next = record;
        else this.#begin(record);
        return '';
      } catch (error) {
        return this.#writing.on(error);
      }
    });

  /** All that is stored for a user in these campaigns, whether `get` answers at once or with promises. */
  async stored(user, campaigns) {
    const ask = async (campaign) => {
      // Not short: it is read here.
      const text = asText(await this.#inside(() => (typeof this.#service.get === 'function' ? this.#service.get(user, campaign) : undefined)));
      if (text.startsWith('!')) throw new Error(text.slice(1));
      return text;
    };
    const answers = await Promise.all(campaigns.map(ask));
    return answers.filter((answer) => answer !== '').map((answer) => JSON.parse(answer));
  }

  /** The same, within the time of a look-up, for a call that is awaited; nothing where it cannot be had, and then `get` is not asked in the call. */
  async fetched(user, campaigns, call) {
    let all;
    try {
      all = await within(LOOK_UP, this.stored(user, campaigns));
      this.#reading.over();
    } catch (error) {
      this.#failure = this.#reading.on(error);
    }
    try {
      return call(all);
    } finally {
      this.#failure = '';
    }
  }

  /** The client is closed: what the caller has is theirs alone. */
  forget() {
    this.#service = {};
  }

  /** How many promises of `set` were broken since this was asked last, in words, or an empty text. */
  unkept() {
    const broken = this.#broken;
    this.#broken = 0;
    return broken > 0 ? `\`set\` rejected, or took too long, ${broken === 1 ? 'once' : `${broken} times`}` : '';
  }

  /** Waits until all promises of `set` are kept, or given up; what is wrong after so many milliseconds, or an empty text. */
  async idle(milliseconds) {
    const all = async () => {
      while (this.#pending.size > 0) await Promise.all([...this.#pending.values()].map((pending) => pending.ended));
    };
    try {
      await within(milliseconds, all());
      return '';
    } catch (error) {
      return `promises of \`set\` are not kept: ${messageOf(error)}`;
    }
  }

  /** Whatever is not ours, getters and loggers among it, runs in here. */
  #inside(call) {
    const before = this.isInside;
    this.isInside = true;
    try {
      return call();
    } finally {
      this.isInside = before;
    }
  }

  #begin(record) {
    const value = this.#service.set(record);
    if (!isThenable(value)) return this.#writing.over();
    const place = placeOf(record);
    const pending = { next: undefined };
    const end = () => {
      this.#pending.delete(place);
      if (pending.next) this.set(JSON.stringify(pending.next));
    };
    pending.ended = within(WRITE, value, false).then(() => this.#writing.over(), (error) => {
      this.#broken += 1;
      this.#writing.on(error);
    }).then(end);
    this.#pending.set(place, pending);
  }
}

/** The same for a client that answers with promises. */
class Later {
  #service;
  #reading;
  #writing;

  constructor(service, log) {
    this.#service = service;
    this.#reading = new Trouble(log, 'get');
    this.#writing = new Trouble(log, 'set');
  }

  get = async (user, campaign) => {
    try {
      const text = typeof this.#service.get === 'function' ? asText(await within(LOOK_UP, this.#service.get(user, campaign), false), user, campaign) : '';
      if (text.startsWith('!')) this.#reading.on(text.slice(1));
      else this.#reading.over();
      return text;
    } catch (error) {
      return `!${this.#reading.on(error)}`;
    }
  };

  set = async (text) => {
    try {
      if (typeof this.#service.set === 'function') await within(WRITE, this.#service.set(JSON.parse(text)), false);
      this.#writing.over();
      return '';
    } catch (error) {
      return this.#writing.on(error);
    }
  };

  /** The client is closed: what the caller has is theirs alone. */
  forget() {
    this.#service = {};
  }
}

module.exports = { Here, Later };
