import sdk from './index.cjs';

export const { launch, getSettingsFile, setLogger, setLogLevel, logging, LogLevelEnum, GoalTypeEnum } = sdk;
export default sdk;
