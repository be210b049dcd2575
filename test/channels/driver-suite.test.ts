import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import Schema from 'typebox/schema';
import type { ChannelDriver, DriverDefinition, DriverEnvironment, Outcome } from '../../src/channels/channel.ts';
import { deliveryReasons } from '../../src/channels/delivery-reasons.ts';
import { drivers, findDriver } from '../../src/channels/drivers.ts';
import { judgeAddress, parseNetworks } from '../../src/networks.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';

/** What a driver's own test place offers: settings that work, and what has been received. */
interface Bench {
  settings: unknown;
  environment: DriverEnvironment;
  /** Bytes received so far for a recipient; null when the driver keeps none. */
  received: ((to: string) => Promise<Buffer[]>) | null;
}

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'driver-suite-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** One line for each driver; the suite refuses a driver without one. */
const benches: Record<string, (t: Test, environment: DriverEnvironment) => Promise<Bench>> = {
  smtp: async (t, environment) => {
    const sink = await startSmtpSink();
    t.teardown(() => sink.close());
    const received = async (to: string): Promise<Buffer[]> =>
      sink.mails.filter((mail) => mail.envelope.to[0] === to).map((mail) => mail.raw);
    return { settings: { host: '127.0.0.1', port: sink.port, security: 'none' }, environment, received };
  },
  outbox: async (_t, environment) => {
    const directory = join(environment.outboxDirectory, 'mail');
    const received = async (to: string): Promise<Buffer[]> =>
      Promise.all(
        (await readdir(directory))
          .filter((name) => name.endsWith(`--${to}.eml`))
          .map((name) => readFile(join(directory, name))),
      );
    return { settings: {}, environment, received };
  },
  simulator: async (_t, environment) => ({ settings: {}, environment, received: null }),
};

const STEPS = ['prepare', 'connect', 'tls', 'auth', 'sender', 'recipient', 'body', 'accepted'];
const KINDS = ['accepted', 'transient', 'permanent', 'account_fault', 'uncertain'];
const RAW = Buffer.from('Subject: x\r\n\r\n.\r\nfin\r\n');
const HOSTILE = ['', 'no-at', 'a@b.fr, c@d.fr', 'a@b.fr\r\nDATA', '../../x@b.fr/../c', 'x <a@b.fr>', '\u0000@b.fr'];

const handover = (to: string, messageId = '0198c0de-0000-7000-8000-000000000001') => ({
  messageId,
  from: 'from@sender.test',
  to,
  raw: [RAW],
  mayBegin: () => true,
});

function wellFormed(t: Test, outcome: Outcome, label: string): void {
  t.ok(
    KINDS.includes(outcome.kind) && STEPS.includes(outcome.answer.step),
    `${label}: ${outcome.kind} at ${outcome.answer.step}`,
  );
  if (outcome.kind !== 'accepted')
    t.ok(
      deliveryReasons.some((reason) => reason.code === outcome.reason),
      `${label}: ${outcome.reason} is a known reason`,
    );
}

async function ready(t: Test, definition: DriverDefinition): Promise<Bench & { driver: ChannelDriver }> {
  const environment = { outboxDirectory: await folder(t), allowedNetworks: ['127.0.0.0/8'], connections: 4 };
  const make = benches[definition.id];
  if (!make) throw new Error(`driver ${definition.id} has no bench`);
  const bench = await make(t, environment);
  const driver = definition.create(bench.settings, {}, bench.environment);
  t.teardown(() => driver.close());
  return { ...bench, driver };
}

for (const definition of drivers) {
  t.test(`driver ${definition.id}`, async (t) => {
    t.test('accepts a message, also for odd ids and addresses, and hands over its bytes', async (t) => {
      const { driver, received } = await ready(t, definition);
      const outcome = await driver.deliver(handover('someone@recipient.test'));
      wellFormed(t, outcome, 'delivery');
      t.equal(outcome.kind, 'accepted');
      t.equal(
        (await driver.deliver(handover(`${"o'x!#$%&*/=?^_`{|}~".repeat(3)}@recipient.test`, '../..//\u0000'))).kind,
        'accepted',
      );
      if (received) t.ok((await received('someone@recipient.test'))[0]?.equals(RAW));
    });

    t.test('resolves with a permanent outcome for what is not one address', async (t) => {
      const { driver } = await ready(t, definition);
      for (const to of HOSTILE)
        t.match(
          await driver.deliver(handover(to)),
          { kind: 'permanent', reason: 'address_invalid', suppressAddress: false },
          JSON.stringify(to),
        );
    });

    t.test('puts the pieces of a message together, wherever it was cut', async (t) => {
      const { driver, received } = await ready(t, definition);
      for (let cut = 1; cut < RAW.length; cut += 1) {
        const to = `cut-${cut}@recipient.test`;
        const raw = [RAW.subarray(0, cut), RAW.subarray(cut)];
        t.equal((await driver.deliver({ ...handover(to), raw })).kind, 'accepted');
        if (received) t.strictSame(await received(to), [RAW], `cut at ${cut}`);
      }
    });

    t.test('keeps messages apart when many are under way', async (t) => {
      const { driver, received } = await ready(t, definition);
      const names = Array.from({ length: 40 }, (_, index) => `person-${index}@recipient.test`);
      const outcomes = await Promise.all(
        names.map((to, index) => driver.deliver({ ...handover(to), raw: [Buffer.from(`number ${index}\r\n`)] })),
      );
      t.ok(outcomes.every((outcome) => outcome.kind === 'accepted'));
      if (received)
        for (const [index, to] of names.entries())
          t.strictSame((await received(to)).map(String), [`number ${index}\r\n`]);
    });

    t.test('verifies without sending, closes twice, and still resolves after', async (t) => {
      const { driver, received } = await ready(t, definition);
      t.equal((await driver.verify()).kind, 'accepted');
      if (received) t.strictSame(await received('someone@recipient.test'), []);
      await Promise.all([driver.close(), driver.close()]);
      await driver.close();
      wellFormed(t, await driver.deliver(handover('late@recipient.test')), 'after close');
    });

    t.test('describes itself: schemas that take its settings and refuse unknown ones', async (t) => {
      const { settings } = await ready(t, definition);
      t.ok(Schema.Compile(definition.settings).Check(settings));
      t.notOk(Schema.Compile(definition.settings).Check({ ...(settings as object), surprise: 1 }));
      t.notOk(Schema.Compile(definition.secrets).Check({ surprise: 1 }));
      t.equal(findDriver(definition.id), definition);
    });
  });
}

t.test('ids are unique, an unknown one is undefined, only smtp reaches people', async (t) => {
  t.equal(new Set(drivers.map((driver) => driver.id)).size, drivers.length);
  t.equal(findDriver('pigeon'), undefined);
  t.strictSame(
    drivers.filter((driver) => driver.reachesPeople).map((driver) => driver.id),
    ['smtp'],
  );
});

t.test('outbox: the same message twice is one file, and nothing half-written stays', async (t) => {
  const outboxDirectory = await folder(t);
  const driver = findDriver('outbox')?.create(
    { folder: 'night' },
    {},
    { outboxDirectory, allowedNetworks: [], connections: 1 },
  );
  for (let index = 0; index < 3; index += 1) await driver?.deliver(handover('Some.One@Recipient.TEST'));
  await driver?.deliver(handover(`${'l'.repeat(64)}@${'d'.repeat(60)}.${'e'.repeat(60)}.${'f'.repeat(60)}.fr`));
  const names = await readdir(join(outboxDirectory, 'night'));
  t.equal(names.length, 2);
  t.ok(names.includes('0198c0de-0000-7000-8000-000000000001--some.one@recipient.test.eml'), names.join());
  t.ok(names.every((name) => Buffer.byteLength(name) <= 255));
});

t.test('outbox: a folder that cannot be written is a transient outcome', async (t) => {
  const outboxDirectory = join(await folder(t), 'file');
  await writeFile(outboxDirectory, 'not a folder');
  const driver = findDriver('outbox')?.create({}, {}, { outboxDirectory, allowedNetworks: [], connections: 1 });
  t.match(await driver?.deliver(handover('a@b.fr')), { kind: 'transient', reason: 'outbox_unwritable' });
  t.match(await driver?.verify(), { kind: 'transient', reason: 'outbox_unwritable' });
});

t.test('simulator: the name decides', async (t) => {
  const driver = findDriver('simulator')?.create({}, {}, { outboxDirectory: '', allowedNetworks: [], connections: 1 });
  for (const [name, kind] of [
    ['permanent', 'permanent'],
    ['transient', 'transient'],
    ['account-fault', 'account_fault'],
    ['uncertain', 'uncertain'],
    ['permanently', 'accepted'],
  ] as const) {
    const outcome = await driver?.deliver(handover(`Simulate-${name}@anywhere.test`));
    t.equal(outcome?.kind, kind, name);
    if (outcome) wellFormed(t, outcome, name);
  }
});

t.test('addresses: public, allowed and refused', async (t) => {
  const allowed = parseNetworks(['10.1.0.0/16', 'fd00::1']);
  for (const address of ['8.8.8.8', '::ffff:8.8.8.8', '2606:4700::1111', '172.32.0.1', '100.128.0.1'])
    t.equal(judgeAddress(address, allowed), 'public', address);
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '::ffff:a01:203', 'fd00::1'])
    t.equal(judgeAddress(address, allowed), 'allowed', address);
  for (const address of [
    '10.2.0.1',
    '::ffff:10.2.0.1',
    'fd00::2',
    '::1',
    '::',
    '::127.0.0.1',
    'fe80::1',
    'ff02::1',
    '172.31.255.255',
    '192.168.0.1',
    '255.255.255.255',
    '2002:7f00:1::',
    'localhost',
    '',
  ]) {
    t.equal(judgeAddress(address, allowed), 'refused', address);
  }
  for (const wrong of ['10.0.0.0/33', '10.0.0/8', 'x', '', '10.0.0.0/8/8', '::/129', '10.0.0.0/-1'])
    t.throws(() => parseNetworks([wrong]), TypeError, wrong);
});
