/**
 * A worker that is killed at a step of a send, as a machine that fails would end it, or that is made to stand still
 * there: `faulty-worker.ts <step> <time> [SIGKILL | SIGSTOP]`.
 * The step is reached exactly, through the runtime's probe; the service itself knows nothing of it.
 */
import { writeSync } from 'node:fs';
import { createBackground } from '../../src/background.ts';
import { readConfig } from '../../src/config.ts';
import { createRuntime } from '../../src/runtime.ts';
import { stopOnSignals } from '../../src/shutdown.ts';

const [, , fatalStep = '', time = '1', signal = 'SIGKILL'] = process.argv;
let left = Number(time);

const config = readConfig();
const runtime = await createRuntime(config, {
  databaseUrl: config.databaseUrl ?? '',
  name: 'faulty worker',
  supervise: true,
  probe(step) {
    if (step !== fatalStep) return;
    left -= 1;
    if (left !== 0) return;
    // Written at once: the log is told before nothing moves any more.
    if (signal === 'SIGSTOP') writeSync(1, '{"msg":"frozen"}\n');
    process.kill(process.pid, signal);
  },
});
const background = createBackground(runtime, null);
background.start();
runtime.log.info({ workerId: runtime.workerId }, 'worker.started');
stopOnSignals(runtime.log, async () => {
  await background.stop();
  await runtime.close();
});
