import t from 'tap';
import { brief, driverFor, send, sinkFor } from '../support/smtp-driver.ts';
import { type SinkAction, type SinkStep, startSmtpSink } from '../support/smtp-sink.ts';

t.test('a mail arrives with its envelope, over a connection that is used again', async (t) => {
  const sink = await sinkFor(t);
  const driver = driverFor(t, sink.port, { connections: 1 });
  for (const name of ['a', 'b', 'c'])
    t.match(await send(driver, `${name}@recipient.test`), {
      kind: 'accepted',
      answer: { step: 'accepted', code: 250 },
    });
  t.strictSame(
    sink.mails.map((mail) => mail.envelope),
    ['a', 'b', 'c'].map((name) => ({ from: 'from@sender.test', to: [`${name}@recipient.test`] })),
  );
  t.equal(sink.connections(), 1);
});

t.test('a connection is changed after its share of messages', async (t) => {
  const sink = await sinkFor(t);
  const driver = driverFor(t, sink.port, { connections: 1, settings: { messagesPerConnection: 2 } });
  for (let index = 0; index < 5; index += 1) await send(driver);
  t.equal(sink.mails.length, 5);
  t.equal(sink.connections(), 3);
});

t.test('bytes arrive unchanged: dots, lines of 998, eight bits, no header added', async (t) => {
  const sink = await sinkFor(t);
  const raw = Buffer.concat([
    Buffer.from('X-Only: header\r\n\r\n.\r\n..\r\n.leading dot\r\n\r\n'),
    Buffer.from(`${'x'.repeat(998)}\r\n.${'y'.repeat(997)}\r\n`),
    Buffer.from([0xc3, 0xa9, 0xff, 0x80, 0x00, 0x0d, 0x0a]),
    Buffer.from('From: not a header\r\n.\r\n'),
  ]);
  for (const pipelining of [true, false]) {
    const other = pipelining ? sink : await sinkFor(t, { pipelining });
    t.equal((await send(driverFor(t, other.port), 'to@recipient.test', raw)).kind, 'accepted');
    t.ok(other.mails[0]?.raw.equals(raw), `pipelining ${pipelining}`);
  }
});

t.test('STARTTLS, implicit TLS and their refusals', async (t) => {
  const starttls = await sinkFor(t, { tls: 'starttls' });
  const implicit = await sinkFor(t, { tls: 'implicit' });
  const plain = await sinkFor(t);
  const trusted = (security: string, host = 'localhost') => ({
    settings: { host, security, certificateAuthority: plain.certificateAuthority },
  });

  for (const host of ['localhost', '127.0.0.1']) {
    t.equal((await send(driverFor(t, starttls.port, trusted('starttls', host)))).kind, 'accepted', `starttls ${host}`);
    t.equal((await send(driverFor(t, implicit.port, trusted('tls', host)))).kind, 'accepted', `tls ${host}`);
  }
  t.ok([...starttls.mails, ...implicit.mails].every((mail) => mail.secure));

  const fault = 'account_fault tls_failed tls';
  t.equal(
    brief(await send(driverFor(t, plain.port, trusted('starttls')))),
    fault,
    'no STARTTLS offered: never in the clear',
  );
  t.equal(brief(await send(driverFor(t, plain.port, trusted('tls')))), fault, 'TLS against a plain server');
  t.equal(
    brief(await send(driverFor(t, starttls.port, { settings: { security: 'starttls' } }))),
    fault,
    'unknown authority, STARTTLS',
  );
  t.equal(
    brief(await send(driverFor(t, implicit.port, { settings: { security: 'tls' } }))),
    fault,
    'unknown authority, TLS',
  );
  t.equal(plain.mails.length, 0);
});

t.test('log-in: right, wrong, missing, not offered, and never in a text', async (t) => {
  const auth = { user: 'robot', password: 's3cret-s3cret' };
  const respond = (step: SinkStep): SinkAction | undefined =>
    step === 'auth' ? { code: 535, text: '5.7.8 robot with s3cret-s3cret refused by 127.0.0.1 for x@y.fr' } : undefined;
  const sink = await sinkFor(t, { auth });
  const user = { settings: { user: auth.user } };

  t.equal((await send(driverFor(t, sink.port, { ...user, password: auth.password }))).kind, 'accepted');
  t.equal(
    (
      await send(
        driverFor(t, sink.port, { settings: { user: auth.user, authMethod: 'LOGIN' }, password: auth.password }),
      )
    ).kind,
    'accepted',
  );
  t.strictSame(
    sink.mails.map((mail) => mail.user),
    ['robot', 'robot'],
  );

  const fault = 'account_fault authentication_failed auth';
  t.equal(brief(await send(driverFor(t, sink.port, { ...user, password: 'wrong' }))), fault);
  t.equal(brief(await driverFor(t, sink.port, { ...user, password: 'wrong' }).verify()), fault);
  t.equal(brief(await send(driverFor(t, sink.port, user))), fault, 'a user without a password');
  t.equal(
    brief(await send(driverFor(t, (await sinkFor(t)).port, { ...user, password: 'x' }))),
    fault,
    'AUTH not offered',
  );
  t.equal(
    brief(await send(driverFor(t, sink.port))),
    'account_fault authentication_failed sender',
    'no log-in where one is required',
  );

  const talkative = await send(
    driverFor(t, (await sinkFor(t, { auth, respond })).port, { ...user, password: auth.password }),
  );
  t.equal(talkative.answer.text, '… with … refused by … for …');
  t.equal(sink.mails.length, 2);
});

t.test('an answer larger than the server announced is refused before it is sent', async (t) => {
  const sink = await sinkFor(t, { size: 100 });
  t.match(await send(driverFor(t, sink.port), 'to@recipient.test', Buffer.alloc(200, 'x')), {
    kind: 'permanent',
    reason: 'message_too_large',
  });
});

t.test('never more connections than allowed', async (t) => {
  let now = 0;
  let most = 0;
  const sink = await sinkFor(t, {
    respond: (step) => {
      if (step === 'mail') now += 1;
      most = Math.max(most, now);
      if (step === 'body') now -= 1;
      return step === 'body' ? { delayMs: 5 } : undefined;
    },
  });
  const driver = driverFor(t, sink.port, { connections: 3 });
  await Promise.all(Array.from({ length: 30 }, () => send(driver)));
  t.equal(sink.mails.length, 30);
  t.equal(sink.connections(), 3);
  t.ok(most <= 3 && most > 1, `${most} at a time`);
});

t.test('a connection the server ended while it was idle costs nothing', async (t) => {
  for (const action of ['cut', { code: 421, text: '4.4.2 idle too long' }] as const) {
    const sink = await sinkFor(t, {
      respond: (step, { connection }) =>
        step === 'mail' && connection === 1 && sink.mails.length === 1 ? action : undefined,
    });
    const driver = driverFor(t, sink.port, { connections: 1 });
    t.equal((await send(driver)).kind, 'accepted');
    t.equal((await send(driver)).kind, 'accepted');
    t.equal(sink.connections(), 2);
    t.equal(sink.mails.length, 2);
  }
});

t.test('private and loopback servers are refused, under any spelling, and nothing connects', async (t) => {
  const sink = await sinkFor(t);
  for (const host of [
    '127.0.0.1',
    'localhost',
    '127.1',
    '0x7f000001',
    '2130706433',
    '::1',
    '::ffff:127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '0.0.0.0',
    'fe80::1',
    '224.0.0.1',
    '100.64.0.1',
    '64:ff9b::7f00:1',
  ]) {
    const outcome = await send(driverFor(t, sink.port, { settings: { host }, allowedNetworks: ['192.168.7.0/24'] }));
    t.equal(brief(outcome), 'account_fault host_not_allowed connect', host);
    t.equal(outcome.answer.text, null);
  }
  t.equal(sink.connections(), 0);
  t.equal(
    (await send(driverFor(t, sink.port, { settings: { host: '127.1' } }))).kind,
    'accepted',
    'allowed by its network',
  );
});

t.test('a server that is not there, or has no name', async (t) => {
  const sink = await startSmtpSink();
  await sink.close();
  t.equal(brief(await send(driverFor(t, sink.port))), 'transient connection_failed connect');
  t.equal(
    brief(await send(driverFor(t, sink.port, { settings: { host: 'no-such-host.invalid' } }))),
    'transient connection_failed connect',
  );
});

t.test('what is not one address reaches no server', async (t) => {
  const sink = await sinkFor(t);
  const driver = driverFor(t, sink.port);
  for (const to of ['b@x.fr, evil@y.fr', 'x <b@x.fr>', 'b@x.fr>\r\nRCPT TO:<evil@y.fr', ''])
    t.match(await send(driver, to), { kind: 'permanent', reason: 'address_invalid', suppressAddress: false });
  t.match(
    await driver.deliver({
      messageId: 'm',
      from: 'a@b.fr> SIZE=1',
      to: 'a@b.fr',
      raw: [Buffer.from('x')],
      mayBegin: () => true,
    }),
    {
      kind: 'permanent',
      reason: 'sender_refused',
    },
  );
  t.equal(sink.connections(), 0);
});

t.test('what may not begin any more when the connection is there is not said to the server', async (t) => {
  const sink = await sinkFor(t);
  const driver = driverFor(t, sink.port, { connections: 1 });
  const handover = { messageId: 'm', from: 'a@b.fr', to: 'a@b.fr', raw: [Buffer.from('x')] };
  await driver.deliver({ ...handover, mayBegin: () => false });
  t.strictSame(sink.mails, []);
  t.equal((await driver.deliver({ ...handover, mayBegin: () => true })).kind, 'accepted');
  t.strictSame(
    sink.mails.map(({ connection }) => connection),
    [1],
    'over the connection that was made for the first',
  );
});

t.test('close lets what runs finish and leaves no connection', async (t) => {
  const sink = await sinkFor(t, { respond: (step) => (step === 'body' ? { delayMs: 50 } : undefined) });
  const driver = driverFor(t, sink.port);
  const running = [send(driver), send(driver), send(driver)];
  await driver.close();
  t.strictSame(
    (await Promise.all(running)).map((outcome) => outcome.kind),
    ['accepted', 'accepted', 'accepted'],
  );
  t.equal((await send(driver)).kind, 'transient', 'after close nothing is sent');
  t.equal(sink.mails.length, 3);
});
