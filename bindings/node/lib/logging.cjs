'use strict';
// What is logged, and where: errors to the console, unless told otherwise. All of it goes one way, and is filtered on it
// (quirk Q-112).

const addon = require('./addon.cjs');
const { isThenable } = require('./promises.cjs');

const LogLevelEnum = Object.freeze({ NOTSET: 0, DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4 });
const NAMES = { 1: 'DEBUG', 2: 'INFO', 3: 'WARN', 4: 'ERROR' };
const COLOURS = { 1: '\x1b[2m', 2: '\x1b[36m', 3: '\x1b[33m', 4: '\x1b[31m' };

const toConsole = {
  log(level, message) {
    const name = NAMES[level] || 'LOG';
    const isColoured = process.stderr.isTTY && !process.env.NO_COLOR && COLOURS[level];
    const shown = isColoured ? `${COLOURS[level]}${name}\x1b[0m` : name;
    console.error(`steadfast - [${shown}]: ${new Date().toISOString()} ${message}`);
  },
};

class Log {
  constructor(logger, level) {
    this.logger = logger;
    this.level = level;
  }

  log(level, message) {
    if (level < this.level) return;
    try {
      const said = this.logger.log(level, message);
      if (isThenable(said)) Promise.resolve(said).catch(() => {});
    } catch {
      // A logger of somebody's costs no decision.
    }
  }

  debug(message) {
    this.log(LogLevelEnum.DEBUG, message);
  }

  info(message) {
    this.log(LogLevelEnum.INFO, message);
  }

  warn(message) {
    this.log(LogLevelEnum.WARN, message);
  }

  error(message) {
    this.log(LogLevelEnum.ERROR, message);
  }
}

/** Whoever is launched without a logger and a level of their own has this one, whatever becomes of it. */
const shared = new Log(toConsole, LogLevelEnum.ERROR);
/** What happens in the background belongs to no call: it is told to whoever launched last. */
let latest = shared;
addon.logTo((level, message) => latest.log(level, message));

function tell(log) {
  latest = log;
  addon.logFrom(log.level || LogLevelEnum.DEBUG);
}

/** The log of an instance. A logger of one's own without a level is told everything. */
function launched(config) {
  const { logger, level } = config || {};
  const isOwn = logger !== undefined || level !== undefined;
  return isOwn ? new Log(logger || shared.logger, level ?? (logger ? LogLevelEnum.NOTSET : shared.level)) : shared;
}

function change(logger, level) {
  Object.assign(shared, { logger, level });
  if (latest === shared) tell(shared);
}

function setLogger(logger = toConsole) {
  if (logger === null || typeof logger !== 'object' || typeof logger.log !== 'function') throw new TypeError('`setLogger` takes an object with a function `log(level, message)`');
  change(logger, shared.level);
}

function setLogLevel(level = LogLevelEnum.ERROR) {
  if (!Object.values(LogLevelEnum).includes(level)) throw new TypeError('`setLogLevel` takes a level of `LogLevelEnum`');
  change(shared.logger, level);
}

module.exports = {
  LogLevelEnum,
  launched,
  tell,
  setLogger,
  setLogLevel,
  /** What the official SDK has under `logging`. */
  logging: Object.freeze({ LogLevelEnum, setLogHandler: setLogger, setLogLevel, getLogLevel: () => shared.level }),
};
