'use strict';
// A call as a line of JSON, whatever was passed.

/** What must be a plain object, if it is there (spec API-13). */
const PLAIN = ['customVariables', 'variationTargetingVariables', 'userStorageData', 'metaData'];

const kindOf = (value) => Object.prototype.toString.call(value);

/** An object of a kind that JSON would make an empty one of, or leave out: a map, a function. The addon refuses a text there. */
const isOdd = (value) =>
  value !== undefined && value !== null && (typeof value === 'object' || typeof value === 'function') && !Array.isArray(value) && kindOf(value) !== '[object Object]';

/** Numbers that JSON has no room for are texts, as they are to a segment; what holds itself ends there. */
function tamed() {
  const path = [];
  return function replace(_, value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    while (path.length > 0 && path.at(-1) !== this) path.pop();
    if (path.includes(value)) return undefined;
    path.push(value);
    return value;
  };
}

/** A value as JSON. */
function jsonOf(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // There is a number that is too large, or an object that holds itself; anything else is thrown again.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, tamed());
  }
}

/** The line. */
function lineOf(call) {
  const { options } = call;
  if (options !== undefined && options !== null) {
    if (isOdd(options)) return lineOf({ ...call, options: kindOf(options) });
    const odd = PLAIN.find((name) => isOdd(options[name]));
    if (odd) return lineOf({ ...call, options: { ...options, [odd]: kindOf(options[odd]) } });
  }
  return jsonOf(call);
}

module.exports = { jsonOf, lineOf };
