'use strict';
// Memory over ten million calls: what the process has after each million, with everything collected that can be.

const { launch, options, service, steadfast, users } = require('./contenders.cjs');

const MILLION = 1_000_000;
const MILLIONS = Number(process.argv[2] || 10);
const client = launch(steadfast, { userStorageService: service(false) });

const megabytes = () => {
  global.gc();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 };
};

const seen = [];
for (let million = 1; million <= MILLIONS; million += 1) {
  for (let number = 0; number < MILLION; number += 1) {
    const user = users[number % users.length];
    const key = `ab-${(number % 3) + 1}`;
    if (number % 4 === 0) client.activate(key, user, options);
    else if (number % 4 === 3) client.track(key, user, 'bought', options);
    else client.getVariationName(key, user, options);
  }
  const now = megabytes();
  seen.push(now);
  console.log(`${String(million).padStart(3)} million calls: ${now.rss.toFixed(1)} MiB of the process, ${now.heap.toFixed(1)} MiB of JavaScript`);
}
// The first two millions fill what is bounded: the users' own writes, the allocators' pools.
const [before, after] = [seen[Math.min(1, seen.length - 1)], seen[seen.length - 1]];
const growth = after.rss - before.rss;
console.log(`since the second million: ${growth.toFixed(1)} MiB more of the process, ${(after.heap - before.heap).toFixed(1)} MiB of JavaScript`);
process.exitCode = growth < 16 && after.heap - before.heap < 4 ? 0 : 1;
