'use strict';
// The same stream of calls through this package and, recorded, through vwo-node-sdk 1.73.0: the same answers, whether the
// storage answers at once or with promises, and the same records at the end.

const assert = require('node:assert');
const test = require('node:test');

const { launch } = require('..');
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
const sorted = (records) => [...records].sort((one, other) => (place(one.userId, one.campaignKey) < place(other.userId, other.campaignKey) ? -1 : 1));

/** Plays a case; how many answers there were. */
async function play(one, isAsync) {
  const records = new Map();
  const put = (record) => void records.set(place(record.userId, record.campaignKey), record);
  const get = (userId, campaignKey) => records.get(place(userId, campaignKey));
  const launched = { settingsFile: one.settings, isDevelopmentMode: true, logging: { logger: { log() {} } } };
  if (one.hasStorage) {
    launched.userStorageService = isAsync ? { get: async (...key) => get(...key), set: async (record) => put(record) } : { get, set: put };
  }
  if (isAsync) launched.asyncStorageConfig = {};
  const client = launch(launched);
  let count = 0;
  for (const [place, request] of one.requests.entries()) {
    if (request.op === 'storage_put') {
      assert.strictEqual(await client.put(request.record), true);
      continue;
    }
    const given = METHODS[request.op](client, request);
    assert.strictEqual(given instanceof Promise, isAsync);
    const answer = isAsync ? await given : given;
    assert.deepStrictEqual(answer, one.expected[place].result, `${one.name} line ${place}: ${JSON.stringify(request)}`);
    count += 1;
  }
  if (one.hasStorage) {
    if (isAsync) await client.flushStorage();
    assert.deepStrictEqual(sorted(records.values()), sorted(one.expected[one.requests.length].storage), one.name);
  }
  return count;
}

for (const isAsync of [false, true]) {
  test(`the answers are the reference's, ${isAsync ? 'with promises' : 'at once'}`, async (context) => {
    let count = 0;
    for (const one of cases) count += await play(one, isAsync);
    assert.ok(count > 10_000, `${count}`);
    context.diagnostic(`${count} answers, 0 differences`);
  });
}
