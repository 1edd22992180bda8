'use strict';
// Answers as the official SDK does. One JSON value a line, sessions one after the other:
//
//   in   {"settings": {…}, "hasStorage": true}    a session begins
//        {"op": "activate", …}                    requests, as `steadfast batch` reads them
//        {"end": true}                            it is over
//   out  {"i": 0, "result": "Control"}            an answer a request
//        {"storage": [{…}]}                       what is stored at the end; null without a storage
//
// Nothing is sent anywhere: the SDK runs in its development mode.

const readline = require('node:readline');
const sdk = require('vwo-node-sdk');

const silent = () => {};
const place = (userId, campaignKey) => JSON.stringify([userId, campaignKey]);
const copy = (value) => JSON.parse(JSON.stringify(value));

const METHODS = {
  activate: (client, r) => client.activate(r.campaignKey, r.userId, r.options),
  getVariationName: (client, r) => client.getVariationName(r.campaignKey, r.userId, r.options),
  isFeatureEnabled: (client, r) => client.isFeatureEnabled(r.campaignKey, r.userId, r.options),
  getFeatureVariableValue: (client, r) => client.getFeatureVariableValue(r.campaignKey, r.variableKey, r.userId, r.options),
  track: (client, r) => client.track(r.campaignKey, r.userId, r.goalIdentifier, r.options),
  push: (client, r) =>
    'customDimensionMap' in r ? client.push(r.customDimensionMap, r.userId) : client.push(r.tagKey, r.tagValue, r.userId),
};

/** A client for one session, and the records it keeps. */
class Session {
  constructor({ settings, hasStorage }) {
    this.records = hasStorage ? new Map() : null;
    this.count = 0;
    const options = { settingsFile: settings, isDevelopmentMode: true, logging: { logger: { log: silent } } };
    if (hasStorage) {
      options.userStorageService = {
        get: (userId, campaignKey) => {
          const record = this.records.get(place(userId, campaignKey));
          return record && copy(record);
        },
        set: (record) => this.put(record),
      };
    }
    this.client = sdk.launch(options);
    if (!this.client.SettingsFileManager) throw new Error('the official SDK refuses these settings');
  }

  put(record) {
    this.records.set(place(record.userId, record.campaignKey), copy(record));
  }

  answer(request) {
    let result = true;
    if (request.op === 'storage_put') this.put(request.record);
    else result = METHODS[request.op](this.client, request);
    // Only development mode adds this mark.
    if (result !== null && typeof result === 'object') delete result.isDevelopmentMode;
    return { i: this.count++, result: result === undefined ? null : result };
  }

  end() {
    return { storage: this.records && [...this.records.values()] };
  }
}

const write = (value) => process.stdout.write(JSON.stringify(value) + '\n');
for (const name of ['log', 'info', 'warn', 'error', 'debug']) console[name] = silent;

let session = null;
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', (line) => {
  const value = JSON.parse(line);
  if (value.settings) session = new Session(value);
  else if (value.end) write(session.end());
  else write(session.answer(value));
});
