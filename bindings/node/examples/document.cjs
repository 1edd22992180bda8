// VWO's document on the User Storage Service, but for the module's name and the values that it leaves open.
const { campaignKey, userId, goalIdentifier, settingsFile, database } = require('./document-values.cjs');

(async () => {
// Interaction with your storage service/db.
const customerStorageService = {
  get: async function get(userId, campaignKey) {
    const time = 1000;

    return new Promise((res, _rej) => {
     setTimeout(() => {
       let dbData = database.read(userId, campaignKey);

        console.log(`Got data:${JSON.stringify(dbData)} after ${time}ms`);

       res(dbData);
     }, time);
   })
  },
  set: async function set(data = {}) {
   const time = 2000;

   return new Promise((res, _rej) => {
     setTimeout(() => {
       database.write(data);
       console.log(`Data:${JSON.stringify(data)} saved after ${time}ms`);
       res();
     }, 2000);
   });
 }
}

// Pass this to VWO SDK at the time of launching it
let userStorageService = {
  get: (userId, campaignKey) => {
    // Do not implement it
  },
  set: (campaignUserMap) => {
    // can be async
    customerStorageService.set(campaignUserMap);
  }
}

// use VWO SDK
var vwoSDK = require('..');

// Instantiate the VWO SDK
var vwoClientInstance = vwoSDK.launch({
  settingsFile: settingsFile,
  userStorageService: userStorageService,
  isDevelopmentMode: true // no account is told of this example
});

for (const visit of [1, 2]) {
// Fetch the data from your service/db
var storedData = await customerStorageService.get(userId, campaignKey);
var options = {
  userStorageData: storedData
};

// Pass it in the options paramter
var variation = vwoClientInstance.activate(campaignKey, userId, options);

// Pass it in the options paramter
var tracked = vwoClientInstance.track(campaignKey, userId, goalIdentifier, options);
console.log(JSON.stringify({ visit, variation, tracked }));
// The second visit is another day: what was written is there.
await new Promise((resolve) => setTimeout(resolve, 2500));
}
console.log(JSON.stringify({ stored: database.all() }));
})();
