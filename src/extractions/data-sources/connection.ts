import type { Socket } from 'node:net';
import { openCheckedSocket } from '../../checked-socket.ts';
import { type SourceEnvironment, type SourceFault, type SourceFaultCode, sourceFault } from './driver.ts';

/** Where a source is, and how it is reached. */
export interface SourceAddress {
  host: string;
  port: number;
  /** Whether the wire is encrypted, and the other side proves who it is. */
  encrypted: boolean;
}

/** A connection to a source, with its limits. */
export interface SourceConnection {
  kind: 'open';
  socket: Socket;
  /** Which limit ended it; null: none. */
  ended(): SourceFaultCode | null;
  /** Ends it, and its limits. */
  close(): void;
}

const connectMs = 5_000;
const lookEveryMs = 20;

/** Codes of TLS itself (`node:tls`, OpenSSL): the wire works, the other side is not who it should be. */
const tlsCodes = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/;

/** Whether an error is one of TLS, by its code. */
export const isTlsError = (error: unknown): boolean => tlsCodes.test(String((error as { code?: unknown })?.code));

/**
 * Connects to an address that was checked (`checked-socket.ts`). The connection is ended after `longestMs`, or once it
 * has received more than `bytesAtMost`: drivers would hold whatever a source sends, a single value of a gigabyte too.
 */
export async function connectToSource(
  address: SourceAddress,
  { allowed }: SourceEnvironment,
  limits: { longestMs: number; bytesAtMost: number },
): Promise<SourceConnection | SourceFault> {
  const opened = await openCheckedSocket(address.host, address.port, allowed, connectMs);
  if (opened.kind === 'failed') {
    return sourceFault(opened.errorCode === 'EHOSTNOTALLOWED' ? 'address_refused' : 'unreachable');
  }
  const { socket } = opened;
  if (!address.encrypted && !opened.allowedNetwork) {
    socket.destroy();
    return sourceFault('tls_needed');
  }
  let ended: SourceFaultCode | null = null;
  const end = (code: SourceFaultCode) => {
    ended ??= code;
    socket.destroy(new Error(`ended: ${code}`));
  };
  const deadline = setTimeout(() => end('query_timeout'), limits.longestMs);
  // Not by the socket's events: TLS reads from below them.
  const watch = setInterval(() => socket.bytesRead > limits.bytesAtMost && end('too_large'), lookEveryMs);
  const close = () => {
    clearTimeout(deadline);
    clearInterval(watch);
    socket.destroy();
  };
  return { kind: 'open', socket, ended: () => ended, close };
}

/** Makes a socket that is connected already look to a driver like one that it connects itself. */
export function asUnconnected(socket: Socket): Socket {
  const connect = () => {
    process.nextTick(() => socket.emit('connect'));
    return socket;
  };
  return Object.assign(socket, { connect });
}
