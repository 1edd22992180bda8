'use strict';
// A call as a line of JSON, whatever was passed.

/** What must be a plain object, if it is there (spec API-13). */
const PLAIN = ['customVariables', 'variationTargetingVariables', 'userStorageData', 'metaData'];

/** `[object Object]`, `[object Map]`, … */
const kindOf = (value) => Object.prototype.toString.call(value);

/** An object of a kind that JSON would make an empty one of, or leave out: a map, a function. The addon refuses a text there. */
const isOdd = (value) =>
  value !== undefined && value !== null && (typeof value === 'object' || typeof value === 'function') && !Array.isArray(value) && kindOf(value) !== '[object Object]';

/** The options that are read. */
const OPTIONS = [...PLAIN, 'shouldTrackReturningUser', 'goalTypeToTrack', 'revenueValue', 'eventProperties', 'userAgent', 'userIpAddress'];

/** So JSON writes half a character, which texts of the addon cannot hold. */
const HALF = '\\ud';

/**
 * Numbers that JSON has no room for are texts, as they are to a segment; what holds itself ends there; half a character is
 * replaced, but in the id of a user, who would be another.
 */
function tamed() {
  const path = [];
  return function replace(name, value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'string') return name === 'userId' ? value : value.toWellFormed();
    if (typeof value !== 'object' || value === null) return value;
    while (path.length > 0 && path.at(-1) !== this) path.pop();
    if (path.includes(value)) return undefined;
    path.push(value);
    return value;
  };
}

/** A value as JSON. */
function jsonOf(value) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // There is a number that is too large, or an object that holds itself; anything else is thrown again.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, tamed());
  }
  return text !== undefined && text.includes(HALF) ? JSON.stringify(value, tamed()) : text;
}

/** The options as JSON; nothing where there are none. */
function optionsOf(options) {
  if (options === undefined) return '';
  if (isOdd(options)) return optionsOf(kindOf(options));
  if (options === null) return 'null';
  const { customVariables, variationTargetingVariables, userStorageData, metaData } = options;
  if (isOdd(customVariables) || isOdd(variationTargetingVariables) || isOdd(userStorageData) || isOdd(metaData)) {
    const odd = PLAIN.find((name) => isOdd(options[name]));
    return optionsOf({ ...options, [odd]: kindOf(options[odd]) });
  }
  try {
    return jsonOf(options) || '';
  } catch (error) {
    // Perhaps in an option that nobody reads.
    if (typeof options !== 'object') throw error;
    return jsonOf(Object.fromEntries(OPTIONS.map((name) => [name, options[name]])));
  }
}

/** Stands between the texts of a short line. */
const BETWEEN = '\0';

/** Whether it is a text that can stand in a short line, or nothing. */
const isShort = (value) => value === undefined || (typeof value === 'string' && value !== '' && !value.includes(BETWEEN) && value.isWellFormed());

/** The line: short, where it is about a campaign and has texts and options alone (`src/border.rs`). */
function lineOf(call) {
  const { op, campaignKey, userId, goalIdentifier, variableKey, options } = call;
  const third = goalIdentifier === undefined ? variableKey : goalIdentifier;
  const given = optionsOf(options);
  if ('campaignKey' in call && isShort(campaignKey) && isShort(userId) && isShort(third)) {
    return `${op}\0${campaignKey || ''}\0${userId || ''}\0${third || ''}\0${given}`;
  }
  const line = jsonOf({ ...call, options: undefined });
  return given === '' ? line : `${line.slice(0, -1)},"options":${given}}`;
}

module.exports = { jsonOf, kindOf, lineOf };
