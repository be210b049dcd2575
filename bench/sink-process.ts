/**
 * An SMTP server at wire speed, in a process of its own: it understands just enough to be handed mails, keeps only
 * their receivers and times, and answers each mail after a delay. It offers PIPELINING (RFC 2920), as the mail servers
 * in use do, and answers the commands that came together in one segment. Told what to do by its parent.
 */
import { createServer, type Socket } from 'node:net';

/** What the parent says. */
export type SinkOrder = { kind: 'reset'; delayMs: number } | { kind: 'report' };

/** What the sink answers to `report`. */
export interface SinkReport {
  mails: number;
  bytes: number;
  /** Receivers that got more than one mail, or the same one twice. */
  repeated: number;
  /** Time of arrival of the first mail of each receiver, in milliseconds of the machine’s clock. */
  arrivals: [receiver: string, at: number][];
}

let delayMs = 0;
let mails = 0;
let bytes = 0;
let repeated = 0;
const arrivals = new Map<string, number>();

const endOfMail = Buffer.from('\r\n.\r\n');

function took(receiver: string, size: number): void {
  mails += 1;
  bytes += size;
  if (arrivals.has(receiver)) repeated += 1;
  else arrivals.set(receiver, Date.now());
}

function serve(socket: Socket): void {
  let pending: Buffer = Buffer.alloc(0);
  let receiver = '';
  let inMail = false;
  let size = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.write('220 sink\r\n');

  function answerMail(): void {
    took(receiver, size);
    if (delayMs === 0) socket.write('250 2.0.0 taken\r\n');
    else setTimeout(() => socket.write('250 2.0.0 taken\r\n'), delayMs);
  }

  /** Reads on in the content. @returns whether it ended. */
  function readMail(): boolean {
    const end = pending.indexOf(endOfMail);
    if (end !== -1) {
      size += end;
      pending = pending.subarray(end + endOfMail.length);
      inMail = false;
      answerMail();
      return true;
    }
    // The end may be cut in two: its beginning is kept.
    const kept = Math.min(pending.length, endOfMail.length - 1);
    size += pending.length - kept;
    pending = pending.subarray(pending.length - kept);
    return false;
  }

  function command(line: string): void {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') socket.write('250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n');
    else if (verb === 'RCPT') {
      receiver = /<([^>]*)>/.exec(line)?.[1] ?? '';
      socket.write('250 2.1.5 ok\r\n');
    } else if (verb === 'DATA') {
      inMail = true;
      size = 0;
      socket.write('354 go\r\n');
    } else if (verb === 'QUIT') socket.end('221 2.0.0 bye\r\n');
    else socket.write('250 2.0.0 ok\r\n');
  }

  function readOn(): void {
    for (;;) {
      if (inMail) {
        if (!readMail()) return;
        continue;
      }
      const end = pending.indexOf('\r\n');
      if (end === -1) return;
      const line = pending.toString('latin1', 0, end);
      pending = pending.subarray(end + 2);
      command(line);
    }
  }

  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    socket.cork();
    readOn();
    socket.uncork();
  });
}

process.on('message', (order: SinkOrder) => {
  if (order.kind === 'reset') {
    delayMs = order.delayMs;
    mails = 0;
    bytes = 0;
    repeated = 0;
    arrivals.clear();
    process.send?.({ kind: 'reset' });
    return;
  }
  const report: SinkReport = { mails, bytes, repeated, arrivals: [...arrivals] };
  process.send?.(report);
});
process.on('disconnect', () => process.exit(0));

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
