'use strict';
// What the document leaves open: an account, a user, and a database.

const records = new Map();
const place = (userId, campaignKey) => JSON.stringify([userId, campaignKey]);

module.exports = {
  campaignKey: 'checkout-button',
  userId: 'Ashley',
  goalIdentifier: 'bought',
  settingsFile: {
    accountId: 60781, sdkKey: 'demo', version: 1,
    campaigns: [{
      id: 1, key: 'checkout-button', name: 'Checkout button', type: 'VISUAL_AB', status: 'RUNNING', percentTraffic: 100,
      isForcedVariationEnabled: false, segments: {},
      goals: [{ id: 1, identifier: 'bought', type: 'CUSTOM_GOAL' }],
      variations: [
        { id: 1, name: 'Control', weight: 50, changes: {} },
        { id: 2, name: 'Variation-1', weight: 50, changes: {} },
      ],
    }],
  },
  database: {
    read: (userId, campaignKey) => records.get(place(userId, campaignKey)),
    write: (record) => records.set(place(record.userId, record.campaignKey), record),
    all: () => [...records.values()],
  },
};
