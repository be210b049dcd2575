/** A wire that can be cut, slowed or filled up: stands between a client and a server on 127.0.0.1. */
import { connect, createServer, type Socket } from 'node:net';

/** What the wire does. `hole`: nothing passes, nothing is said, and nothing is lost that TCP would keep. */
export type WireMode = 'pass' | 'hole' | { delayMs: number };

export interface TcpProxy {
  port: number;
  set(mode: WireMode): void;
  /** Nothing more passes over the connection that was opened first; the others go on. */
  silenceFirst(): void;
  /** Cuts every connection that is open now. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy to a port of this machine. @param port its own; default: any that is free. */
export async function startTcpProxy(targetPort: number, port = 0): Promise<TcpProxy> {
  let mode: WireMode = 'pass';
  const sockets = new Set<Socket>();
  const pairs: Socket[][] = [];
  const silent = new Set<Socket>();
  const waiting = new Set<() => void>();

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  }

  /** Resolves when the wire lets something through. */
  const open = (): Promise<void> => {
    if (mode === 'pass') return Promise.resolve();
    if (mode !== 'hole') {
      const { delayMs } = mode;
      return new Promise((resolve) => setTimeout(resolve, delayMs));
    }
    return new Promise((resolve) => waiting.add(resolve));
  };

  /** Carries bytes one way, in their order. */
  function carry(from: Socket, to: Socket): void {
    let tail = Promise.resolve();
    from.on('data', (chunk) => {
      from.pause();
      if (silent.has(from)) return;
      tail = tail.then(open).then(() => {
        if (!to.destroyed) to.write(chunk);
        from.resume();
      });
    });
    from.once('close', () => void tail.then(() => to.destroy()));
    from.once('end', () => void tail.then(() => to.end()));
  }

  const server = createServer((client) => {
    keep(client);
    const target = connect(targetPort, '127.0.0.1');
    keep(target);
    pairs.push([client, target]);
    carry(client, target);
    carry(target, client);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  const set = (next: WireMode): void => {
    mode = next;
    if (mode === 'hole') return;
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    silenceFirst: () => {
      for (const socket of pairs[0] ?? []) silent.add(socket);
    },
    port: typeof address === 'object' && address !== null ? address.port : 0,
    set,
    cut,
    async close() {
      set('pass');
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
