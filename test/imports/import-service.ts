/** Importing through the front door, for the tests of imports. */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { Ask, TestService } from '../support/service.ts';

/** A connection that begins to send a file, as large as it says and no larger than it gets. */
export async function beginUpload(
  t: Pick<Test, 'teardown'>,
  service: Pick<TestService, 'app' | 'tenant'>,
  length: number,
): Promise<Socket> {
  if (!service.app.server.listening) await service.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = service.app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  const head = ['POST /v1/recipients/import HTTP/1.1', 'host: x', `authorization: Bearer ${service.tenant.key}`];
  socket.write([...head, 'content-type: text/csv', `content-length: ${length}`, '', ''].join('\r\n'));
  return socket;
}

/** Sends a file and lets the worker finish it. */
export async function importFile(
  service: Pick<TestService, 'inject' | 'work'>,
  content: string | Buffer,
  { type = 'text/csv', path = '/v1/recipients/import', ...ask }: Ask & { type?: string; path?: string } = {},
) {
  const headers = { 'content-type': type, ...ask.headers };
  const accepted = await service.inject('POST', path, { ...ask, payload: content, headers });
  if (accepted.status !== 202) return accepted.body;
  await service.work();
  return (await service.inject('GET', String(accepted.headers.location), ask.key ? { key: ask.key } : {})).body;
}

/** The same for NDJSON, one object each. */
export function importObjects(service: Pick<TestService, 'inject' | 'work'>, objects: readonly object[]) {
  const lines = objects.map((one) => `${JSON.stringify(one)}\n`).join('');
  return importFile(service, lines, { type: 'application/x-ndjson' });
}

/** What the API shows of a recipient. */
export async function recipientOf({ inject }: Pick<TestService, 'inject'>, type: string, externalId: string) {
  const answer = await inject('GET', `/v1/recipients/external:${type}:${encodeURIComponent(externalId)}`);
  return { ...answer.body, etag: answer.headers.etag, status: answer.status };
}
