import type { Logger } from 'pino';

/** The dispatcher gives in-flight sends 20 s; the rest is for settling them and closing connections. */
const graceMs = 28_000;

/**
 * Ends the process on SIGTERM or SIGINT: `stop` runs once, then exit code 0. A second signal, or `stop` taking
 * longer than its grace, ends it at once with 1: what was open is found again by another worker.
 */
export function stopOnSignals(log: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const end = async (signal: string) => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'process.stopping');
    setTimeout(() => process.exit(1), graceMs).unref();
    try {
      await stop();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'process.stop-failed');
      process.exit(1);
    }
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}
