'use strict';
// `get` and `set` of somebody, which throw, reject, return nonsense, never settle, or are missing: no call hangs, nothing
// crashes, and no rejection is left alone.

const assert = require('node:assert');
const test = require('node:test');

const { launch } = require('..');
const { settingsFile } = require('../examples/document-values.cjs');

const never = () => new Promise(() => {});
const GETS = {
  missing: undefined,
  nothing: () => undefined,
  'no object': () => 42,
  'a list': () => [1],
  'an empty object': () => ({}),
  'another user': () => ({ userId: 'x', campaignKey: 'y', variationName: 'Control' }),
  throws: () => { throw new Error('out of order'); },
  'throws no error': () => { throw null; },
  rejects: () => Promise.reject(new Error('out of order')),
  'never settles': never,
};
const SETS = {
  missing: undefined,
  nothing: () => undefined,
  throws: () => { throw new Error('out of order'); },
  rejects: () => Promise.reject(new Error('out of order')),
  'never settles': never,
  'throws nonsense': () => { throw { toString: null }; },
};

const unhandled = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));

test('whatever get and set do, at once', { timeout: 120_000 }, () => play(false));
test('whatever get and set do, with promises', { timeout: 120_000 }, () => play(true));

async function play(isAsync) {
  const played = [];
  for (const [getName, get] of Object.entries(GETS)) {
    for (const [setName, set] of Object.entries(SETS)) {
      const said = [];
      const launched = { settingsFile, isDevelopmentMode: true, userStorageService: { get, set }, logging: { logger: { log: (_, message) => said.push(message) } } };
      if (isAsync) launched.asyncStorageConfig = {};
      const client = launch(launched);
      played.push((async () => {
        const variation = await client.activate('checkout-button', 'Ashley');
        assert.strictEqual(variation, 'Control', `${getName} ${setName}`);
        const tracked = await client.track('checkout-button', 'Ashley', 'bought');
        assert.strictEqual(typeof tracked['checkout-button'], 'boolean', `${getName} ${setName}`);
        const isPromise = getName === 'rejects' || getName === 'never settles';
        const advice = said.filter((message) => message.includes('asyncStorageConfig'));
        assert.strictEqual(advice.length, !isAsync && isPromise ? 1 : 0, `${getName} ${setName}: ${said}`);
      })());
    }
  }
  assert.strictEqual(played.length, 60);
  await Promise.all(played);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepStrictEqual(unhandled, []);
}
