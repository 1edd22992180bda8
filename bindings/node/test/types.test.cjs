'use strict';
// The types, as `tsc --strict` sees them, and that they have no more and no less than the package.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const test = require('node:test');

const steadfast = require('..');

test('a program that uses everything compiles', () => {
  const compiler = require.resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '--project', join(__dirname, 'types')], { stdio: ['ignore', 'inherit', 'inherit'], timeout: 300_000 });
});

test('the types, the modules and the official package have the same names', async () => {
  const types = readFileSync(join(__dirname, '..', 'index.d.ts'), 'utf8');
  const typed = [...types.matchAll(/^export (?:function|const|enum) (\w+)/gm)].map(([, name]) => name);
  const names = Object.keys(steadfast).sort();
  assert.deepStrictEqual([...new Set(typed)].sort(), names);
  assert.deepStrictEqual(Object.keys(await import('../index.mjs')).filter((name) => name !== 'default').sort(), names);
  assert.deepStrictEqual(Object.keys(require('vwo-node-sdk')).sort(), names);

  const client = steadfast.launch({ settingsFile: { accountId: 1, version: 1, campaigns: [] }, isDevelopmentMode: true });
  const instance = types.slice(types.indexOf('interface Instance'), types.indexOf('/** What a variable'));
  const methods = [...instance.matchAll(/^  (\w+)\(/gm)].map(([, name]) => name);
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(client)).filter((name) => name !== 'constructor');
  assert.deepStrictEqual([...new Set(methods)].sort(), own.sort());
  for (const exported of ['VWOLaunchConfig', 'VWOAsyncLaunchConfig', 'vwoInstance', 'vwoAsyncInstance', 'VWOLog', 'VWOLogger', 'VWOBatchConfig', 'VWOUserStorageConfig', 'VWOTrackGoalOptions', 'VWOAsyncConfig', 'VWOApiOptions', 'VWOGetSettingsFileExternalConfig']) {
    assert.match(types, new RegExp(`export (type|interface) ${exported}\\b`));
  }
});
