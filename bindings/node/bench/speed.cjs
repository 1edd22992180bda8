'use strict';
// Calls a second, and how long one takes, side by side with the official SDK: what counts is the ratio, since both meet the
// same machine. The floor is the time of nothing, taken in the same way.

const { launch, official, options, service, steadfast, users } = require('./contenders.cjs');

const ROUNDS = 9;
const CALLS = 20_000;
const TIMED = 200_000;
const MILLISECOND = 1_000_000;

const median = (numbers) => [...numbers].sort((one, other) => one - other)[numbers.length >> 1];

/** Calls a second of each contender: the median of rounds that take turns. */
function throughput(contenders) {
  const rates = contenders.map(() => []);
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [place, call] of contenders.entries()) {
      const start = process.hrtime.bigint();
      for (let number = 0; number < CALLS; number += 1) call(number);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      // The first round is for the compilers.
      if (round > 0) rates[place].push(CALLS / seconds);
    }
  }
  return rates.map(median);
}

/** How long calls take, in nanoseconds, sorted. */
function latencies(call) {
  const times = new Float64Array(TIMED);
  for (let number = 0; number < TIMED; number += 1) {
    const start = process.hrtime.bigint();
    call(number);
    times[number] = Number(process.hrtime.bigint() - start);
  }
  return times.sort();
}

const at = (times, share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
const micro = (nanoseconds) => `${(nanoseconds / 1_000).toFixed(1)} µs`.padStart(11);
const rate = (perSecond) => Math.round(perSecond).toLocaleString('en').padStart(10);

const user = (number) => users[number % users.length];
const key = (number) => `ab-${(number % 3) + 1}`;
const calls = {
  activate: (client) => (number) => client.activate(key(number), user(number), options),
  getVariationName: (client) => (number) => client.getVariationName(key(number), user(number), options),
};
/** How each is launched; whether the ratio is one that is wanted, or shown for what it is. */
const scenes = {
  'without a storage': { theirs: {}, ours: {}, isWanted: true },
  'with a storage in memory (get and set; `memory:`)': { theirs: { userStorageService: service(false) }, ours: { storage: 'memory:' }, isWanted: false },
  'with get and set in JavaScript for both': { theirs: { userStorageService: service(false) }, ours: { userStorageService: service(false) }, isWanted: false },
};

let isGood = true;
const floor = latencies(() => {});
console.log(`the floor (nothing)                              p50 ${micro(at(floor, 0.5))}  p99 ${micro(at(floor, 0.99))}  longest ${micro(at(floor, 1))}  over 1 ms: ${floor.filter((time) => time > MILLISECOND).length}`);
for (const [scene, { theirs: theirConfig, ours: ourConfig, isWanted }] of Object.entries(scenes)) {
  for (const [name, call] of Object.entries(calls)) {
    const clients = [launch(official, theirConfig), launch(steadfast, ourConfig)];
    // Everybody is known: with a storage, reading is the rule.
    for (const client of clients) for (let number = 0; number < 3 * users.length; number += 1) calls.activate(client)(number);
    const [theirs, ours] = throughput(clients.map(call));
    const [their, own] = clients.map((client) => latencies(call(client)));
    console.log(`\n${name} ${scene}`);
    console.log(`  vwo-node-sdk ${rate(theirs)}/s                        p50 ${micro(at(their, 0.5))}  p99 ${micro(at(their, 0.99))}  longest ${micro(at(their, 1))}  over 1 ms: ${their.filter((time) => time > MILLISECOND).length}`);
    console.log(`  steadfast    ${rate(ours)}/s, ${(ours / theirs).toFixed(1)} times as many   p50 ${micro(at(own, 0.5))}  p99 ${micro(at(own, 0.99))}  longest ${micro(at(own, 1))}  over 1 ms: ${own.filter((time) => time > MILLISECOND).length} of ${TIMED}`);
    const isFast = !isWanted || (ours / theirs >= 5 && at(own, 0.99) < at(their, 0.5));
    if (!isFast) console.log('  wanted: five times as many, and a p99 below the median of vwo-node-sdk');
    isGood &&= isFast;
  }
}
process.exitCode = isGood ? 0 : 1;
