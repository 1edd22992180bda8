export * from './index.js';
import * as sdk from './index.js';
export default sdk;
