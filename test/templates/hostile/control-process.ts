/**
 * A process that has nothing to do with the service: it works for ten milliseconds every tenth of a second, and tells how
 * much longer that took by the clock. What others do on the machine holds it up as it holds up the service.
 */

const workMicroseconds = 10_000;
const everyMs = 100;

let used = 0;
let passed = 0;

function work(): void {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  let own = 0;
  while (own < workMicroseconds) {
    const { user, system } = process.cpuUsage(before);
    own = user + system;
  }
  used += own / 1_000;
  passed += performance.now() - startedAt;
}

setInterval(work, everyMs);
process.on('message', () => {
  process.send?.({ stretch: passed / used });
  used = 0;
  passed = 0;
});
process.on('disconnect', () => process.exit(0));
