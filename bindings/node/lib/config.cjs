'use strict';
// What a client is launched with: seen to be right, and in the words of the addon.

const GOAL_TYPES = ['REVENUE_TRACKING', 'CUSTOM_GOAL', 'ALL'];
const DECIDING = ['activate', 'getVariationName', 'track', 'isFeatureEnabled', 'getFeatureVariableValue'];
const MOST_EVENTS = 5_000;

const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isText = (value) => typeof value === 'string' && value !== '';
/** No time is as long: a hundred years, in milliseconds. */
const LONGEST = 100 * 365 * 86_400_000;
const SECOND = 1_000;
const isAbove = (least) => (value) => typeof value === 'number' && value >= least && value <= LONGEST;
const isFlag = (value) => typeof value === 'boolean';
const isFunction = (value) => typeof value === 'function';

const LOGGING = {
  level: [(value) => [0, 1, 2, 3, 4].includes(value), 'a level of `LogLevelEnum`'],
  logger: [(value) => isMap(value) && isFunction(value.log), 'an object with a function `log(level, message)`'],
};
const BATCH = {
  eventsPerRequest: [(value) => Number.isInteger(value) && value >= 1 && value <= MOST_EVENTS, `a whole number from 1 to ${MOST_EVENTS}`],
  requestTimeInterval: [isAbove(1), 'a number of seconds, 1 or more'],
  flushCallback: [isFunction, 'a function'],
};
const STORAGE = {
  url: [isText, 'a URL, such as `embedded:./assignments.redb`'],
  lookUp: [isAbove(1), 'a number of milliseconds'],
  write: [isAbove(1), 'a number of milliseconds'],
  retention: [isAbove(1), 'a number of milliseconds'],
  prefix: [isText, 'a text'],
  cache: [isFlag, 'true or false'],
  pseudonymKey: [isText, 'a key: 64 hexadecimal digits, or 32 bytes in Base64'],
  journal: [isText, 'the path of a file'],
};
const CONFIG = {
  settingsFile: [(value) => isMap(value) || isText(value), 'the settings, as an object or a text'],
  sdkKey: [isText, 'a text'],
  isDevelopmentMode: [isFlag, 'true or false'],
  shouldTrackReturningUser: [isFlag, 'true or false'],
  goalTypeToTrack: [(value) => GOAL_TYPES.includes(value), `one of ${GOAL_TYPES.join(', ')}`],
  pollingInterval: [isAbove(1), 'a number of milliseconds'],
  logging: [isMap, 'an object', LOGGING],
  batchEvents: [isMap, 'an object', BATCH],
  returnPromiseFor: [isMap, 'an object', Object.fromEntries([...DECIDING, 'push', 'optOut', 'all'].map((name) => [name, [isFlag, 'true or false']]))],
  asyncStorageConfig: [isMap, 'an object'],
  integrations: [isMap, 'an object', { callback: [isFunction, 'a function'] }],
  userStorageService: [isMap, 'an object with the functions `get` and `set`'],
  proxyUrl: [isText, 'a URL'],
  activation: [(value) => value === 'required' || value === 'optional', '`required` or `optional`'],
  storage: [(value) => isText(value) || isMap(value), 'a URL, or an object with one', STORAGE],
  eventSpool: [isText, 'the path of a folder'],
};

/** What is not repeated: it may be in a log next. */
const SECRETS = ['sdkKey', 'pseudonymKey', 'url', 'storage'];

const shown = (value) => (typeof value === 'bigint' ? `${value}n` : isMap(value) ? 'an object' : Array.isArray(value) ? 'a list' : typeof value === 'function' ? 'a function' : JSON.stringify(value) ?? String(value));

/** Adds what is wrong with a map, and the names in it that nobody knows. */
function check(map, rules, path, wrong, unknown) {
  for (const [name, value] of Object.entries(map)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) unknown.push(`${path}${name}`);
    // The official SDK takes what is falsy for absent in some places; undefined is absent in all.
    else if (value === undefined || ((name === 'goalTypeToTrack' || name === 'pollingInterval') && !value)) continue;
    else if (!rule[0](value)) wrong.push(`\`${path}${name}\` is ${SECRETS.includes(name) && value ? `a ${typeof value}` : shown(value)}, expected ${rule[1]}`);
    else if (rule[2] && isMap(value)) check(value, rule[2], `${path}${name}.`, wrong, unknown);
  }
}

function hasFunction(service, name) {
  try {
    return isFunction(service[name]);
  } catch {
    // A getter: it is seen to when it is called for.
    return true;
  }
}

/** What has not the effect that somebody may think it has. */
function doubts({ pollingInterval, userStorageService: service }, storage) {
  const said = [];
  if (pollingInterval < SECOND) said.push('`pollingInterval` is below a second, and is taken for one');
  for (const [name, lost] of [['get', 'nothing is looked up'], ['set', 'nothing is kept']]) {
    if (service && !hasFunction(service, name)) said.push(`\`userStorageService.${name}\` is no function: ${lost}`);
  }
  for (const name of ['retention', 'prefix']) {
    if (storage && storage[name] !== undefined && !/^rediss?[+:]/.test(storage.url)) said.push(`\`storage.${name}\` is for Redis, and has no effect here`);
  }
  return said;
}

/**
 * The configuration, translated.
 *
 * Throws an error that names all that is wrong with it: a slip should be seen at the start.
 */
function read(config) {
  if (!isMap(config)) throw new TypeError(`\`launch\` takes an object, and was given ${shown(config)}`);
  const [wrong, unknown] = [[], []];
  check(config, CONFIG, '', wrong, unknown);
  const { batchEvents: batch, integrations, pollingInterval, userStorageService: service } = config;
  const storage = isText(config.storage) ? { url: config.storage } : config.storage;
  if (isMap(config.settingsFile) && isFunction(config.settingsFile.then)) wrong.push('`settingsFile` is a promise: await `getSettingsFile(accountId, sdkKey)`');
  if (config.settingsFile === undefined) wrong.push('`settingsFile` is missing: await `getSettingsFile(accountId, sdkKey)`');
  if (batch && batch.eventsPerRequest === undefined && batch.requestTimeInterval === undefined) wrong.push('`batchEvents` has neither `eventsPerRequest` nor `requestTimeInterval`');
  if (pollingInterval && !config.sdkKey) wrong.push('`pollingInterval` needs an `sdkKey`');
  if (storage && storage.url === undefined) wrong.push('`storage.url` is missing');
  if (storage && service) wrong.push('`storage` and `userStorageService` are two storages: name one of them');
  if (wrong.length > 0) throw new TypeError(`cannot launch: ${wrong.join('; ')}`);

  const promises = config.returnPromiseFor || {};
  const isServer = storage !== undefined && !/^(memory|embedded):/.test(storage.url);
  const areAllPromises = Boolean(promises.all) || DECIDING.every((method) => promises[method]);
  return {
    doubts: [...unknown.map((name) => `\`${name}\` is not an option that is known here: it has no effect`), ...doubts(config, storage)],
    service,
    promises,
    callback: integrations && integrations.callback,
    flushCallback: batch && batch.flushCallback,
    hasBatches: batch !== undefined,
    /** `asyncStorageConfig` comes first: then nobody waits for the collector. */
    isAsync: config.asyncStorageConfig !== undefined,
    isServer,
    /** Calls are promises anyway, and the storage may be one that answers with promises. */
    isLater: config.asyncStorageConfig !== undefined || (areAllPromises && (service !== undefined || isServer)),
    settings: isText(config.settingsFile) ? config.settingsFile : JSON.stringify(config.settingsFile),
    sdkKey: config.sdkKey,
    proxyUrl: config.proxyUrl,
    logging: config.logging,
    isDevelopmentMode: config.isDevelopmentMode === true,
    options: {
      storage,
      activationRequired: config.activation !== 'optional',
      trackReturningUsers: config.shouldTrackReturningUser === true,
      goalTypes: config.goalTypeToTrack || undefined,
      developmentMode: config.isDevelopmentMode === true,
      integrations: Boolean(integrations && integrations.callback),
      pollingInterval: pollingInterval || undefined,
      sdkKey: config.sdkKey,
      server: config.proxyUrl,
    },
    sink: {
      collector: config.proxyUrl,
      batch: batch !== undefined,
      eventsPerRequest: batch && batch.eventsPerRequest,
      requestTimeInterval: batch && batch.requestTimeInterval,
      spool: config.eventSpool,
    },
  };
}

module.exports = { read };
