import { connect } from 'node:net';
import t from 'tap';
import { startService } from '../support/service.ts';

t.test(
  'large bodies of one tenant wait unread while another fills its half of the room; small ones pass',
  { timeout: 60_000 },
  async (t) => {
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
    const other = await service.addTenant('Université');
    const base = `http://127.0.0.1:${address.port}`;
    const headersOf = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' });
    const small = () => fetch(`${base}/v1/senders`, { headers: headersOf(service.tenant.key) });
    // The first one is known to the server once it has answered what came after it.
    for (let turn = 0; turn < 5; turn += 1) t.equal((await small()).status, 200);

    let answered = false;
    const body = `{"name": "${'x'.repeat(size - 12)}"}`;
    const post = (key: string) => fetch(`${base}/v1/senders`, { method: 'POST', headers: headersOf(key), body });
    const second = post(service.tenant.key).then((answer) => {
      answered = true;
      return answer;
    });
    t.equal((await post(other.key)).status, 400, 'another tenant has its own half of the room');
    for (let turn = 0; turn < 30; turn += 1) t.equal((await small()).status, 200, 'a small request is answered');
    t.equal(answered, false, 'the second large one of the same tenant waits');
    first.destroy();
    t.equal((await second).status, 400, 'it is read when the first has gone');
  },
);
