/** Run by tap, as its child, after the last test file. */
import { stopTestServer } from './postgres.ts';

await stopTestServer(process.ppid);
