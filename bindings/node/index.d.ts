// The types of `vwo-node-sdk`, by its names, and of what goes beyond it. Where a type is a union of a value and a promise in the
// official package, it is one here.

/** The settings file of an account, as VWO serves it. */
export type VWOSettings = Record<string, any>;

/**
 * Fetches the settings of an account. They are seen to be good before they are answered with.
 *
 * With `getSettings` and `setSettings` the service keeps a copy, which is taken where the settings cannot be had.
 *
 * Rejects when they cannot be had, and there is no copy.
 */
export function getSettingsFile(
  accountId: string | number,
  sdkKey: string,
  userStorageService?: Partial<VWOUserStorageConfig | VWOAsyncUserStorageConfig> | null,
  config?: VWOGetSettingsFileExternalConfig,
): Promise<VWOSettings>;

export interface VWOGetSettingsFileExternalConfig {
  /** The server to ask in place of VWO's; it may have a path. */
  proxyUrl?: string;
}

/**
 * Makes a client. Throws a `TypeError` that names all that is wrong with the configuration, or an `Error` where the settings
 * cannot be used or the storage cannot be opened.
 */
export function launch(config: VWOAsyncStorageLaunchConfig): vwoPromisingInstance;
export function launch(config: VWOAsyncLaunchConfig): vwoAsyncInstance;
export function launch(config: VWOLaunchConfig): vwoInstance;
export function launch(config: VWOAnyLaunchConfig): vwoAsyncInstance;

/** The logger of all clients that are launched without one of their own; without one, the console. */
export function setLogger(logger?: VWOLog): void;
/** The level of all clients that are launched without a logger or level of their own: errors, unless told otherwise. */
export function setLogLevel(level?: LogLevelEnum): void;

export const logging: {
  readonly LogLevelEnum: typeof LogLevelEnum;
  readonly setLogHandler: typeof setLogger;
  readonly setLogLevel: typeof setLogLevel;
  getLogLevel(): LogLevelEnum;
};

export enum LogLevelEnum {
  /** Everything. */
  NOTSET = 0,
  DEBUG = 1,
  INFO = 2,
  WARN = 3,
  ERROR = 4,
}

/** Which goals are tracked. */
export enum GoalTypeEnum {
  REVENUE = 'REVENUE_TRACKING',
  CUSTOM = 'CUSTOM_GOAL',
  ALL = 'ALL',
}

/** What is the same for all clients. `Result` is what a call answers with: a value, a promise, or either. */
interface Instance<Name, Tracked, Enabled, Value, Pushed, OptedOut> {
  /** Decides which variation of an A/B test the user sees, keeps it, and counts the visitor: its name, or null. */
  activate(campaignKey: string, userId: string, options?: VWOApiOptions): Name;
  /** Which variation of a test the user sees: its name, or null. Nobody is counted. */
  getVariationName(campaignKey: string, userId: string, options?: VWOApiOptions): Name;
  /** The same as `getVariationName`. */
  getVariation(campaignKey: string, userId: string, options?: VWOApiOptions): Name;
  /**
   * Counts a goal: in one campaign, in several, or in all that have it. By campaign, whether it was counted; null when the call
   * is wrong as a whole.
   */
  track(
    campaignSpecifier: string | readonly string[] | null | undefined,
    userId: string,
    goalIdentifier: string,
    options?: VWOTrackGoalOptions,
  ): Tracked;
  /** Whether a feature is on for the user; it is kept, and the visitor is counted. */
  isFeatureEnabled(campaignKey: string, userId: string, options?: VWOApiOptions): Enabled;
  /** The value of a variable of a feature for the user; null when there is none. */
  getFeatureVariableValue(campaignKey: string, variableKey: string, userId: string, options?: VWOApiOptions): Value;
  /** Tells VWO a property of the user. By name, whether it was accepted; false when the call is wrong. */
  push(tagKey: string, tagValue: string, userId: string): Pushed;
  /** Tells VWO several properties of the user. */
  push(customDimensionMap: Record<string, unknown>, userId: string): Pushed;
  /** From now on nobody takes part, and nothing is looked up, kept or sent. */
  setOptOut(): OptedOut;

  /** Sends the events that wait, and waits for the collector to have them, a minute at most. */
  flushEvents(): Promise<Outcome>;
  /**
   * Fetches the settings, and puts them in force as a whole; they are what it answers with, or null after an opt-out. Rejects
   * when they cannot be had or used; those in force stay.
   */
  getAndUpdateSettingsFile(accountId?: string | number, sdkKey?: string): Promise<VWOSettings | null>;

  /**
   * All that is stored for a user: pass it as `userStorageData`, and no call about them asks the storage. Rejects when the
   * storage cannot say.
   */
  stored(userId: string): Promise<StoredData>;
  /** Waits until the storage has what was decided: a minute, or so many milliseconds, at most. */
  flushStorage(milliseconds?: number): Promise<Outcome>;
  /**
   * The orderly end: `flushStorage`, what a journal keeps, and `flushEvents`; polling ends. Calls after it answer as after
   * `setOptOut`; `decide`, `explain` and `stored` say that the client is closed. Calls that are awaited are waited for. Where the storage has everything it is let go of, and its file may be opened again; where not, it may be closed
   * once more.
   */
  close(milliseconds?: number): Promise<Outcome>;
}

/** A client that answers where it is called. */
export interface vwoInstance
  extends Instance<string | null, Record<string, boolean> | null, boolean, VWOVariableValue, PushResult, boolean> {
  /**
   * Decides in a campaign of whatever type, and says why. It is kept, and the visitor counted, as by `activate` and
   * `isFeatureEnabled`.
   */
  decide(campaignKey: string, userId: string, options?: VWOApiOptions): Decision;
  /** What `decide` would answer now, and why, stage by stage. Nothing is sent, kept or shown. */
  explain(campaignKey: string, userId: string, options?: VWOApiOptions): Explanation;
  /** Puts a record over whatever is stored; whether it is kept. */
  put(record: VWOUserStorageRecord): boolean;
}

/** A client all of whose decisions are promises (`asyncStorageConfig`); a push is one where `returnPromiseFor` names it. */
export interface vwoPromisingInstance
  extends Instance<
    Promise<string | null>,
    Promise<Record<string, boolean> | null>,
    Promise<boolean>,
    Promise<VWOVariableValue>,
    PushResult | Promise<PushResult>,
    boolean | Promise<boolean>
  > {
  decide(campaignKey: string, userId: string, options?: VWOApiOptions): Promise<Decision>;
  explain(campaignKey: string, userId: string, options?: VWOApiOptions): Promise<Explanation>;
  put(record: VWOUserStorageRecord): Promise<boolean>;
}

/** A client some of whose calls are promises (`returnPromiseFor`): await them all. */
export interface vwoAsyncInstance
  extends Instance<
    Promise<string | null> | string | null,
    Promise<Record<string, boolean> | null> | Record<string, boolean> | null,
    Promise<boolean> | boolean,
    Promise<VWOVariableValue> | VWOVariableValue,
    Promise<PushResult> | PushResult,
    Promise<boolean> | boolean
  > {
  decide(campaignKey: string, userId: string, options?: VWOApiOptions): Promise<Decision> | Decision;
  explain(campaignKey: string, userId: string, options?: VWOApiOptions): Promise<Explanation> | Explanation;
  put(record: VWOUserStorageRecord): Promise<boolean> | boolean;
}

/** What a variable of a feature may be. */
export type VWOVariableValue = string | number | boolean | Record<string, any> | null;

/** By name, whether a property was accepted (`{ success: true }` for accounts of the event architecture); false when the call is wrong. */
export type PushResult = Record<string, boolean> | false;

/** Whether something is done, and what is to be said of it. */
export interface Outcome {
  status: boolean;
  message: string;
}

/** Why a user got what they got. */
export type Reason =
  | 'whitelisted' | 'stored' | 'assigned'
  | 'opted_out' | 'not_running' | 'bandit_needs_storage' | 'storage_failed' | 'not_activated' | 'not_in_audience'
  | 'not_in_traffic' | 'whitelisted_elsewhere' | 'stored_elsewhere' | 'lost_group' | 'no_group_winner' | 'no_range'
  /** The call is wrong; `sentence` says what about it. */
  | 'mistake';

export interface Decision {
  campaignKey: string;
  userId: string;
  variationName: string | null;
  variationId: string | null;
  isFeatureEnabled: boolean;
  /** The variables of the feature, by key; null for one whose value cannot be read. */
  variables: Record<string, VWOVariableValue>;
  /** The campaign of the same group that has the user. */
  otherCampaign: string | null;
  reason: Reason;
  /** The reason in words. */
  sentence: string;
  warnings: string[];
}

export interface Explanation extends Decision {
  /** What was looked at, in its order; the last one decided. Not there where the call is wrong. */
  stages?: Stage[];
}

/** What was looked at, and the numbers behind it. */
export interface Stage {
  stage: 'campaign' | 'whitelisting' | 'stored' | 'activation' | 'audience' | 'traffic' | 'group' | 'assignment';
  [number: string]: any;
}

/** All that is stored for a user: `await client.stored(userId)`. */
export interface StoredData {
  all: VWOUserStorageRecord[];
}

/** A stored decision, as `set` is given it. */
export interface VWOUserStorageRecord {
  userId: string;
  campaignKey: string;
  variationName: string;
  /** The goals that were tracked. */
  goalIdentifier?: string;
  metaData?: Record<string, any>;
  [field: string]: any;
}

export interface VWOLog {
  log(level: LogLevelEnum, message: string): void;
}

export interface VWOLogger {
  logger?: VWOLog;
  /** Errors, unless told otherwise; everything for a logger of one's own. */
  level?: LogLevelEnum;
}

interface VWOBaseLaunchConfig {
  /** The settings, as an object or a text: `await getSettingsFile(accountId, sdkKey)`. */
  settingsFile: VWOSettings | string;
  /** No event leaves. */
  isDevelopmentMode?: boolean;
  /** Visitors and goals of users who come back count again. */
  shouldTrackReturningUser?: boolean;
  /** Looks for new settings after so many milliseconds, a second at least; needs `sdkKey`. */
  pollingInterval?: number;
  logging?: VWOLogger;
  batchEvents?: VWOBatchConfig;
  userStorageService?: VWOUserStorageConfig | VWOAsyncUserStorageConfig;
  goalTypeToTrack?: GoalTypeEnum | `${GoalTypeEnum}`;
  sdkKey?: string;
  integrations?: {
    /** Is shown every decision. What it throws is logged, and costs nothing. */
    callback?: (properties: Record<string, any>) => void;
  };
  /** The server for events and settings in place of VWO's; it may have a path. */
  proxyUrl?: string;

  /**
   * Whether users must be activated before `track`, `getVariationName` and `getFeatureVariableValue` know them: `required`, as the
   * official package has it, unless told otherwise.
   */
  activation?: 'required' | 'optional';
  /** A storage that is built in, in place of a `userStorageService`: its URL, or that and more. */
  storage?: string | StorageConfig;
  /** A folder where events are kept until the collector has them. */
  eventSpool?: string;
}

/** For programs that take answers where they call. */
export interface VWOLaunchConfig extends VWOBaseLaunchConfig {
  asyncStorageConfig?: undefined;
  returnPromiseFor?: undefined;
}

/** For programs whose storage answers with promises: all decisions are promises. */
export interface VWOAsyncStorageLaunchConfig extends VWOBaseLaunchConfig {
  asyncStorageConfig: Record<string, any>;
  returnPromiseFor?: VWOAsyncConfig;
}

/** For programs that wait for the collector: the calls that are named are promises. */
export interface VWOAsyncLaunchConfig extends VWOBaseLaunchConfig {
  asyncStorageConfig?: undefined;
  returnPromiseFor: VWOAsyncConfig;
}

/** For programs that choose when they run: await whatever a call answers with. */
export interface VWOAnyLaunchConfig extends VWOBaseLaunchConfig {
  asyncStorageConfig?: Record<string, any> | undefined;
  returnPromiseFor?: VWOAsyncConfig | undefined;
}

/** A storage that is built in. Times are in milliseconds. */
export interface StorageConfig {
  /**
   * `embedded:PATH` (a file), `redis://`, `rediss://`, `redis+cluster://`, `redis+sentinel://`, `postgres://`, or `memory:` (until the
   * process ends).
   */
  url: string;
  /** A look-up on a server has so long: 2,000 unless told otherwise. */
  lookUp?: number;
  /** A write to a server has so long: 10,000 unless told otherwise. */
  write?: number;
  /** In Redis, a user's records go after so long without a write. */
  retention?: number;
  /** In Redis, what all keys begin with: `steadfast:` unless told otherwise. */
  prefix?: string;
  /** Remembers what was looked up lately. */
  cache?: boolean;
  /** Keeps users by pseudonyms under this key: 64 hexadecimal digits, or 32 bytes in Base64. */
  pseudonymKey?: string;
  /** Keeps what is to be written in this file until the storage has it: it outlives an outage, and the process. */
  journal?: string;
}

export interface VWOBatchConfig {
  /** Events are sent when the first of them is so many seconds old: 600 unless told otherwise. */
  requestTimeInterval?: number;
  /** Events are sent when there are so many, 5,000 at most: 100 unless told otherwise. */
  eventsPerRequest?: number;
  /** Is told of every batch: why it is lost, or null, and the batch as JSON text. */
  flushCallback?: (error: Error | null, events: string) => void;
}

/** A storage of one's own, which answers where it is called. */
export interface VWOUserStorageConfig {
  /** The record of a user in a campaign; nothing (or what has no `variationName`) when there is none. */
  get?(userId: string, campaignKey: string): (object & { then?: undefined }) | null | undefined | void;
  /** Keeps a record. It may return a promise. */
  set?(userStorageData: VWOUserStorageRecord): unknown;
  /** A copy of the settings, for `getSettingsFile`. */
  getSettings?(): string | null | undefined | void | Promise<string | null | undefined | void>;
  /** Keeps a copy of the settings. */
  setSettings?(settings: string): unknown;
}

/** A storage of one's own, which answers with promises. */
export interface VWOAsyncUserStorageConfig extends Omit<VWOUserStorageConfig, 'get'> {
  get?(userId: string, campaignKey: string): Promise<object | null | undefined | void> | object | null | undefined | void;
}

export interface VWOApiOptions {
  /** What is known about the user, for the audience. */
  customVariables?: Record<string, any>;
  /** What is known about the user, for whitelisting. */
  variationTargetingVariables?: Record<string, any>;
  shouldTrackReturningUser?: boolean;
  /** Is kept with the record. */
  metaData?: Record<string, any> | null;
  /** What the caller has fetched from the storage: a record, several, or all there is (`stored`). */
  userStorageData?: object | readonly object[] | StoredData | null;
  eventProperties?: Record<string, any>;
  userAgent?: string;
  userIpAddress?: string;
}

export interface VWOTrackGoalOptions extends VWOApiOptions {
  /** A number, or a text that is one. */
  revenueValue?: number | string;
  goalTypeToTrack?: GoalTypeEnum | `${GoalTypeEnum}`;
}

export interface VWOAsyncConfig {
  activate?: boolean;
  getVariationName?: boolean;
  track?: boolean;
  isFeatureEnabled?: boolean;
  getFeatureVariableValue?: boolean;
  push?: boolean;
  optOut?: boolean;
  /** All of them. */
  all?: boolean;
}
