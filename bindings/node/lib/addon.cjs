'use strict';
// The addon: the one that was built here, or the one of the package for this platform.

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const platforms = require('../platforms.json');

/** Alpine and its like have another C library, for which there is no package. */
function libc() {
  if (process.platform !== 'linux') return '';
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime ? '' : '-musl';
}

const builtHere = join(__dirname, '..', 'steadfast.node');

function load() {
  if (existsSync(builtHere)) return require(builtHere);
  const name = `${process.platform}-${process.arch}${libc()}`;
  if (!platforms[name]) {
    throw new Error(`steadfast-node is not built for ${name} (it is for ${Object.keys(platforms).join(', ')}): build it here, with \`npm run build\` in bindings/node of its sources`);
  }
  try {
    return require(`steadfast-node-${name}`);
  } catch (error) {
    throw new Error(`the package steadfast-node-${name} is missing or cannot be loaded: install steadfast-node again, with its optional dependencies`, { cause: error });
  }
}

module.exports = load();
