/**
 * A worker that is killed at a step of a send, as a machine that fails would end it: `faulty-worker.ts <step> <time>`.
 * The step is reached exactly, through the runtime's probe; the service itself knows nothing of it.
 */
import { createBackground } from '../../src/background.ts';
import { readConfig } from '../../src/config.ts';
import { createRuntime } from '../../src/runtime.ts';
import { stopOnSignals } from '../../src/shutdown.ts';

const [, , fatalStep = '', time = '1'] = process.argv;
let left = Number(time);

const config = readConfig();
const runtime = await createRuntime(config, {
  databaseUrl: config.databaseUrl ?? '',
  name: 'faulty worker',
  supervise: true,
  probe(step) {
    if (step !== fatalStep) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
});
const background = createBackground(runtime, null);
background.start();
runtime.log.info({ workerId: runtime.workerId }, 'worker.started');
stopOnSignals(runtime.log, async () => {
  await background.stop();
  await runtime.close();
});
