'use strict';
// Builds the addon with cargo, and puts it beside index.cjs.

const { execFileSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');

const target = process.env.CARGO_TARGET_DIR || join(__dirname, '..', '..', 'target', 'node');
execFileSync('cargo', ['build', '--release'], {
  cwd: __dirname,
  stdio: 'inherit',
  env: { ...process.env, CARGO_TARGET_DIR: target },
});
const names = { darwin: 'libsteadfast_node.dylib', win32: 'steadfast_node.dll' };
const built = join(target, 'release', names[process.platform] || 'libsteadfast_node.so');
const addon = join(__dirname, 'steadfast.node');
// One that is loaded at this moment is replaced, not written over.
copyFileSync(built, `${addon}.part`);
renameSync(`${addon}.part`, addon);
