import { connect } from 'node:net';
import t from 'tap';
import { startService } from '../support/service.ts';

t.test('large bodies wait unread while others fill the room; small ones pass', { timeout: 60_000 }, async (t) => {
  const service = await startService(t);
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  const address = service.app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const size = 32 * 1024 * 1024 - 1_000;
  const head = [
    'POST /v1/senders HTTP/1.1',
    'Host: 127.0.0.1',
    `Authorization: Bearer ${service.tenant.key}`,
    'Content-Type: application/json',
    `Content-Length: ${size}`,
    'Connection: close',
    '\r\n',
  ].join('\r\n');

  /** A caller that announces a large body and sends the first bytes of it only. */
  const begin = async () => {
    const socket = connect(address.port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.write(`${head}{"name": "`, resolve));
    return socket;
  };
  const first = await begin();
  await begin();
  const base = `http://127.0.0.1:${address.port}`;
  const headers = { authorization: `Bearer ${service.tenant.key}`, 'content-type': 'application/json' };
  const small = () => fetch(`${base}/v1/senders`, { headers });
  // Both are known to the server once it has answered what came after them.
  for (let turn = 0; turn < 5; turn += 1) t.equal((await small()).status, 200);

  let answered = false;
  const body = `{"name": "${'x'.repeat(size - 12)}"}`;
  const third = fetch(`${base}/v1/senders`, { method: 'POST', headers, body }).then((answer) => {
    answered = true;
    return answer;
  });
  for (let turn = 0; turn < 30; turn += 1) t.equal((await small()).status, 200, 'a small request is answered');
  t.equal(answered, false, 'the third large one waits');
  first.destroy();
  t.equal((await third).status, 400, 'it is read when another has gone');
});
