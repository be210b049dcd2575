/** Whom a MariaDB over TLS has to be. What greets here says of itself that it is one, and refuses every log-in. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { startService } from '../support/service.ts';
import { must } from '../support/templates.ts';

const file = (name: string) => readFileSync(new URL(`../support/certificates/${name}`, import.meta.url), 'utf8');

/** Protocol 10, with TLS, and long log-ins by plug-in. */
const capabilities = 0x00_08_aa_00 | 0x00_00_08_00;

/** Of the request for TLS, with its head. */
const requestLength = 36;

function packet(sequence: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([body.length & 255, body.length >> 8, 0, sequence]), body]);
}

function greeting(version: string): Buffer {
  const seed = Buffer.alloc(20, 'a');
  const low = Buffer.alloc(2);
  low.writeUInt16LE(capabilities & 0xffff);
  const high = Buffer.alloc(2);
  high.writeUInt16LE(capabilities >>> 16);
  return packet(
    0,
    Buffer.concat([
      Buffer.from([10]),
      Buffer.from(`${version}\0`),
      Buffer.from([1, 0, 0, 0]),
      seed.subarray(0, 8),
      Buffer.from([0]),
      low,
      Buffer.from([45, 2, 0]),
      high,
      Buffer.from([21]),
      Buffer.alloc(10),
      seed.subarray(8),
      Buffer.from([0]),
      Buffer.from('mysql_native_password\0'),
    ]),
  );
}

const refusal = Buffer.concat([Buffer.from([0xff, 0x15, 0x04]), Buffer.from('#28000Access denied')]);

/** Counts the log-ins that came over TLS. */
async function greet(t: Test): Promise<{ port: number; logIns: number }> {
  const found = { port: 0, logIns: 0 };
  const secureContext = createSecureContext({ key: file('localhost.key.pem'), cert: file('localhost.pem') });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.write(greeting('11.8.2-MariaDB'));
    socket.once('data', (data: Buffer) => {
      // Behind the request for TLS its handshake may have come already.
      socket.pause();
      if (data.length > requestLength) socket.unshift(data.subarray(requestLength));
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      secure.on('error', () => undefined);
      secure.once('data', (logIn: Buffer) => {
        found.logIns += 1;
        secure.end(packet((logIn[3] ?? 0) + 1, refusal));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  found.port = (server.address() as { port: number }).port;
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return found;
}

t.test('MariaDB over TLS: the name or the address that is connected to is that of the certificate', async (t) => {
  const { inject } = await startService(t);
  const server = await greet(t);
  const certificateAuthority = file('ca.pem');
  const cases: [name: string, settings: object, fault: string, logIns: number][] = [
    ['its name', { host: 'localhost', certificateAuthority }, 'login_refused', 1],
    ['its address', { host: '127.0.0.1', certificateAuthority }, 'login_refused', 1],
    // Which leads to the same address.
    ['another name', { host: '127.1', certificateAuthority }, 'tls_failed', 0],
    ['an authority that nobody trusts, and a password', { host: 'localhost' }, 'tls_failed', 0],
  ];
  for (const [index, [name, settings, fault, logIns]] of cases.entries()) {
    server.logIns = 0;
    const body = {
      key: `source${index}`,
      title: 'Base',
      kind: 'mariadb',
      settings: { ...settings, port: server.port, database: 'd', user: 'u' },
      secrets: { password: 'hidden-word' },
      statementTimeoutMs: 2_000,
    };
    const { id } = must(await inject('POST', '/v1/data-sources', { body }), 201);
    t.match(must(await inject('POST', `/v1/data-sources/${id}/test`), 200), { ok: false, fault }, name);
    t.equal(server.logIns, logIns, `${name}: ${logIns === 0 ? 'no credentials are' : 'a log-in is'} sent`);
  }
});
