'use strict';
// The document's own program.

const assert = require('node:assert');
const { execFile } = require('node:child_process');
const { join } = require('node:path');
const test = require('node:test');

test('the document’s program decides once, and counts the goal on the first visit', async () => {
  const example = join(__dirname, '..', 'examples', 'document.cjs');
  const output = await new Promise((resolve, reject) => {
    execFile(process.execPath, [example], { timeout: 60_000 }, (error, stdout, stderr) => (error ? reject(new Error(`${error} ${stderr}`)) : resolve(stdout)));
  });
  const said = output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const [first, second, { stored }] = said;
  assert.strictEqual(typeof first.variation, 'string');
  assert.strictEqual(second.variation, first.variation);
  assert.deepStrictEqual(first.tracked, { 'checkout-button': true });
  assert.deepStrictEqual(second.tracked, { 'checkout-button': false });
  assert.deepStrictEqual(stored, [
    { userId: 'Ashley', campaignKey: 'checkout-button', variationName: first.variation, goalIdentifier: 'bought' },
  ]);
});
