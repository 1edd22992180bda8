'use strict';
// Both packages under the same settings, with the same users, in the same process.

const official = require('vwo-node-sdk');
const steadfast = require('..');

/** Three A/B tests: everybody, an audience, and a share of the traffic. */
const campaign = (id, more) => ({
  id, key: `ab-${id}`, name: `Test ${id}`, type: 'VISUAL_AB', status: 'RUNNING', percentTraffic: 100, isForcedVariationEnabled: false, segments: {},
  goals: [{ id: 1, identifier: 'bought', type: 'CUSTOM_GOAL' }],
  variations: [{ id: 1, name: 'Control', weight: 50, changes: {} }, { id: 2, name: 'Variation-1', weight: 50, changes: {} }],
  ...more,
});
const settings = () => ({
  accountId: 60781, sdkKey: 'demo', version: 1,
  campaigns: [
    campaign(1),
    campaign(2, { segments: { and: [{ custom_variable: { plan: 'wildcard(gold*)' } }, { not: { custom_variable: { country: 'lower(ch)' } } }] } }),
    campaign(3, { percentTraffic: 40 }),
  ],
});
const users = Array.from({ length: 10_000 }, (_, number) => `user-${number}`);
const options = { customVariables: { plan: 'golden', country: 'DE' } };

/** A storage in memory, as the document has it; `isAsync` with promises. */
function service(isAsync) {
  const records = new Map();
  const get = (userId, key) => records.get(`${userId} ${key}`);
  const set = (record) => void records.set(`${record.userId} ${record.campaignKey}`, record);
  return isAsync ? { get: async (...key) => get(...key), set: async (record) => set(record) } : { get, set };
}

/** The official SDK talks to the console when it is launched. */
function quietly(call) {
  const { log, info } = console;
  console.log = console.info = () => {};
  try {
    return call();
  } finally {
    Object.assign(console, { log, info });
  }
}

const launch = (sdk, config) => quietly(() => sdk.launch({ settingsFile: settings(), isDevelopmentMode: true, ...config }));

module.exports = { launch, official, options, service, steadfast, users };
