'use strict';
// Builds the addon with cargo, and puts it beside index.cjs; with the name of a platform, for that, into dist/.

const { execFileSync } = require('node:child_process');
const { copyFileSync, mkdirSync, renameSync } = require('node:fs');
const { dirname, join } = require('node:path');

const platforms = require('./platforms.json');

const LIBRARIES = { darwin: 'libsteadfast_node.dylib', win32: 'steadfast_node.dll', linux: 'libsteadfast_node.so' };
const here = `${process.platform}-${process.arch}`;

/** Builds for a platform, into a file. */
function build(name, addon) {
  const platform = platforms[name];
  if (!platform) throw new Error(`there is no platform ${name}: it is one of ${Object.keys(platforms).join(', ')}`);
  const target = process.env.CARGO_TARGET_DIR || join(__dirname, '..', '..', 'target', 'node');
  const other = name === here ? [] : ['--target', platform.target];
  execFileSync('cargo', ['build', '--release', '--locked', ...other], { cwd: __dirname, stdio: 'inherit', env: { ...process.env, CARGO_TARGET_DIR: target } });
  const built = join(target, name === here ? '' : platform.target, 'release', LIBRARIES[platform.os]);
  mkdirSync(dirname(addon), { recursive: true });
  // One that is loaded at this moment is replaced, not written over.
  copyFileSync(built, `${addon}.part`);
  renameSync(`${addon}.part`, addon);
}

module.exports = { build, here };

if (require.main === module) build(here, join(__dirname, 'steadfast.node'));
