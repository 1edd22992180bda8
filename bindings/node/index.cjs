'use strict';

const { Client } = require('./lib/client.cjs');
const { read } = require('./lib/config.cjs');
const { LogLevelEnum, launched, logging, setLogLevel, setLogger, tell } = require('./lib/logging.cjs');
const { getSettingsFile } = require('./lib/settings.cjs');

/** A client that answers as the official SDK's does; throws where it cannot be launched, and says why. */
function launch(config) {
  const launching = read(config);
  const log = launched(launching.logging);
  for (const doubt of launching.doubts) log.error(doubt);
  const client = new Client(launching, log);
  tell(log);
  return client;
}

module.exports = {
  launch,
  getSettingsFile,
  setLogger,
  setLogLevel,
  logging,
  LogLevelEnum,
  GoalTypeEnum: Object.freeze({ REVENUE: 'REVENUE_TRACKING', CUSTOM: 'CUSTOM_GOAL', ALL: 'ALL' }),
};
