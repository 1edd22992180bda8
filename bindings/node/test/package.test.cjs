'use strict';
// What is published, installed as a user does it: without a compiler, and without the sources.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { delimiter, dirname, join } = require('node:path');
const test = require('node:test');

const root = join(__dirname, '..');

test('the packages can be installed and used, as CommonJS and as an ES module', { timeout: 900_000 }, (context) => {
  execFileSync('npm', ['run', '--silent', 'package'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const dist = join(root, 'dist');
  const tarballs = readdirSync(dist).filter((name) => name.endsWith('.tgz')).map((name) => join(dist, name));
  assert.strictEqual(tarballs.length, 2, tarballs.join(' '));

  const folder = mkdtempSync(join(tmpdir(), 'steadfast-package-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  // Node and npm are all there is.
  const env = { ...process.env, PATH: [dirname(process.execPath), '/usr/bin', '/bin'].filter((one) => !existsSync(join(one, 'cargo'))).join(delimiter) };
  const run = (program, ...args) => execFileSync(program, args, { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  // Those of the other platforms are not there yet, and not wanted here.
  run('npm', 'install', '--silent', '--no-audit', '--no-fund', '--omit=optional', ...tarballs);
  const program = "console.log(launch({ settingsFile: { accountId: 1, version: 1, campaigns: [] }, isDevelopmentMode: true }).activate('ab', 'Ashley'))";
  writeFileSync(join(folder, 'common.cjs'), `const { launch } = require('steadfast-node'); ${program}`);
  writeFileSync(join(folder, 'module.mjs'), `import { launch } from 'steadfast-node'; ${program}`);
  for (const file of ['common.cjs', 'module.mjs']) assert.strictEqual(run(process.execPath, file).trim(), 'null');

  // Where its addon is missing, the package says what to do.
  rmSync(join(folder, 'node_modules', `steadfast-node-${process.platform}-${process.arch}`), { recursive: true });
  assert.throws(() => execFileSync(process.execPath, ['common.cjs'], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }), /install steadfast-node again, with its optional dependencies/);
});
