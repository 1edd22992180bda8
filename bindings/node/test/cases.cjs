'use strict';
// The golden cases of the project, and those that were recorded a moment ago: see `vectors/README.md`.

const { existsSync, readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const { gunzipSync } = require('node:zlib');

const root = join(__dirname, '..', '..', '..');

const read = (folder, name) => {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : gunzipSync(readFileSync(`${path}.gz`)).toString('utf8');
};
const lines = (text) => text.split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line));

/** Fresh ones are in the folder that STEADFAST_CASES names. */
const folders = [join(root, 'vectors', 'public'), join(root, 'vectors', 'generated'), process.env.STEADFAST_CASES];

module.exports = folders
  .filter((folder) => folder)
  .flatMap((folder) => readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name)))
  .filter((folder) => existsSync(join(folder, 'meta.json')))
  .map((folder) => ({
    name: folder,
    hasStorage: JSON.parse(read(folder, 'meta.json')).storage === 'memory',
    settings: read(folder, 'settings.json'),
    requests: lines(read(folder, 'requests.ndjson')),
    expected: lines(read(folder, 'expected.ndjson')),
  }));
