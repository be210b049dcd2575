import { type AddressInfo, createServer, type Socket } from 'node:net';
import t from 'tap';
import { brief, driverFor, send, sinkFor } from '../support/smtp-driver.ts';
import type { SinkAction, SinkStep } from '../support/smtp-sink.ts';

t.test('an answer at each step is that step’s outcome', async (t) => {
  const rows: [step: SinkStep, code: number, text: string, expected: string][] = [
    ['connect', 421, '4.3.2 try later', 'transient provider_unavailable connect'],
    ['connect', 554, '5.7.1 no service here', 'account_fault client_blocked connect'],
    ['mail', 550, '5.1.8 sender refused', 'permanent sender_refused sender'],
    ['mail', 421, '4.7.0 later', 'transient policy_refused sender'],
    ['rcpt', 550, '5.1.1 user unknown', 'permanent mailbox_unknown recipient'],
    ['rcpt', 450, '4.2.0 Greylisted, try again in 5 minutes', 'transient greylisted recipient'],
    ['rcpt', 421, '4.3.2 closing', 'transient provider_unavailable recipient'],
    ['data', 451, '4.3.0 not now', 'transient provider_unavailable body'],
    ['body', 554, '5.6.0 content refused', 'permanent content_refused body'],
    ['body', 452, '4.3.1 no space', 'transient provider_unavailable body'],
    ['body', 421, '4.3.2 closing', 'transient provider_unavailable body'],
  ];
  const one = async ([step, code, text, expected]: (typeof rows)[number], pipelining: boolean): Promise<void> => {
    const sink = await sinkFor(t, { pipelining, respond: (at) => (at === step ? { code, text } : undefined) });
    const outcome = await send(driverFor(t, sink.port));
    t.equal(brief(outcome), expected, `${step} ${code} pipelining ${pipelining}`);
    t.match(outcome.answer, { code, enhancedCode: text.slice(0, 5) });
    t.equal(sink.mails.length, 0);
    if (text.includes('minutes')) t.match(outcome, { retryAfterSeconds: 300 });
  };
  await Promise.all(rows.flatMap((row) => [one(row, true), one(row, false)]));
});

t.test('silence and cut at each step: transient before the final dot, uncertain after it', async (t) => {
  const auth = { user: 'u', password: 'p' };
  const account = { settings: { user: 'u' }, password: 'p' };
  const before = {
    connect: 'connect',
    ehlo: 'connect',
    auth: 'auth',
    mail: 'sender',
    rcpt: 'recipient',
    data: 'body',
  } as const;
  const rows: [SinkStep, SinkAction, expected: string, taken: number][] = Object.entries(before).flatMap(
    ([step, name]) => [
      [step as SinkStep, 'hang', `transient timed_out ${name}`, 0],
      [step as SinkStep, 'cut', `transient ${name === 'connect' ? 'connection_failed' : 'connection_lost'} ${name}`, 0],
    ],
  );
  for (const action of ['hang', 'cut', 'takeAndHang', 'takeAndCut'] as const)
    rows.push(['body', action, 'uncertain outcome_unknown body', action.startsWith('take') ? 1 : 0]);
  const one = async ([step, action, expected, taken]: (typeof rows)[number], pipelining: boolean): Promise<void> => {
    const sink = await sinkFor(t, { pipelining, auth, respond: (at) => (at === step ? action : undefined) });
    t.equal(
      brief(await send(driverFor(t, sink.port, account))),
      expected,
      `${step} ${action} pipelining ${pipelining}`,
    );
    t.equal(sink.mails.length, taken);
  };
  await Promise.all(rows.flatMap((row) => [one(row, true), one(row, false)]));
});

t.test('over TLS too: silence at the handshake, in the middle of the content, after it', async (t) => {
  const big = Buffer.from(`Subject: big\r\n\r\n${`${'z'.repeat(76)}\r\n`.repeat(260_000)}`);
  for (const [step, action, expected] of [
    ['starttls', 'hang', 'transient timed_out tls'],
    ['starttls', 'cut', 'transient connection_lost tls'],
    ['bodyStart', 'cut', 'transient connection_lost body'],
    ['bodyStart', 'hang', 'transient timed_out body'],
    ['body', 'takeAndCut', 'uncertain outcome_unknown body'],
  ] as const) {
    const sink = await sinkFor(t, { tls: 'starttls', respond: (at) => (at === step ? action : undefined) });
    const driver = driverFor(t, sink.port, {
      settings: { security: 'starttls', certificateAuthority: sink.certificateAuthority },
    });
    t.equal(brief(await send(driver, 'to@recipient.test', big)), expected, `${step} ${action}`);
  }
});

t.test('content cut or stalled half-way was not delivered', async (t) => {
  const big = Buffer.from(`Subject: big\r\n\r\n${`${'z'.repeat(76)}\r\n`.repeat(260_000)}`);
  for (const [action, expected] of [
    ['cut', 'transient connection_lost body'],
    ['hang', 'transient timed_out body'],
  ] as const) {
    const sink = await sinkFor(t, { respond: (at) => (at === 'bodyStart' ? action : undefined) });
    t.equal(brief(await send(driverFor(t, sink.port), 'to@recipient.test', big)), expected);
    t.equal(sink.mails.length, 0);
  }
});

t.test('a server that keeps talking without answering is ended by the limit of a delivery', async (t) => {
  const sockets: Socket[] = [];
  const chatty = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    const timer = setInterval(() => socket.write('220-still here\r\n'), 50);
    socket.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => chatty.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    chatty.close();
  });
  const driver = driverFor(t, (chatty.address() as AddressInfo).port, {
    settings: { timeouts: { greetingSeconds: 20, deliverySeconds: 0.5 } },
  });
  t.equal(brief(await send(driver)), 'transient timed_out connect');
});

t.test('ten at a time with mixed outcomes: each message gets its own, one recipient each', async (t) => {
  const kinds = ['ok', 'unknown', 'grey', 'refused', 'hang', 'cut', 'lost', 'stuck'] as const;
  const expected: Record<(typeof kinds)[number], string> = {
    ok: 'accepted - accepted',
    unknown: 'permanent mailbox_unknown recipient',
    grey: 'transient greylisted recipient',
    refused: 'permanent content_refused body',
    hang: 'transient timed_out recipient',
    cut: 'transient connection_lost recipient',
    lost: 'uncertain outcome_unknown body',
    stuck: 'uncertain outcome_unknown body',
  };
  const respond = (step: SinkStep, { to, command }: { to: string[]; command: string }): SinkAction | undefined => {
    const kind = (/^RCPT TO:<([a-z]+)/.exec(command)?.[1] ?? to[0] ?? '').replace(/[-@\d].*$/, '');
    if (step === 'rcpt')
      return (
        {
          unknown: { code: 550, text: '5.1.1 user unknown' },
          grey: { code: 450, text: '4.7.1 Greylisted' },
          hang: 'hang',
          cut: 'cut',
        } as const
      )[kind as 'grey'];
    if (step === 'body')
      return ({ refused: { code: 554, text: '5.7.1 spam' }, lost: 'takeAndCut', stuck: 'takeAndHang' } as const)[
        kind as 'lost'
      ];
    return undefined;
  };
  const round = async (pipelining: boolean): Promise<void> => {
    const sink = await sinkFor(t, { pipelining, respond });
    const driver = driverFor(t, sink.port, { connections: 10 });
    const names = Array.from({ length: 80 }, (_, index) => kinds[index % kinds.length] as (typeof kinds)[number]);
    let busiest = 0;
    const outcomes = await Promise.all(
      names.map(async (kind, index) => {
        const outcome = await send(
          driver,
          `${kind}-${index}@recipient.test`,
          Buffer.from(`Subject: ${kind}-${index}\r\n\r\n${'x'.repeat(index * 50)}\r\n`),
        );
        busiest = Math.max(busiest, sink.openConnections());
        return brief(outcome);
      }),
    );
    t.strictSame(
      outcomes,
      names.map((kind) => expected[kind]),
      `pipelining ${pipelining}`,
    );
    t.ok(
      sink.mails.every(
        (mail) =>
          mail.envelope.to.length === 1 &&
          mail.raw.toString().startsWith(`Subject: ${mail.envelope.to[0]?.split('@')[0]}\r\n`),
      ),
    );
    t.equal(sink.mails.length, 30, 'what was accepted, and what was taken without an answer');
    t.ok(busiest > 1, 'several connections at a time');
  };
  await Promise.all([round(true), round(false)]);
});
