#!/usr/bin/env node
'use strict';
/*
 * What the official SDK sends to its collector. It believes that it does: every request is caught, written down and
 * answered with "200 {}".
 *
 * stdin: one session,    {"settings": {…}, "launch": {…}, "stored": [a record, …] or null, "calls": [a call of the line
 *                         format, …]}
 * stdout: its requests,  {"calls": [{"requests": [{"method", "path", "headers", "body"}], "shown": [what `integrations`
 *                         was called with]}, …], "flushed": […]}
 *
 * Clock and chance stand still, so that two runs come to the same.
 */
const { EventEmitter } = require('events');
const https = require('https');

const NOW = 1700000000123;
const RealDate = Date;
global.Date = class extends RealDate {
  constructor(...when) {
    super(...(when.length ? when : [NOW]));
  }
  static now() {
    return NOW;
  }
};
Math.random = () => 0.5;

let caught = [];

/** A request that goes nowhere. */
function request(options, onResponse) {
  const sent = { method: options.method || 'GET', path: options.path, headers: { ...options.headers }, body: null };
  caught.push(sent);
  const request = new EventEmitter();
  request.write = body => (sent.body = (sent.body || '') + body);
  request.end = body => {
    if (body) request.write(body);
    const response = new EventEmitter();
    response.statusCode = 200;
    response.setEncoding = () => {};
    setImmediate(() => {
      onResponse(response);
      response.emit('data', '{}');
      response.emit('end');
    });
  };
  return request;
}
https.request = request;
https.get = (options, onResponse) => {
  const sent = request(options, onResponse);
  sent.end();
  return sent;
};

/** Whatever a call has set going has come to a request by then. */
const settled = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve));
};

const take = () => caught.splice(0);

async function main() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  const { settings, launch, calls, stored } = JSON.parse(text);
  let shown = [];
  const integrations = { callback: properties => shown.push(JSON.parse(JSON.stringify(properties))) };
  // Without a callback where nothing is asked of it: it is told of in the requests.
  if (launch.integrations) launch.integrations = integrations;
  if (stored) {
    const records = new Map(stored.map(one => [JSON.stringify([one.userId, one.campaignKey]), one]));
    launch.userStorageService = {
      get: (userId, campaignKey) => records.get(JSON.stringify([userId, campaignKey])) || {},
      set: one => records.set(JSON.stringify([one.userId, one.campaignKey]), one)
    };
  }
  for (const name of ['log', 'info', 'warn', 'error', 'debug']) console[name] = () => {};
  const client = require('vwo-node-sdk').launch({ ...launch, settingsFile: settings, logging: { logger: { log() {} } } });
  const answers = [];
  for (const call of calls) {
    const { op, campaignKey, userId, goalIdentifier, options } = call;
    if (op === 'track') client.track(campaignKey, userId, goalIdentifier, options);
    else if (op === 'push' && call.customDimensionMap) client.push(call.customDimensionMap, userId);
    else if (op === 'push') client.push(call.tagKey, call.tagValue, userId);
    else if (op === 'getFeatureVariableValue') client[op](campaignKey, call.variableKey, userId, options);
    else client[op](campaignKey, userId, options);
    await settled();
    answers.push({ requests: take(), shown: shown.splice(0) });
  }
  if (launch.batchEvents) client.flushEvents();
  await settled();
  process.stdout.write(JSON.stringify({ calls: answers, flushed: take() }) + '\n', () => process.exit(0));
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
