'use strict';
// Workers that end in the middle of calls, and clients that are many: once memory was used after it was freed, and a callback kept
// its client for ever.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');
const test = require('node:test');

const program = (text, ...options) => execFileSync(process.execPath, [...options, '-e', text], { cwd: join(__dirname, '..'), encoding: 'utf8', timeout: 120_000 });

test('a worker that ends in the middle of calls harms nobody, and takes its logger with it', () => {
  const said = program(`
    const { Worker } = require('node:worker_threads');
    const steadfast = require('.');
    const { settingsFile } = require('./examples/document-values.cjs');
    const inWorker = \`
      const { launch } = require('.');
      const { settingsFile } = require('./examples/document-values.cjs');
      const base = { settingsFile, isDevelopmentMode: true, asyncStorageConfig: {} };
      launch({ ...base, userStorageService: { get: () => new Promise(() => {}) } }).activate('checkout-button', 'Ashley');
      launch({ ...base, userStorageService: { get: async () => {}, set: () => new Promise(() => {}) } }).activate('checkout-button', 'Ashley');
      launch({ ...base, storage: 'redis://127.0.0.1:1', logging: { logger: { log() {} } } }).activate('checkout-button', 'Ashley');
      setTimeout(() => process.exit(0), 60);
    \`;
    (async () => {
      for (let round = 0; round < 4; round += 1) {
        const worker = new Worker(inWorker, { eval: true });
        await new Promise((resolve) => worker.once('exit', resolve));
        await new Promise((resolve) => setTimeout(resolve, 700));
      }
      const lines = [];
      const client = steadfast.launch({ settingsFile, isDevelopmentMode: true, storage: 'redis://127.0.0.1:1', logging: { level: 4, logger: { log: (level, line) => lines.push(line) } } });
      client.activate('checkout-button', 'Ashley');
      setTimeout(() => {
        console.log(lines.filter((line) => line.includes('client.stored')).length);
        process.exit(0);
      }, 500);
    })();
  `);
  assert.strictEqual(said.trim(), '1');
});

test('clients that are closed and forgotten leave nothing behind', () => {
  const said = program(`
    const { launch } = require('.');
    const { settingsFile } = require('./examples/document-values.cjs');
    const some = async () => {
      for (let number = 0; number < 100; number += 1) {
        const batchEvents = { eventsPerRequest: 10, flushCallback() {} };
        await launch({ settingsFile, proxyUrl: 'http://127.0.0.1:1', batchEvents, integrations: { callback() {} }, userStorageService: { get() {}, set() {} } }).close();
      }
      for (let round = 0; round < 5; round += 1) {
        global.gc();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return process.memoryUsage().rss;
    };
    (async () => {
      await some();
      const before = await some();
      await some();
      await some();
      console.log(((await some()) - before) / 2 ** 20);
    })();
  `, '--expose-gc');
  // 300 clients with a way to the network each would be some 40 MiB.
  assert.ok(Number(said) < 16, `${said} MiB`);
});

test('a client that is closed keeps nothing of its storage, which may know it', () => {
  const said = program(`
    const { launch } = require('.');
    const { settingsFile } = require('./examples/document-values.cjs');
    const kept = [];
    const one = async (more) => {
      const service = { get: () => undefined, set() {} };
      kept.push(new WeakRef(service));
      service.client = launch({ settingsFile, isDevelopmentMode: true, userStorageService: service, ...more });
      await service.client.activate('checkout-button', 'Ashley');
      await service.client.close();
    };
    (async () => {
      for (let number = 0; number < 50; number += 1) await one(number % 2 ? {} : { asyncStorageConfig: {} });
      for (let round = 0; round < 5; round += 1) {
        global.gc();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      console.log(kept.filter((reference) => reference.deref()).length);
    })();
  `, '--expose-gc');
  // The last one may still be on a stack.
  assert.ok(Number(said) < 4, `${said} of 50`);
});
