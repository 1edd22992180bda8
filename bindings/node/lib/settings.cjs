'use strict';
// `getSettingsFile`: the settings of an account, from where VWO serves them, or a proxy of one's own.

const addon = require('./addon.cjs');
const { messageOf, within } = require('./promises.cjs');

/** So long may a copy take to be kept or fetched. */
const COPY = 10_000;

/**
 * The settings, which were seen to be good. `getSettings` and `setSettings` of the service are for a copy: it is taken where
 * the settings cannot be had (quirk Q-30).
 */
async function getSettingsFile(accountId, sdkKey, userStorageService, config) {
  if (!accountId || !sdkKey) throw new TypeError('`getSettingsFile` takes the id of the account and the SDK key');
  const service = userStorageService || {};
  const server = (config && config.proxyUrl) || undefined;
  let text;
  try {
    text = await addon.fetchSettings(String(accountId), String(sdkKey), server);
  } catch (cause) {
    const error = server ? new Error(`${messageOf(cause)} (${hostOf(server)})`, { cause }) : cause;
    const copy = await copyOf(service, error);
    if (copy !== undefined) return JSON.parse(copy);
    throw error;
  }
  if (typeof service.setSettings === 'function') {
    try {
      await within(COPY, service.setSettings(text));
    } catch {
      // They are good; that there is no copy of them costs the next start, if anything.
    }
  }
  return JSON.parse(text);
}

/** The host of a server; its URL may have a password. */
function hostOf(server) {
  try {
    return new URL(server).host || 'no host';
  } catch {
    return 'no URL';
  }
}

/** The copy, if there is a good one. */
async function copyOf(service, because) {
  if (typeof service.getSettings !== 'function') return undefined;
  try {
    const copy = await within(COPY, service.getSettings());
    if (!copy) return undefined;
    const text = typeof copy === 'string' ? copy : JSON.stringify(copy);
    addon.checkSettings(text);
    return text;
  } catch (error) {
    throw new Error(`${messageOf(because)}; and there is no copy: ${messageOf(error)}`, { cause: because });
  }
}

module.exports = { getSettingsFile };
