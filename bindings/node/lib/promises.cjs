'use strict';
// Promises of others, which may do anything.

const isThenable = (value) => value !== null && (typeof value === 'object' || typeof value === 'function') && typeof value.then === 'function';

/** Why something was thrown, whatever it was. */
function messageOf(error) {
  try {
    return String((error && error.message) || error || 'no reason was given') || 'no reason was given';
  } catch {
    return 'what was thrown cannot be read';
  }
}

/**
 * What a promise comes to, or an error after so many milliseconds. Somebody awaits it, and the process goes on until then; or
 * nobody does, and it may end.
 */
function within(milliseconds, promise, isAwaited = true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it took longer than ${milliseconds / 1000} s`)), milliseconds);
    if (!isAwaited) timer.unref();
    const settle = (how) => (value) => {
      clearTimeout(timer);
      how(value);
    };
    Promise.resolve(promise).then(settle(resolve), settle(reject));
  });
}

module.exports = { isThenable, messageOf, within };
