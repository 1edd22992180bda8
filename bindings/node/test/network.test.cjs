'use strict';
// Events, settings, `integrations`, logs and the configuration: what a program sees of them.

const assert = require('node:assert');
const { once } = require('node:events');
const http = require('node:http');
const test = require('node:test');
const official = require('vwo-node-sdk');

const steadfast = require('..');
const { settingsFile } = require('../examples/document-values.cjs');
const { eventually } = require('./eventually.cjs');

const { launch } = steadfast;
const KEY = 'checkout-button';
const quiet = (said = []) => ({ logger: { log: (level, message) => said.push([level, message]) }, level: 3 });
const changed = (change) => {
  const settings = structuredClone(settingsFile);
  change(settings);
  return settings;
};

/** A server in VWO's place: what it was asked, and what it answers. */
async function server(context) {
  const asked = [];
  const it = { asked, settings: settingsFile, status: 200, delay: 0 };
  const listening = http.createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      const url = new URL(request.url, 'http://x');
      asked.push({ path: url.pathname, query: Object.fromEntries(url.searchParams), body });
      const text = url.pathname.endsWith('/server-side/settings') ? JSON.stringify(it.settings) : '';
      setTimeout(() => response.writeHead(it.status, { 'content-type': 'application/json' }).end(text), it.delay);
    });
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  context.after(() => { listening.closeAllConnections(); listening.close(); });
  it.proxyUrl = `http://127.0.0.1:${listening.address().port}/vwo`;
  it.events = () => asked.filter(({ path }) => !path.endsWith('/settings'));
  return it;
}

test('a promise waits for the collector, with batches and without', { timeout: 60_000 }, async (context) => {
  for (const batchEvents of [undefined, { eventsPerRequest: 100, requestTimeInterval: 600 }]) {
    for (const service of [undefined, { get: async () => undefined, set: async () => {} }]) {
      const vwo = await server(context);
      vwo.delay = 200;
      const client = launch({ settingsFile, proxyUrl: vwo.proxyUrl, batchEvents, userStorageService: service, returnPromiseFor: { all: true }, logging: quiet() });
      const promise = client.activate(KEY, 'Ashley');
      assert.ok(promise instanceof Promise);
      assert.strictEqual(await promise, 'Control');
      assert.strictEqual(vwo.events().length, 1, 'the event was there first');
      assert.deepStrictEqual(await client.track(KEY, 'Ashley', 'bought'), { [KEY]: true });
      assert.deepStrictEqual(await client.push('plan', 'gold', 'Ashley'), { plan: true });
      assert.strictEqual(vwo.events().length, 3);
      assert.strictEqual(await client.getVariationName(KEY, 'Ashley'), 'Control');
      assert.strictEqual(await client.isFeatureEnabled(KEY, 'Ashley'), false);
      assert.strictEqual(await client.setOptOut(), true);
      assert.strictEqual(await client.activate(KEY, 'Ashley'), null);
      assert.strictEqual(vwo.events().length, 3);
    }
  }
});

test('batches go when they are full or asked for, and say what became of them', { timeout: 60_000 }, async (context) => {
  const vwo = await server(context);
  const flushed = [];
  const batchEvents = { eventsPerRequest: 3, flushCallback: (error, events) => flushed.push([error, JSON.parse(events).ev.length]) };
  const client = launch({ settingsFile, proxyUrl: vwo.proxyUrl, batchEvents, logging: quiet() });
  for (let number = 0; number < 4; number += 1) client.activate(KEY, `user ${number}`);
  await eventually(() => flushed.length === 1);
  assert.deepStrictEqual(await client.flushEvents(), { status: true, message: 'the collector has all events' });
  await eventually(() => flushed.length === 2);
  assert.deepStrictEqual(flushed, [[null, 3], [null, 1]]);
  vwo.status = 400;
  client.activate(KEY, 'refused');
  assert.strictEqual((await client.flushEvents()).status, false);
  await eventually(() => flushed.length === 3);
  assert.match(flushed[2][0].message, /400/);
  assert.strictEqual(client.setOptOut(), true);
  assert.deepStrictEqual(await client.flushEvents(), { status: false, message: 'opted out' });
  // As the official package has it.
  const answers = [client.activate(KEY, 'A'), client.track(KEY, 'A', 'bought'), client.push('a', 'b', 'A'), client.push('a'), client.isFeatureEnabled(KEY, 'A'), client.getFeatureVariableValue(KEY, 'v', 'A')];
  assert.deepStrictEqual(answers, [null, null, null, false, false, null]);
  assert.strictEqual(client.decide(KEY, 'A').reason, 'opted_out');
  const inDevelopment = launch({ settingsFile, isDevelopmentMode: true, batchEvents, logging: quiet() });
  inDevelopment.activate(KEY, 'Ashley');
  assert.strictEqual((await inDevelopment.flushEvents()).status, false);
});

test('a collector that is away is said once, and once that it is back', { timeout: 60_000 }, async (context) => {
  const vwo = await server(context);
  const said = [];
  vwo.status = 503;
  const client = launch({ settingsFile, proxyUrl: vwo.proxyUrl, logging: { ...quiet(said), level: 2 } });
  for (const user of ['A', 'B', 'C']) client.activate(KEY, user);
  const told = (level, pattern) => said.filter((one) => one[0] === level && pattern.test(one[1])).length;
  await eventually(() => vwo.events().length >= 4);
  await eventually(() => told(4, /events do not arrive.* failing=the collector answers 503/) === 1);
  vwo.status = 200;
  await eventually(() => told(2, /events arrive again/) === 1);
  assert.strictEqual((await client.close()).status, true);
  assert.strictEqual(told(4, /events do not arrive/), 1, JSON.stringify(said));
});

test('settings are fetched, polled, copied, and swapped', { timeout: 60_000 }, async (context) => {
  const vwo = await server(context);
  let copy;
  const service = { getSettings: () => copy, setSettings: async (text) => { copy = text; } };
  assert.deepStrictEqual(await steadfast.getSettingsFile(60781, 'demo', service, vwo), settingsFile);
  const [{ path, query }] = vwo.asked;
  assert.deepStrictEqual([path, query.a, query.i], ['/vwo/server-side/settings', '60781', 'demo']);
  assert.deepStrictEqual(JSON.parse(copy), settingsFile);
  await assert.rejects(steadfast.getSettingsFile('60781'), /SDK key/);

  const optOut = changed((settings) => { settings.campaigns[0].status = 'PAUSED'; });
  const said = [];
  const polled = launch({ settingsFile, proxyUrl: vwo.proxyUrl, pollingInterval: 1_000, sdkKey: 'demo', isDevelopmentMode: true, logging: quiet(said) });
  const asked = launch({ settingsFile, proxyUrl: vwo.proxyUrl, isDevelopmentMode: true, logging: quiet(said) });
  for (const client of [polled, asked]) assert.strictEqual(client.activate(KEY, 'Ashley'), 'Control');
  vwo.settings = optOut;
  assert.deepStrictEqual(await asked.getAndUpdateSettingsFile(), optOut);
  assert.strictEqual(asked.activate(KEY, 'Ashley'), null);
  await eventually(() => polled.activate(KEY, 'Ashley') === null);

  vwo.status = 503;
  assert.deepStrictEqual(await steadfast.getSettingsFile('60781', 'demo', service, vwo), settingsFile);
  copy = 'no settings';
  await assert.rejects(steadfast.getSettingsFile('60781', 'demo', service, vwo), /no copy/);
  await assert.rejects(steadfast.getSettingsFile('60781', 'demo', undefined, vwo), /503 \(127\.0\.0\.1:/);
  await assert.rejects(asked.getAndUpdateSettingsFile(), /503/);
  assert.ok(said.some(([level, message]) => level === 4 && message.includes('the settings in force stay')), JSON.stringify(said));
  asked.setOptOut();
  assert.strictEqual(await asked.getAndUpdateSettingsFile(), null);
  await polled.close();
  const count = vwo.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.strictEqual(vwo.asked.length, count, 'a client that is closed asks no more');
  assert.strictEqual(polled.activate(KEY, 'Ashley'), null);
});

test('integrations see what those of the official package see', async () => {
  const file = changed((settings) => {
    settings.campaigns[0].isForcedVariationEnabled = true;
    settings.campaigns[0].variations[1].segments = { or: [{ user: 'Listed' }] };
  });
  const records = () => {
    const kept = new Map();
    return { get: (userId) => kept.get(userId), set: (record) => void kept.set(record.userId, record) };
  };
  const seen = [];
  for (const sdk of [official, steadfast]) {
    const properties = [];
    const { log, info } = console;
    console.log = console.info = () => {};
    const client = sdk.launch({ settingsFile: structuredClone(file), isDevelopmentMode: true, userStorageService: records(), integrations: { callback: (one) => properties.push(one) }, logging: quiet() });
    Object.assign(console, { log, info });
    for (const userId of ['Ashley', 'Listed']) {
      client.activate(KEY, userId, { customVariables: { plan: 'gold', at: { depth: 2 } } });
      client.getVariationName(KEY, userId);
      client.track(KEY, userId, 'bought', { variationTargetingVariables: { team: 'ours' } });
    }
    seen.push(properties.map(({ sdkVersion, ...one }) => one));
  }
  assert.strictEqual(seen[1].length, 6);
  assert.deepStrictEqual(seen[1], seen[0]);

  // What a callback throws or rejects costs nothing; it may call the client.
  const said = [];
  const names = [];
  for (const isAsync of [false, true]) {
    const client = launch({
      settingsFile, isDevelopmentMode: true, logging: quiet(said), ...(isAsync && { asyncStorageConfig: {} }),
      integrations: { callback: async ({ source }) => { if (source === 'activate') names.push(await client.getVariationName(KEY, 'Ashley')); throw new Error('out of order'); } },
    });
    assert.strictEqual(await client.activate(KEY, 'Ashley'), 'Control');
    await eventually(() => names.length === (isAsync ? 2 : 1));
  }
  assert.deepStrictEqual(names, ['Control', 'Control']);
  assert.ok(said.every(([, message]) => message.includes('out of order')) && said.length >= 2);
});

test('what is wrong with a call is logged once a call, at its level, and without a user id', async () => {
  const said = [];
  steadfast.setLogger({ log: (level, message) => said.push([level, message]) });
  const client = launch({ settingsFile, isDevelopmentMode: true, userStorageService: { get() { client.activate(KEY, 'inner'); throw new Error('out of order'); }, set() {} } });
  client.activate(KEY, '');
  client.activate('gone', 'secret-user');
  client.push('a', 'b', 'c', 'd');
  client.track(KEY, 'secret-user', 'no such goal');
  assert.deepStrictEqual(said.map(([level]) => level), [4, 4, 4]);
  client.activate(KEY, 'secret-user');
  const tell = (pattern) => said.filter(([, message]) => pattern.test(message)).length;
  assert.ok(tell(/called by `get` or `set`/) >= 1);
  assert.strictEqual(tell(/`userStorageService.get` failed: out of order/), 1, 'as long as it goes on');
  assert.strictEqual(steadfast.logging.getLogLevel(), steadfast.LogLevelEnum.ERROR);
  const before = launch({ settingsFile, isDevelopmentMode: true });
  steadfast.setLogLevel(steadfast.LogLevelEnum.WARN);
  // Also of those that were launched before.
  before.activate('gone', 'secret-user');
  assert.deepStrictEqual(said.at(-1), [3, 'activate: no campaign has the key `gone`']);
  const everything = [];
  launch({ settingsFile, isDevelopmentMode: true, logging: { logger: { log: (level, message) => everything.push([level, message]) } } }).activate(KEY, 'secret-user');
  await eventually(() => everything.length > 0);
  assert.ok(![...said, ...everything].some(([level, message]) => level > 1 && message.includes('secret-user')), JSON.stringify(said));
  // What a logger throws or rejects costs nothing.
  for (const log of [() => { throw new Error('a logger'); }, async () => { throw new Error('a logger'); }]) {
    assert.strictEqual(launch({ settingsFile, isDevelopmentMode: true, logging: { logger: { log } } }).activate(KEY, ''), null);
  }
  steadfast.setLogger();
  steadfast.setLogLevel();
});

test('a configuration that is wrong says all that is wrong with it', () => {
  const wrong = (config, ...patterns) => assert.throws(() => launch(config), (error) => patterns.every((pattern) => pattern.test(error.message)) || assert.fail(error.message));
  wrong(undefined, /takes an object/);
  wrong({}, /`settingsFile` is missing/);
  wrong({ settingsFile: '{' }, /`settingsFile` cannot be used: the settings file ends too early/);
  wrong({ settingsFile: {} }, /`settingsFile` cannot be used: .*accountId/);
  wrong({ settingsFile: Promise.resolve(settingsFile) }, /is a promise: await/);
  wrong({ settingsFile, returnPromiseFor: { all: 'yes' } }, /returnPromiseFor.all/);
  assert.throws(() => steadfast.setLogLevel('x'), /LogLevelEnum/);
  assert.throws(() => steadfast.setLogger(3), /log\(level, message\)/);
  wrong(
    { settingsFile, isDevelopmentMode: null, shouldTrackReturningUser: 1, goalTypeToTrack: 'SOME', logging: { level: 5, logger: {} }, pollingInterval: 1_000 },
    /isDevelopmentMode/, /shouldTrackReturningUser/, /goalTypeToTrack/, /logging.level/, /logging.logger/, /needs an `sdkKey`/,
  );
  for (const batchEvents of [{}, { eventsPerRequest: 0 }, { eventsPerRequest: 5_001 }, { eventsPerRequest: 2.5 }, { requestTimeInterval: 0.5 }, { eventsPerRequest: 1, flushCallback: 1 }, []]) wrong({ settingsFile, batchEvents }, /batchEvents/);
  for (const name of ['returnPromiseFor', 'asyncStorageConfig', 'integrations', 'userStorageService']) for (const value of [null, [], 'x', 1]) wrong({ settingsFile, [name]: value }, new RegExp(name));
  wrong({ settingsFile, storage: 'nowhere:' }, /expected `memory:`/);
  wrong({ settingsFile, storage: 'embedded://./x.redb' }, /without `\/\/`/);
  wrong({ settingsFile, storage: null }, /`storage` is null/);
  wrong({ settingsFile, storage: { lookUp: -1 } }, /storage.lookUp/, /storage.url/);
  wrong({ settingsFile, storage: 'memory:', userStorageService: {} }, /two storages/);
  wrong({ settingsFile, storage: 'redis://user:secret@' }, /^(?!.*secret)/);
  wrong({ settingsFile, batchEvents: { requestTimeInterval: 2e19 } }, /requestTimeInterval/);
  wrong({ settingsFile, pollingInterval: 1e300, sdkKey: 'demo' }, /pollingInterval/);
  wrong({ settingsFile, sdkKey: 987654 }, /`sdkKey` is a number/, /^(?!.*987654)/);
  wrong({ settingsFile, isDevelopmentMode: 1n }, /`isDevelopmentMode` is 1n/);
  launch({ settingsFile, isDevelopmentMode: true, constructor: 1, logging: { toString() {}, level: 4 } });
  wrong({ settingsFile, activation: 'sometimes' }, /`required` or `optional`/);
  const doubted = [];
  launch({ settingsFile, isDevelopmentMode: true, pollingInterval: 5, sdkKey: 'demo', userStorageService: { get: 1 }, logging: quiet(doubted) }).setOptOut();
  launch({ settingsFile, isDevelopmentMode: true, storage: { url: 'memory:', retention: 1_000, prefix: 'x:' }, logging: quiet(doubted) });
  const doubts = [/`pollingInterval` is below a second/, /Service.get` is no function/, /Service.set` is no function/, /`storage.retention` is for Redis/, /`storage.prefix` is for Redis/];
  assert.strictEqual(doubted.length, doubts.length, JSON.stringify(doubted));
  doubts.forEach((doubt, number) => assert.match(doubted[number][1], doubt));
  const said = [];
  const odd = changed((settings) => { settings.campaigns[0].variations[0].weight = -1; });
  const client = launch({ settingsFile: odd, isDevelopmentMode: true, userStorageservice: {}, logging: quiet(said) });
  assert.match(said[0][1], /`userStorageservice` is not an option/);
  assert.match(said[1][1], /settings: .*weight/);
  assert.strictEqual(client.activate(KEY, 'Ashley'), null);
});
