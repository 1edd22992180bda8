'use strict';
// A call as a line of JSON, whatever was passed.

/** What must be a plain object, if it is there (spec API-13). */
const PLAIN = ['customVariables', 'variationTargetingVariables', 'userStorageData', 'metaData'];

/** `[object Object]`, `[object Map]`, … */
const kindOf = (value) => Object.prototype.toString.call(value);

/** What JSON would make an empty object of, or leave out: a map, a function, a symbol. It is refused. */
const isOdd = (value) =>
  value !== undefined && value !== null && (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol') && !Array.isArray(value) && kindOf(value) !== '[object Object]';

/** The options that are read. */
const OPTIONS = [...PLAIN, 'shouldTrackReturningUser', 'goalTypeToTrack', 'revenueValue', 'eventProperties', 'userAgent', 'userIpAddress'];

/** So JSON writes half a character, which texts of the addon cannot hold. */
const HALF = '\\ud';

/**
 * Numbers that JSON has no room for are texts, as they are to a segment; what holds itself ends there; half a character is
 * replaced, but in the id of a call's user, who would be another.
 */
function tamed(call) {
  const path = [];
  return function replace(name, value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'string') return this === call && name === 'userId' ? value : value.toWellFormed();
    if (typeof value !== 'object' || value === null) return value;
    while (path.length > 0 && path.at(-1) !== this) path.pop();
    if (path.includes(value)) return undefined;
    path.push(value);
    return value;
  };
}

/** A value as JSON; or a call, of which it is said. */
function jsonOf(value, call) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // There is a number that is too large, or an object that holds itself; anything else is thrown again.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, tamed(call));
  }
  return text !== undefined && text.includes(HALF) ? JSON.stringify(value, tamed(call)) : text;
}

/** What somebody may pass in place of a plain object. */
const wrong = (name, value) => new TypeError(`\`${name}\` is ${kindOf(value) === '[object Promise]' ? 'a promise: await it' : `a ${kindOf(value).slice(8, -1)}, expected an object`}`);

/** The options as JSON; nothing where there are none. */
function optionsOf(options) {
  if (options === undefined) return '';
  if (options === null) return 'null';
  if (isOdd(options)) throw wrong('options', options);
  const { customVariables, variationTargetingVariables, userStorageData, metaData } = options;
  if (isOdd(customVariables) || isOdd(variationTargetingVariables) || isOdd(userStorageData) || isOdd(metaData)) {
    const odd = PLAIN.find((name) => isOdd(options[name]));
    throw wrong(`options.${odd}`, options[odd]);
  }
  try {
    return jsonOf(options) || '';
  } catch (error) {
    // Perhaps in an option that nobody reads.
    if (typeof options !== 'object') throw error;
    return jsonOf(Object.fromEntries(OPTIONS.map((name) => [name, options[name]])));
  }
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

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
    return `${op}${BETWEEN}${campaignKey || ''}${BETWEEN}${userId || ''}${BETWEEN}${third || ''}${BETWEEN}${given}`;
  }
  const rest = { ...call, options: undefined };
  for (const name of ['userId', 'goalIdentifier', 'variableKey', 'campaignKey']) {
    // An object is no name, whatever JSON would make of it. A list of campaigns is one, and the official SDK takes this for a user.
    if (isObject(rest[name]) && !(name === 'userId' && rest[name] instanceof String)) rest[name] = {};
  }
  const line = jsonOf(rest, rest);
  return given === '' ? line : `${line.slice(0, -1)},"options":${given}}`;
}

module.exports = { jsonOf, kindOf, lineOf };
