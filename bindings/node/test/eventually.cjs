'use strict';
// Waiting for what comes to pass by itself.

const assert = require('node:assert');

/** What no machine needs, however busy, in milliseconds. */
const PATIENCE = 30_000;

async function eventually(check) {
  const start = Date.now();
  while (!(await check())) {
    assert.ok(Date.now() - start < PATIENCE, 'it never came to that');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

module.exports = { PATIENCE, eventually };
