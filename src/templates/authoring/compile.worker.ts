/** The thread in which texts are compiled: MJML and style sheets are programs of their own, and a person waits for none. */
import { parentPort } from 'node:worker_threads';
import { type CompileJob, compileTexts } from './compile.ts';

const port = parentPort;
if (port === null) throw new Error('compile.worker.ts is a thread');
port.on('message', async (job: CompileJob) => port.postMessage(await compileTexts(job)));
