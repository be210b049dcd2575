/**
 * A TCP connection to an address that was checked first.
 *
 * The name is resolved here and the socket goes to the very address that passed, so neither a name
 * that points inside nor one that changes its answer between check and use (DNS rebinding) gets
 * through. Checking after resolution also covers every odd spelling of an IP address.
 */
import { lookup } from 'node:dns/promises';
import { type BlockList, connect, type Socket } from 'node:net';
import { judgeAddress } from './networks.ts';

/** A connected socket, or the code of what went wrong (never the host, never Node's message). */
export type CheckedSocket =
  | { kind: 'connected'; socket: Socket; allowedNetwork: boolean }
  | { kind: 'failed'; errorCode: string };

/** At most so many addresses of one name are tried. */
const ADDRESS_LIMIT = 4;

/**
 * Resolves `host`, drops addresses that are not public nor in `allowed`, and connects to the first of
 * the rest that answers, all within `timeoutMs`. `errorCode` is `EHOSTNOTALLOWED` when nothing was left.
 */
export async function openCheckedSocket(
  host: string,
  port: number,
  allowed: BlockList,
  timeoutMs: number,
): Promise<CheckedSocket> {
  const deadline = Date.now() + timeoutMs;
  let addresses: string[];
  try {
    addresses = (await within(lookup(host, { all: true }), timeoutMs)).map((found) => found.address);
  } catch (error) {
    return { kind: 'failed', errorCode: codeOf(error, 'EDNS') };
  }
  const usable = addresses.filter((address) => judgeAddress(address, allowed) !== 'refused').slice(0, ADDRESS_LIMIT);
  let errorCode = addresses.length === 0 ? 'EDNS' : 'EHOSTNOTALLOWED';
  for (const [index, address] of usable.entries()) {
    // A silent address gets its share of the time left, so that the next one still has some.
    const share = Math.max(1, Math.floor((deadline - Date.now()) / (usable.length - index)));
    try {
      const socket = await connectTo(address, port, share);
      return { kind: 'connected', socket, allowedNetwork: judgeAddress(address, allowed) === 'allowed' };
    } catch (error) {
      errorCode = codeOf(error, 'ECONNECTION');
    }
  }
  return { kind: 'failed', errorCode };
}

function connectTo(address: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const timer = setTimeout(() => socket.destroy(timedOut()), timeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', onError);
      // Between here and its user's own listener an error must not end the process.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => (timer = setTimeout(() => reject(timedOut()), timeoutMs))),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function timedOut(): Error {
  return Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' });
}

function codeOf(error: unknown, fallback: string): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : fallback;
}
