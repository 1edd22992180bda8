'use strict';
// What goes beyond the official SDK: storages that are built in, prefetch, reasons, and what is left of a program that ends.

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, rmSync } = require('node:fs');
const net = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const test = require('node:test');

const { launch } = require('..');
const { settingsFile } = require('../examples/document-values.cjs');
const { PATIENCE, eventually } = require('./eventually.cjs');

const KEY = 'checkout-button';
const quiet = (said = []) => ({ logging: { logger: { log: (level, message) => said.push([level, message]) }, level: 3 } });
const base = (said) => ({ settingsFile, isDevelopmentMode: true, ...quiet(said) });

function folder(context) {
  const path = mkdtempSync(join(tmpdir(), 'steadfast-node-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** A Redis of this test's own. */
async function redis(context, port) {
  const server = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder(context)], { stdio: 'ignore' });
  context.after(() => server.kill('SIGKILL'));
  server.on('error', (error) => assert.fail(`redis-server, which this test needs: ${error.message}`));
  await eventually(() => new Promise((resolve) => net.connect(port, '127.0.0.1').on('connect', () => resolve(true)).on('error', () => resolve(false))));
  return server;
}

/** Another program, which runs to its end. */
const program = (text, ...args) => execFileSync(process.execPath, ['-e', text, ...args], { cwd: join(__dirname, '..'), encoding: 'utf8', timeout: PATIENCE });

test('a file keeps a decision for other programs, whose weights are others', { timeout: 60_000 }, async (context) => {
  const storage = `embedded:${join(folder(context), 'assignments.redb')}`;
  // The first ends without a word; the second would give Control to nobody.
  const first = program(`
    const { settingsFile } = require('./examples/document-values.cjs');
    const client = require('.').launch({ settingsFile, isDevelopmentMode: true, storage: process.argv[1] });
    console.log(client.activate('${KEY}', 'Ashley'));
  `, storage);
  assert.strictEqual(first.trim(), 'Control');
  const changed = structuredClone(settingsFile);
  changed.campaigns[0].variations[0].weight = 0;
  changed.campaigns[0].variations[1].weight = 100;
  const client = launch({ ...base(), settingsFile: changed, storage });
  assert.strictEqual(client.activate(KEY, 'Ashley'), 'Control');
  assert.strictEqual(client.activate(KEY, 'Bob'), 'Variation-1');
  assert.deepStrictEqual(client.track(KEY, 'Ashley', 'bought'), { [KEY]: true });
  assert.deepStrictEqual(client.track(KEY, 'Ashley', 'bought'), { [KEY]: false });
  assert.strictEqual((await client.flushStorage()).status, true);
  assert.deepStrictEqual(await client.stored('Ashley'), { all: [{ userId: 'Ashley', campaignKey: KEY, variationName: 'Control', goalIdentifier: 'bought' }] });
  assert.strictEqual((await client.close()).status, true);
});

test('a file is free for others when its client is closed', { timeout: 60_000 }, async (context) => {
  for (const isAsync of [false, true]) {
    for (const more of [{}, { cache: true }, { journal: true }]) {
      const path = folder(context);
      const storage = { url: `embedded:${join(path, 'assignments.redb')}`, ...more, ...(more.journal && { journal: join(path, 'journal') }) };
      for (let round = 0; round < 5; round += 1) {
        const client = launch({ ...base(), storage, ...(isAsync && { asyncStorageConfig: {} }) });
        assert.throws(() => launch({ ...base(), storage }), /close/);
        assert.strictEqual((await client.decide(KEY, 'Ashley')).reason, round === 0 ? 'assigned' : 'stored');
        assert.deepStrictEqual(await Promise.all([client.close(), client.close()]).then((ends) => ends.map((end) => end.status)), [true, true]);
        // Whoever calls it all the same is told.
        assert.strictEqual(await client.activate(KEY, 'Ashley'), null);
        assert.match((await client.decide(KEY, 'Ashley')).sentence, /closed/);
        await assert.rejects(client.stored('Ashley'), /closed/);
        assert.strictEqual((await client.flushStorage()).status, true);
        assert.strictEqual((await client.close()).status, true);
      }
    }
  }
});

test('a server is awaited; a call that answers at once goes by what was fetched', { timeout: 120_000 }, async (context) => {
  const port = await freePort();
  const storage = { url: `redis://127.0.0.1:${port}`, lookUp: 300 };
  const said = [];
  // The server is not there yet.
  const start = process.hrtime.bigint();
  const promising = launch({ ...base(said), storage, asyncStorageConfig: {} });
  assert.strictEqual(await promising.activate(KEY, 'Ashley'), 'Control');
  assert.ok(Number(process.hrtime.bigint() - start) / 1e6 < 10_000);
  await assert.rejects(promising.stored('Ashley'));
  assert.deepStrictEqual(await promising.track(KEY, 'Ashley', 'bought'), { [KEY]: true });
  assert.strictEqual((await promising.flushStorage(100)).status, false);
  const server = await redis(context, port);
  // What was decided meanwhile is kept by then.
  await eventually(async () => (await promising.flushStorage(1_000)).status);

  const client = launch({ ...base(said), storage });
  const userStorageData = await client.stored('Ashley');
  assert.strictEqual(client.decide(KEY, 'Ashley', { userStorageData }).reason, 'stored');
  assert.strictEqual(client.decide(KEY, 'Bob', { userStorageData: await client.stored('Bob') }).reason, 'assigned');
  // Once each for the server that was not there, however many calls there were.
  const errors = () => said.splice(0).filter(([level]) => level === 4).map(([, message]) => message).sort();
  const outage = errors();
  assert.strictEqual(outage.length, 2, JSON.stringify(outage));
  assert.match(outage[0], /cannot be opened; it is tried again/);
  assert.match(outage[1], /is left alone for a while/);
  const unprepared = client.decide(KEY, 'Carol');
  assert.strictEqual(unprepared.reason, 'assigned');
  assert.strictEqual(unprepared.warnings.length, 1);
  client.decide(KEY, 'Dave');
  await eventually(() => said.some(([level]) => level === 4));
  assert.deepStrictEqual(said.filter(([level, message]) => level === 4 && message.includes('client.stored(userId)')).length, 1, JSON.stringify(said));
  assert.strictEqual((await client.flushStorage()).status, true);
  await eventually(async () => (await promising.stored('Bob')).all.length === 1);

  // It hangs: nobody waits longer than was said, and the event loop for nothing.
  server.kill('SIGSTOP');
  for (let number = 0; number < 20; number += 1) {
    const begun = process.hrtime.bigint();
    const promise = promising.activate(KEY, `hung-${number}`);
    const blocked = Number(process.hrtime.bigint() - begun) / 1e6;
    assert.ok(blocked < 50, `${blocked} ms`);
    assert.strictEqual(typeof (await promise), 'string');
  }
  const alone = ([level, message]) => level === 4 && message.includes('left alone for a while');
  await eventually(() => said.some(alone));
  assert.strictEqual(said.filter(alone).length, 1, JSON.stringify(said));
  server.kill('SIGCONT');
  assert.strictEqual((await client.close(10_000)).status, true);
});

test('with a journal what a server could not keep is kept for the next program', { timeout: 120_000 }, async (context) => {
  const port = await freePort();
  const journal = join(folder(context), 'journal');
  const storage = { url: `redis://127.0.0.1:${port}`, journal, write: 500 };
  program(`
    const { settingsFile } = require('./examples/document-values.cjs');
    (async () => {
      const client = require('.').launch({ settingsFile, isDevelopmentMode: true, asyncStorageConfig: {}, storage: JSON.parse(process.argv[1]), logging: { logger: { log() {} }, level: 4 } });
      await client.activate('${KEY}', 'Ashley');
      await client.flushStorage(5000);
      process.exit(0);
    })();
  `, JSON.stringify(storage));
  await redis(context, port);
  const client = launch({ ...base(), storage, asyncStorageConfig: {} });
  await eventually(async () => (await client.stored('Ashley').catch(() => ({ all: [] }))).all.length === 1);
  assert.strictEqual((await client.close(20_000)).status, true);
  const another = launch({ ...base(), storage: storage.url, asyncStorageConfig: {} });
  assert.strictEqual((await another.stored('Ashley')).all[0].variationName, 'Control');
});

test('a program with promises does not end before its `set` was called', { timeout: 60_000 }, () => {
  const said = program(`
    const { settingsFile } = require('./examples/document-values.cjs');
    const userStorageService = { get: async () => undefined, set: async (record) => console.log('set', record.variationName) };
    require('.').launch({ settingsFile, isDevelopmentMode: true, asyncStorageConfig: {}, userStorageService }).activate('${KEY}', 'Ashley').then((name) => console.log(name));
  `);
  assert.deepStrictEqual(said.trim().split('\n').sort(), ['Control', 'set Control']);
});

test('set is called once more only when the one before is done', async () => {
  const open = [];
  const written = [];
  const userStorageService = { get: () => undefined, set: (record) => new Promise((resolve) => open.push(() => { written.push(record); resolve(); })) };
  const client = launch({ ...base(), userStorageService });
  client.activate(KEY, 'Ashley');
  client.track(KEY, 'Ashley', 'bought');
  client.activate(KEY, 'Bob');
  assert.strictEqual(open.length, 2);
  open[0]();
  await eventually(() => open.length === 3);
  open[1]();
  open[2]();
  assert.strictEqual((await client.flushStorage()).status, true);
  assert.deepStrictEqual(written.map((record) => [record.userId, record.goalIdentifier]), [['Ashley', undefined], ['Bob', undefined], ['Ashley', 'bought']]);
});

test('data is fetched beforehand from a get that returns promises', async () => {
  const said = [];
  const records = { Ashley: { userId: 'Ashley', campaignKey: KEY, variationName: 'Variation-1' } };
  const userStorageService = { get: async (userId) => records[userId], set() {} };
  const client = launch({ ...base(said), userStorageService });
  assert.strictEqual(client.activate(KEY, 'Ashley', { userStorageData: await client.stored('Ashley') }), 'Variation-1');
  assert.strictEqual(client.activate(KEY, 'Bob', { userStorageData: await client.stored('Bob') }), 'Control');
  assert.deepStrictEqual(said, []);
  const failing = launch({ ...base(), userStorageService: { get: async () => { throw new Error('out of order'); } } });
  await assert.rejects(failing.stored('Ashley'), /out of order/);
});

test('a get that returns promises is awaited by the calls that are promises', async () => {
  const said = [];
  const records = { Ashley: { userId: 'Ashley', campaignKey: KEY, variationName: 'Variation-1' } };
  const userStorageService = { get: async (userId) => records[userId], set(record) { records[record.userId] = record; } };
  const client = launch({ ...base(said), userStorageService, returnPromiseFor: { activate: true, track: true } });
  assert.strictEqual(await client.activate(KEY, 'Ashley'), 'Variation-1');
  assert.strictEqual(await client.activate(KEY, 'Bob', {}), 'Control');
  assert.deepStrictEqual(await client.track(KEY, 'Bob', 'bought'), { [KEY]: true });
  assert.deepStrictEqual(await client.track(null, 'Bob', 'bought'), { [KEY]: false });
  assert.strictEqual(records.Bob.goalIdentifier, 'bought');
  assert.deepStrictEqual(said, []);
  assert.strictEqual(await client.activate(KEY, 'Dave', { get userStorageData() { throw new Error('x'); } }), null);
  said.length = 0;
  // The others do not wait, and say so.
  assert.strictEqual(client.isFeatureEnabled(KEY, 'Ashley'), false);
  assert.strictEqual(client.getVariationName(KEY, 'Carol'), null);
  assert.match(said.filter(([level]) => level === 4).map(([, message]) => message).join(), /asyncStorageConfig/);
  for (const get of [async () => { throw new Error('out of order'); }, () => new Promise(() => {})]) {
    const failing = launch({ ...base(), userStorageService: { get, set: () => assert.fail('nothing is known, and nothing written over') }, returnPromiseFor: { activate: true } });
    assert.strictEqual(await failing.activate(KEY, 'Ashley'), 'Control');
  }
  // Now at once, now with a promise: a cache in front of a database.
  const cached = { get: (userId) => (userId === 'Ashley' ? undefined : Promise.resolve(records[userId])), set() {} };
  records.Eve = { userId: 'Eve', campaignKey: KEY, variationName: 'Variation-1' };
  const mixed = launch({ ...base(said), userStorageService: cached, returnPromiseFor: { activate: true } });
  assert.deepStrictEqual([await mixed.activate(KEY, 'Ashley'), await mixed.activate(KEY, 'Eve')], ['Control', 'Variation-1']);
});

test('an outage of get is said once, and one that is half over leaves no rejection alone', async () => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const two = structuredClone(settingsFile);
  two.campaigns.push({ ...two.campaigns[0], id: 77, key: 'second' });
  const get = (userId, key) => {
    if (key === KEY) return Promise.reject(new Error('out of order'));
    throw new Error('out of order, at once');
  };
  const said = [];
  const client = launch({ ...base(said), settingsFile: two, userStorageService: { get, set() {} }, returnPromiseFor: { activate: true } });
  await assert.rejects(client.stored('Ashley'), /out of order/);
  for (let number = 0; number < 3; number += 1) assert.strictEqual(await client.activate(KEY, 'Ashley'), 'Control');
  const errors = said.filter(([level]) => level === 4).map(([, message]) => message);
  assert.strictEqual(errors.length, 1, JSON.stringify(errors));
  assert.match(errors[0], /`userStorageService.get` failed: out of order/);
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off('unhandledRejection', note);
  assert.deepStrictEqual(unhandled, []);
});

test('a get or a set that takes too long is said, once', { timeout: 60_000 }, async () => {
  const never = () => new Promise(() => {});
  for (const [service, pattern] of [[{ get: never, set() {} }, /`userStorageService.get` failed: it took longer than 1.95 s/], [{ get() {}, set: never }, /`userStorageService.set` failed: it took longer than 9.95 s/]]) {
    const said = [];
    const client = launch({ ...base(said), asyncStorageConfig: {}, userStorageService: service });
    for (const user of ['Ashley', 'Bob']) assert.strictEqual(await client.activate(KEY, user), 'Control');
    const errors = () => said.filter(([level]) => level === 4).map(([, message]) => message);
    await eventually(() => errors().length > 0);
    assert.strictEqual(errors().length, 1, JSON.stringify(errors()));
    assert.match(errors()[0], pattern);
  }
});

test('a record that cannot be read is said to be none, once', async () => {
  for (const [record, pattern] of [[{ variationName: 'Control' }, /without a `campaignKey`/], [{ userId: 7, campaignKey: KEY, variationName: 'Control' }, /`userId` is no text/], [{ campaignKey: KEY, variationName: 5 }, /`variationName` is no text/]]) {
    for (const isAsync of [false, true]) {
      const said = [];
      const client = launch({ ...base(said), userStorageService: { get: () => record, set: () => assert.fail('it is written over') }, ...(isAsync && { asyncStorageConfig: {} }) });
      for (let number = 0; number < 2; number += 1) assert.strictEqual(await client.activate(KEY, 'Ashley'), 'Control');
      const errors = said.filter(([level]) => level === 4).map(([, message]) => message);
      assert.strictEqual(errors.length, 1, JSON.stringify(errors));
      assert.match(errors[0], pattern);
      if (!isAsync) await assert.rejects(client.stored('Ashley'), pattern);
    }
  }
  // One that names nobody is this user's.
  const client = launch({ ...base(), userStorageService: { get: () => ({ campaignKey: KEY, variationName: 'Variation-1', more: 1 }), set() {} } });
  assert.strictEqual(client.activate(KEY, 'Ashley'), 'Variation-1');
  assert.deepStrictEqual(await client.stored('Ashley'), { all: [{ campaignKey: KEY, variationName: 'Variation-1' }] });
});

test('who closes a client in the middle of calls waits for them', async () => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const slow = (value) => new Promise((resolve) => setTimeout(() => resolve(value), 60));
  const record = { userId: 'Ashley', campaignKey: KEY, variationName: 'Variation-1' };
  for (const more of [{ asyncStorageConfig: {} }, { returnPromiseFor: { all: true } }, { returnPromiseFor: { activate: true } }]) {
    const written = [];
    const client = launch({ ...base(), userStorageService: { get: (userId) => slow(userId === 'Ashley' ? record : undefined), set: (one) => slow().then(() => written.push(one.userId)) }, ...more });
    const calls = [client.activate(KEY, 'Ashley'), client.activate(KEY, 'Bob')];
    if (!more.returnPromiseFor || more.returnPromiseFor.all) calls.push(client.decide(KEY, 'Carol').then((one) => one.variationName), client.explain(KEY, 'Dave').then((one) => one.variationName));
    assert.deepStrictEqual(await client.close(), { status: true, message: 'everything is where it should be' });
    assert.deepStrictEqual((await Promise.all(calls)).slice(0, 2), ['Variation-1', 'Control']);
    assert.ok((await Promise.all(calls)).every((name) => typeof name === 'string'));
    assert.ok(written.includes('Bob'), `${written}`);
    assert.strictEqual(await client.activate(KEY, 'Eve'), null);
  }
  // Who does not wait long enough hears of it, and the call is answered all the same.
  const client = launch({ ...base(), asyncStorageConfig: {}, userStorageService: { get: () => slow(record), set: () => slow() } });
  const call = client.activate(KEY, 'Ashley');
  const early = await client.close(5);
  assert.deepStrictEqual([early.status, early.message.startsWith('calls are not answered')], [false, true]);
  assert.strictEqual(await call, 'Variation-1');
  assert.strictEqual((await client.close(Infinity)).status, true);
  process.off('unhandledRejection', note);
  assert.deepStrictEqual(unhandled, []);
});

test('a decision says why, and an explanation leaves nothing behind', async () => {
  for (const isAsync of [false, true]) {
    const client = launch({ ...base(), storage: 'memory:', ...(isAsync && { asyncStorageConfig: {} }) });
    for (const reason of ['assigned', 'stored']) {
      const explained = await client.explain(KEY, 'Ashley');
      assert.strictEqual(explained.reason, reason);
      assert.strictEqual(explained.stages[0].stage, 'campaign');
      assert.strictEqual((await client.stored('Ashley')).all.length, reason === 'stored' ? 1 : 0);
      const { stages, ...decision } = explained;
      assert.deepStrictEqual(await client.decide(KEY, 'Ashley'), decision);
    }
    assert.strictEqual((await client.decide('gone', 'Ashley')).sentence, 'no campaign has the key `gone`');
    assert.strictEqual((await client.decide(KEY, '')).reason, 'mistake');
  }
});

test('who is not activated is known by `optional` alone', () => {
  for (const [activation, expected] of [[undefined, null], ['required', null], ['optional', 'Control']]) {
    assert.strictEqual(launch({ ...base(), storage: 'memory:', activation }).getVariationName(KEY, 'Ashley'), expected);
  }
});

test('what was decided outlives a process that is ended at once', { timeout: 60_000 }, async (context) => {
  for (const isAsync of [false, true]) {
    const storage = `embedded:${join(folder(context), 'assignments.redb')}`;
    program(`
      const { settingsFile } = require('./examples/document-values.cjs');
      const client = require('.').launch({ settingsFile, isDevelopmentMode: true, storage: process.argv[1], ...(${isAsync} && { asyncStorageConfig: {} }) });
      (async () => {
        for (let number = 0; number < 100; number += 1) await client.activate('${KEY}', 'user ' + number);
        process.exit(0);
      })();
    `, storage);
    const client = launch({ ...base(), storage });
    for (let number = 0; number < 100; number += 1) assert.strictEqual((await client.stored(`user ${number}`)).all.length, 1, `${number} ${isAsync}`);
  }
});

test('a storage that never settles is waited for as long as was said', { timeout: 60_000 }, () => {
  const said = program(`
    const { settingsFile } = require('./examples/document-values.cjs');
    const client = require('.').launch({ settingsFile, isDevelopmentMode: true, userStorageService: { get() {}, set: () => new Promise(() => {}) }, logging: { logger: { log() {} } } });
    client.activate('${KEY}', 'Ashley');
    (async () => {
      const start = Date.now();
      console.log((await client.flushStorage('200')).status, (await client.close(200)).status, Date.now() - start < 5000);
    })();
  `);
  assert.strictEqual(said.trim(), 'false false true');
});
