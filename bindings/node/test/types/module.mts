// The ES module: by its names, and as a whole.
import sdk, { GoalTypeEnum, launch, type vwoInstance } from '../../index.mjs';

const client: vwoInstance = launch({ settingsFile: '{}', goalTypeToTrack: GoalTypeEnum.ALL });
const other: vwoInstance = sdk.launch({ settingsFile: {} });
export const names: (string | null)[] = [client.activate('ab', 'Ashley'), other.activate('ab', 'Ashley')];
