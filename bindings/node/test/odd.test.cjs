'use strict';
// What programs pass by mistake: the answers are those of the official package, and nothing is thrown.

const assert = require('node:assert');
const test = require('node:test');
const official = require('vwo-node-sdk');

const steadfast = require('..');
const { settingsFile } = require('../examples/document-values.cjs');

const KEY = 'checkout-button';
const cyclic = {};
cyclic.itself = cyclic;
const vars = (customVariables) => (client) => client.activate(KEY, 'A', { customVariables });
const tracked = (specifier, options) => (client) => client.track(specifier, 'A', 'bought', options);

const CALLS = {
  'a large number': vars({ x: 1n }),
  'an object that holds itself': vars({ x: cyclic, y: [cyclic, { z: 1n }] }),
  'a getter that throws': (client) => client.activate(KEY, 'A', { get customVariables() { throw new Error('x'); } }),
  'half a character in a variable that is called as the user is': vars({ userId: 'x\ud83d' }),
  'a symbol': (client) => [client.activate(KEY, 'A', Symbol('x')), client.activate(KEY, 'A', { customVariables: Symbol('x') })],
  'objects for names': (client) => [client.activate(new String(KEY), 'A'), client.activate(KEY, { toJSON: () => 'A' }), client.activate(KEY, new String('A'))],
  'a prototype': vars(JSON.parse('{"__proto__":{"a":1}}')),
  'half a character in a variable': (client) => client.activate(KEY, 'A', { customVariables: { x: 'x\ud83d' }, unread: 'y\ud83d' }),
  'an option that nobody reads and that throws': (client) => client.activate(KEY, 'A', Object.defineProperty({}, 'unread', { enumerable: true, get() { throw new Error('x'); } })),
  'half a character': (client) => client.activate(KEY, '\ud800'),
  'half a character in a campaign': (client) => client.activate('\ud800', 'A'),
  'half a character in a goal': (client) => client.track(KEY, 'A', '\ud800'),
  'no character in a user': (client) => ['\0', 'A\0B', '\0A', 'A\0'].map((user) => client.activate(KEY, user)),
  'no character in a campaign': (client) => client.activate(`${KEY}\0A`, 'A'),
  'no character in a goal': (client) => client.track(KEY, 'A', 'bought\0'),
  'a brace in a campaign': (client) => client.activate('{', 'A'),
  'empty texts': (client) => [client.activate('', 'A'), client.activate(KEY, ''), client.track(KEY, 'A', ''), client.getFeatureVariableValue(KEY, '', 'A')],
  'long ids, of whatever characters': (client) => Array.from({ length: 80 }, (_, more) => client.activate(KEY, 'é€😀'.repeat(50) + 'x'.repeat(more))),
  'nothing at all': (client) => client.activate(),
  numbers: (client) => client.activate(1, 2),
  'options that are null': (client) => client.activate(KEY, 'A', null),
  'options that are a list': (client) => client.activate(KEY, 'A', []),
  'options that are a text': (client) => client.activate(KEY, 'A', 'x'),
  'options that are a number': (client) => client.activate(KEY, 'A', 5),
  'options that are a function': (client) => client.activate(KEY, 'A', () => 1),
  'variables that are null': vars(null),
  'variables that are not there': vars(undefined),
  'variables that are a function': vars(() => 1),
  'variables that are a map': vars(new Map([['a', 1]])),
  'a date': vars({ date: new Date() }),
  'a flag that is a text': (client) => client.activate(KEY, 'A', { shouldTrackReturningUser: 'yes' }),
  'a flag that is null': (client) => client.activate(KEY, 'A', { shouldTrackReturningUser: null }),
  'no campaign': tracked(undefined),
  'null for all campaigns': tracked(null),
  'an empty list of campaigns': tracked([]),
  'a number for a campaign': tracked(5),
  'an object for a campaign': tracked({}),
  'an empty text for a campaign': tracked(''),
  'a list with anything': tracked([KEY, null, 5]),
  'a revenue that is no number': tracked(KEY, { revenueValue: NaN }),
  'a type of goals that is null': tracked(KEY, { goalTypeToTrack: null }),
  'a push of nothing': (client) => client.push(),
  'a push of one': (client) => client.push('a'),
  'a push of four': (client) => client.push('a', 'b', 'A', 'x'),
  'an empty map': (client) => client.push({}, 'A'),
  'a map that is not there': (client) => client.push(undefined, 'A'),
  'a map that is null': (client) => client.push(null, 'A'),
  'a map that is a list': (client) => client.push(['a'], 'A'),
  'a map of anything': (client) => client.push({ a: 1, b: true, c: { d: 1 } }, 'A'),
  'a value that is a number': (client) => client.push('a', 5, 'A'),
  'a value that is too long': (client) => client.push('a', 'x'.repeat(256), 'A'),
};

test('what is passed by mistake is answered as by the official package', () => {
  const { log, info } = console;
  console.log = console.info = () => {};
  const [theirs, ours] = [official, steadfast].map((sdk) => sdk.launch({ settingsFile: structuredClone(settingsFile), isDevelopmentMode: true, logging: { logger: { log() {} } } }));
  Object.assign(console, { log, info });
  for (const [name, call] of Object.entries(CALLS)) {
    const expected = call(theirs);
    // Only development mode adds this mark.
    if (expected !== null && typeof expected === 'object') delete expected.isDevelopmentMode;
    assert.deepStrictEqual(call(ours), expected, name);
  }
});

test('a record may hold anything, and a storage may call its client', async () => {
  const records = {
    'a large number': { variationName: 'Variation-1', userId: 'A', campaignKey: KEY, id: 1n },
    'half a character': { variationName: 'Variation-1', userId: 'A', campaignKey: KEY, note: 'x\ud83d' },
    'a field called then': { variationName: 'Variation-1', userId: 'A', campaignKey: KEY, then: 5 },
    'no JSON': { variationName: 'Variation-1', toJSON() {} },
    'a proxy that throws': new Proxy({}, { get() { throw new Error('x'); } }),
  };
  const base = { settingsFile, isDevelopmentMode: true, logging: { logger: { log() {} } } };
  const names = Object.entries(records).map(([name, record]) => [name, steadfast.launch({ ...base, userStorageService: { get: () => record, set() {} } }).activate(KEY, 'A')]);
  assert.deepStrictEqual(names, Object.keys(records).map((name, place) => [name, place < 3 ? 'Variation-1' : 'Control']));

  const refused = [];
  const other = steadfast.launch({ ...base, storage: 'memory:' });
  const client = steadfast.launch({
    ...base,
    userStorageService: {
      get(userId) {
        refused.push(client.activate(KEY, userId), client.put({ userId, campaignKey: KEY, variationName: 'Control' }), client.explain(KEY, userId).reason);
        client.stored(userId).catch((error) => refused.push(error.message));
        assert.strictEqual(other.activate(KEY, userId), 'Control');
      },
      set() {},
    },
  });
  assert.strictEqual(client.activate(KEY, 'A'), 'Control');
  await new Promise(setImmediate);
  assert.deepStrictEqual(refused, [null, false, 'mistake', 'it was called by `get` or `set` of the storage, which `stored` would wait for']);
});

test('a getter or a logger that calls the client in the middle of a call is refused, and nothing hangs', () => {
  const refused = [];
  const call = () => void refused.push(client.activate(KEY, 'A'));
  const service = {
    get get() { call(); return () => ({ get variationName() { call(); throw new Error('x'); } }); },
    get set() { call(); return () => { throw new Error('x'); }; },
  };
  let depth = 0;
  const log = () => {
    depth += 1;
    if (depth < 3) call();
    depth -= 1;
  };
  const client = steadfast.launch({ settingsFile, isDevelopmentMode: true, activation: 'optional', userStorageService: service, logging: { logger: { log } } });
  assert.strictEqual(client.activate(KEY, 'A'), 'Control');
  assert.ok(refused.length >= 4 && refused.every((name) => name === null), `${refused}`);
});

test('a client can be wrapped, and its methods taken out', () => {
  const client = new Proxy(steadfast.launch({ settingsFile, isDevelopmentMode: true }), {});
  const { activate } = client;
  assert.deepStrictEqual([client.activate(KEY, 'A'), activate(KEY, 'A')], ['Control', 'Control']);
});

test('what cannot be told as a line is refused, and said', () => {
  const said = [];
  const client = steadfast.launch({ settingsFile, isDevelopmentMode: true, logging: { logger: { log: (level, message) => said.push([level, message]) }, level: 3 } });
  const deep = (levels) => (levels === 0 ? {} : { a: deep(levels - 1) });
  assert.strictEqual(client.activate(KEY, 'A', { customVariables: deep(120) }), 'Control');
  assert.deepStrictEqual(said, []);
  assert.strictEqual(client.activate(KEY, 'A', { customVariables: deep(130) }), null);
  assert.strictEqual(client.track(new String(KEY), 'A', 'bought'), null);
  assert.strictEqual(client.track(KEY, 'A', new String('bought')), null);
  assert.strictEqual(client.activate(KEY, 'A', { userStorageData: client.stored('A') }), null);
  assert.strictEqual(client.activate(KEY, 'A', { userStorageData: [] }), null);
  assert.strictEqual(client.isFeatureEnabled(KEY, 'A', new Map()), false);
  assert.deepStrictEqual(said.map(([level]) => level), [4, 4, 4, 4, 4, 4]);
  [/`options` cannot be read/, /`campaignKey` is an object, expected a text/, /`goalIdentifier` is an object, expected a text/,
    /`options.userStorageData` is a promise: await it/, /is a list without a record: pass `{"all": \[\]}`/, /`options` is a Map, expected an object/].forEach((pattern, number) => assert.match(said[number][1], pattern));
});
