'use strict';
// The same stream of calls through this package, at once and with promises, and through vwo-node-sdk from npm: the same
// answers, and the same records at the end.

const assert = require('node:assert');
const test = require('node:test');
const official = require('vwo-node-sdk');

const steadfast = require('..');
const cases = require('./cases.cjs');

const METHODS = {
  activate: (client, r) => client.activate(r.campaignKey, r.userId, r.options),
  getVariationName: (client, r) => client.getVariationName(r.campaignKey, r.userId, r.options),
  isFeatureEnabled: (client, r) => client.isFeatureEnabled(r.campaignKey, r.userId, r.options),
  getFeatureVariableValue: (client, r) => client.getFeatureVariableValue(r.campaignKey, r.variableKey, r.userId, r.options),
  track: (client, r) => client.track(r.campaignKey, r.userId, r.goalIdentifier, r.options),
  push: (client, r) =>
    'customDimensionMap' in r ? client.push(r.customDimensionMap, r.userId) : client.push(r.tagKey, r.tagValue, r.userId),
};
const place = (userId, campaignKey) => JSON.stringify([userId, campaignKey]);
const copy = (value) => value && JSON.parse(JSON.stringify(value));
const logging = { logger: { log() {} } };

/** What the official SDK says to the console when it is launched is not for this test. */
function quietly(call) {
  const said = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug']) [said[name], console[name]] = [console[name], () => {}];
  try {
    return call();
  } finally {
    Object.assign(console, said);
  }
}

/** A client, and the records that its storage keeps. */
class Player {
  constructor(one, { sdk, isAsync }) {
    this.isAsync = isAsync;
    this.isOurs = sdk === steadfast;
    this.records = new Map();
    const get = (userId, campaignKey) => copy(this.records.get(place(userId, campaignKey)));
    const set = (record) => void this.records.set(place(record.userId, record.campaignKey), copy(record));
    const config = { settingsFile: JSON.parse(one.settings), isDevelopmentMode: true, logging };
    if (one.hasStorage) config.userStorageService = isAsync ? { get: async (...key) => get(...key), set: async (record) => set(record) } : { get, set };
    if (isAsync) config.asyncStorageConfig = {};
    this.set = set;
    this.client = this.isOurs ? sdk.launch(config) : quietly(() => sdk.launch(config));
  }

  async answer(request) {
    if (request.op === 'storage_put') return this.isOurs ? this.client.put(request.record) : (this.set(copy(request.record)), true);
    const given = METHODS[request.op](this.client, copy(request));
    // A push asks no storage: it is answered at once (spec API-83).
    assert.strictEqual(given instanceof Promise, this.isAsync && request.op !== 'push');
    const result = await given;
    // Only development mode adds this mark.
    if (!this.isOurs && result !== null && typeof result === 'object') delete result.isDevelopmentMode;
    return result === undefined ? null : copy(result);
  }

  async stored() {
    if (this.isOurs) assert.deepStrictEqual((await this.client.flushStorage()).status, true);
    const places = [...this.records.keys()].sort();
    return places.map((one) => this.records.get(one));
  }
}

test('the answers are those of vwo-node-sdk, at once and with promises', { timeout: 1_800_000 }, async (context) => {
  let count = 0;
  let positive = 0;
  for (const one of cases) {
    const reference = new Player(one, { sdk: official, isAsync: false });
    const ours = [false, true].map((isAsync) => new Player(one, { sdk: steadfast, isAsync }));
    for (const [line, request] of one.requests.entries()) {
      const expected = await reference.answer(request);
      for (const player of ours) {
        const where = `${one.name} line ${line}, ${player.isAsync ? 'with promises' : 'at once'}: ${JSON.stringify(request)}`;
        assert.deepStrictEqual(await player.answer(request), expected, where);
      }
      count += 1;
      positive += expected ? 1 : 0;
    }
    if (!one.hasStorage) continue;
    const expected = await reference.stored();
    for (const player of ours) assert.deepStrictEqual(await player.stored(), expected, one.name);
  }
  assert.ok(count > 10_000, `${count}`);
  context.diagnostic(`${count} requests, ${positive} of them answered with more than a plain no: 0 differences at once, 0 with promises`);
});
