// Everything that the types have, used as a program would; what must not compile says so.
import steadfast = require('../../index.js');

type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
const same = <One, Other>(..._: Same<One, Other> extends true ? [] : ['these are two types']): void => {};

export async function everything(): Promise<void> {
  const copy: steadfast.VWOUserStorageConfig = { getSettings: () => '{}', setSettings: (text: string) => text.length };
  const settingsFile = await steadfast.getSettingsFile('60781', 'key', copy, { proxyUrl: 'https://proxy.example/vwo' });
  same<typeof settingsFile, steadfast.VWOSettings>();
  await steadfast.getSettingsFile(60781, 'key', null);

  const logger: steadfast.VWOLog = { log: (level: steadfast.LogLevelEnum, message: string) => void [level, message] };
  steadfast.setLogger(logger);
  steadfast.setLogger();
  steadfast.setLogLevel(steadfast.LogLevelEnum.DEBUG);
  steadfast.setLogLevel();
  steadfast.logging.setLogHandler(logger);
  steadfast.logging.setLogLevel(steadfast.logging.LogLevelEnum.NOTSET);
  same<ReturnType<typeof steadfast.logging.getLogLevel>, steadfast.LogLevelEnum>();
  const levels: steadfast.LogLevelEnum[] = [steadfast.LogLevelEnum.INFO, steadfast.LogLevelEnum.WARN, steadfast.LogLevelEnum.ERROR];
  const goals: steadfast.GoalTypeEnum[] = [steadfast.GoalTypeEnum.REVENUE, steadfast.GoalTypeEnum.CUSTOM, steadfast.GoalTypeEnum.ALL];
  void [levels, goals];

  const records = new Map<string, steadfast.VWOUserStorageRecord>();
  const service: steadfast.VWOUserStorageConfig = {
    get: (userId, campaignKey) => records.get(`${userId} ${campaignKey}`),
    set: (record) => records.set(record.userId, { ...record, variationName: record.variationName, goalIdentifier: record.goalIdentifier ?? '' }),
  };
  const shared = {
    settingsFile,
    isDevelopmentMode: true,
    shouldTrackReturningUser: false,
    pollingInterval: 60_000,
    sdkKey: 'key',
    logging: { logger, level: steadfast.LogLevelEnum.WARN },
    batchEvents: { requestTimeInterval: 60, eventsPerRequest: 100, flushCallback: (error: Error | null, events: string) => void [error, events] },
    goalTypeToTrack: steadfast.GoalTypeEnum.CUSTOM,
    integrations: { callback: (properties: Record<string, any>) => void properties['campaignKey'] },
    proxyUrl: 'https://proxy.example',
    activation: 'optional',
    eventSpool: './events',
  } satisfies steadfast.VWOLaunchConfig;

  const options: steadfast.VWOApiOptions = {
    customVariables: { plan: 'gold' },
    variationTargetingVariables: { team: 'ours' },
    shouldTrackReturningUser: true,
    metaData: { browser: 'x' },
    userStorageData: null,
    eventProperties: { price: 3 },
    userAgent: 'Mozilla',
    userIpAddress: '192.0.2.1',
  };
  const trackOptions: steadfast.VWOTrackGoalOptions = { ...options, revenueValue: '1.5', goalTypeToTrack: 'ALL' };

  // At once.
  const client = steadfast.launch({ ...shared, userStorageService: service });
  same<typeof client, steadfast.vwoInstance>();
  const name = client.activate('ab', 'Ashley', options);
  same<typeof name, string | null>();
  same<typeof name, ReturnType<typeof client.getVariationName>>();
  client.getVariation('ab', 'Ashley');
  const tracked = client.track(['ab', 'cd'] as const, 'Ashley', 'bought', trackOptions);
  same<typeof tracked, Record<string, boolean> | null>();
  client.track(null, 'Ashley', 'bought');
  client.track(undefined, 'Ashley', 'bought');
  same<ReturnType<typeof client.isFeatureEnabled>, boolean>();
  client.isFeatureEnabled('feature', 'Ashley', options);
  const value: steadfast.VWOVariableValue = client.getFeatureVariableValue('feature', 'colour', 'Ashley', options);
  const pushed: steadfast.PushResult = client.push('plan', 'gold', 'Ashley');
  void [value, pushed, client.push({ plan: 'gold', seats: 3 }, 'Ashley')];
  const decision: steadfast.Decision = client.decide('ab', 'Ashley', options);
  const reason: steadfast.Reason = decision.reason;
  const { campaignKey, userId, variationName, variationId, isFeatureEnabled, variables, otherCampaign, sentence, warnings } = decision;
  void [reason, campaignKey, userId, variationName, variationId, isFeatureEnabled, variables['colour'], otherCampaign, sentence, warnings[0]];
  const explanation: steadfast.Explanation = client.explain('ab', 'Ashley');
  const stage: steadfast.Stage | undefined = explanation.stages?.[0];
  void [stage?.stage, stage?.['bucket']];
  const stored: steadfast.StoredData = await client.stored('Ashley');
  client.activate('ab', 'Ashley', { userStorageData: stored });
  client.activate('ab', 'Ashley', { userStorageData: stored.all });
  const kept: boolean = client.put({ userId: 'Ashley', campaignKey: 'ab', variationName: 'Control' });
  const outcomes: steadfast.Outcome[] = [await client.flushEvents(), await client.flushStorage(), await client.flushStorage(1_000), await client.close(1_000)];
  void [kept, outcomes[0]?.status, outcomes[0]?.message];
  const updated: steadfast.VWOSettings | null = await client.getAndUpdateSettingsFile();
  await client.getAndUpdateSettingsFile('60781', 'key');
  const optedOut: boolean = client.setOptOut();
  void [updated, optedOut];

  // With promises.
  const asyncService: steadfast.VWOAsyncUserStorageConfig = { get: async (userId) => records.get(userId), set: async () => {} };
  const promising = steadfast.launch({ ...shared, userStorageService: asyncService, asyncStorageConfig: {} });
  same<typeof promising, steadfast.vwoPromisingInstance>();
  same<ReturnType<typeof promising.activate>, Promise<string | null>>();
  same<ReturnType<typeof promising.track>, Promise<Record<string, boolean> | null>>();
  same<ReturnType<typeof promising.isFeatureEnabled>, Promise<boolean>>();
  same<ReturnType<typeof promising.getFeatureVariableValue>, Promise<steadfast.VWOVariableValue>>();
  same<ReturnType<typeof promising.decide>, Promise<steadfast.Decision>>();
  same<ReturnType<typeof promising.explain>, Promise<steadfast.Explanation>>();
  await Promise.all([promising.put({ userId: 'A', campaignKey: 'ab', variationName: 'Control' }), promising.getVariation('ab', 'A')]);
  const config: steadfast.VWOAsyncStorageLaunchConfig = { settingsFile: '{}', asyncStorageConfig: {} };
  void steadfast.launch(config);

  // Some of each.
  const promises: steadfast.VWOAsyncConfig = {
    activate: true, getVariationName: true, track: true, isFeatureEnabled: true, getFeatureVariableValue: true, push: true, optOut: true, all: false,
  };
  const waiting: steadfast.VWOAsyncLaunchConfig = { ...shared, returnPromiseFor: promises };
  const some = steadfast.launch(waiting);
  same<typeof some, steadfast.vwoAsyncInstance>();
  same<ReturnType<typeof some.activate>, Promise<string | null> | string | null>();
  await some.activate('ab', 'Ashley');
  await some.explain('ab', 'Ashley');

  const chosen = steadfast.launch({ settingsFile, ...(records.size > 0 ? { asyncStorageConfig: {} } : {}), returnPromiseFor: records.size > 1 ? promises : undefined });
  same<typeof chosen, steadfast.vwoAsyncInstance>();
  const any: steadfast.VWOAnyLaunchConfig = { settingsFile };
  void any;

  // Storages that are built in.
  const storage: steadfast.StorageConfig = {
    url: 'redis://cache', lookUp: 100, write: 1_000, retention: 86_400_000, prefix: 'shop:', cache: true, pseudonymKey: '00', journal: './journal',
  };
  void [steadfast.launch({ settingsFile: {}, storage }), steadfast.launch({ settingsFile: {}, storage: 'embedded:./assignments.redb' })];

  const rest: [steadfast.VWOGetSettingsFileExternalConfig, steadfast.VWOLogger, steadfast.VWOBatchConfig] = [{}, {}, {}];
  void rest;

  // @ts-expect-error: there are no settings.
  steadfast.launch({});
  // @ts-expect-error: it is `required` or `optional`.
  steadfast.launch({ settingsFile: {}, activation: 'sometimes' });
  // @ts-expect-error: a slip in a name.
  steadfast.launch({ settingsFile: {}, userStorageservice: service });
  // @ts-expect-error: it is a promise.
  const notAwaited: string | null = promising.activate('ab', 'Ashley');
  // @ts-expect-error: a `get` that returns a promise, where nobody could await it, must be a storage of that kind.
  const wrongKind: steadfast.VWOUserStorageConfig = { get: async () => 1 };
  // @ts-expect-error: `track` needs a goal.
  client.track('ab', 'Ashley');
  void [notAwaited, wrongKind];
}
