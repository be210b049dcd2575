import { sql } from 'drizzle-orm';
import t from 'tap';
import { sequenceEvents } from '../../src/events/sequence.ts';
import { platformKey, startService } from '../support/service.ts';
import { makeNotices } from './notices.ts';

/** All that is personal or secret below has one of these in it: none may reach a log. */
const personal =
  /hérouville|jeanne|courriel\.example|courtage\.example|secret|confidentiel|dossier-9|mmartin|échéance/i;

t.test('a whole sending leaves log lines of ids, codes and durations only', async (t) => {
  const logLines: string[] = [];
  const service = await startService(t, { logLines });
  const { inject, tenant } = service;
  const notices = await makeNotices(service);
  const account = await inject('POST', '/v1/channel-accounts', {
    body: {
      name: 'SMTP',
      channel: 'mail',
      driver: 'smtp',
      settings: { host: '127.0.0.1', port: 1, security: 'none', user: 'robot' },
      secrets: { password: 'mot-secret-1' },
      isDefault: false,
    },
  });
  t.equal(account.status, 201);
  await inject('POST', `/v1/channel-accounts/${account.body.id}/test`);
  await inject('PUT', '/v1/recipients/external:client:dossier-9', {
    body: { displayName: 'Jeanne D’Hérouville', addresses: [{ kind: 'mail', value: 'jeanne@courriel.example' }] },
  });
  const options = {
    validation: 'automatic',
    context: { type: 'dossier', ref: 'dossier-9' },
    requestedBy: { user: 'mmartin' },
    overrides: { text: 'Texte confidentiel' },
  };
  const [sent = ''] = await notices.send(['jeanne@courriel.example'], options);
  const tests = await inject('POST', '/v1/send-requests', {
    key: tenant.testKey,
    body: {
      template: 'avis',
      validation: 'automatic',
      recipients: ['simulate-permanent', 'simulate-transient', 'simulate-uncertain', 'pas une adresse de jeanne'].map(
        (name) => ({
          to: { address: `${name}@courriel.example`, name: 'Jeanne D’Hérouville' },
          data: { nom: 'Jeanne', contrat: 'secret-2' },
        }),
      ),
    },
    headers: { 'idempotency-key': 'secret-key-3' },
  });
  t.equal(tests.status, 201);
  await service.work();
  t.match((await notices.message(sent)).body, { status: 'OK' });

  // Faults of callers: in the path, the query, the headers and the body.
  await inject('GET', '/v1/messages?address=jeanne@courriel.example&context=dossier-9');
  await inject('GET', '/v1/messages?adresse=jeanne@courriel.example');
  await inject('GET', '/v1/jeanne@courriel.example?secret=1');
  await inject('GET', '/v1/recipients/external:client:jeanne@courriel.example');
  await inject('GET', '/v1/messages', { key: 'live_secret', headers: { 'on-behalf-of': 'mmartin' } });
  await inject('POST', '/v1/send-requests', {
    payload: '{"to": "jeanne@courriel.example',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'secret-4' },
  });
  await notices.correct(sent, { to: { address: 'jeanne d’hérouville@courriel.example' } });

  const lines = logLines.map((line) => JSON.parse(line));
  t.ok(lines.every(({ msg }) => typeof msg === 'string'));
  t.same(
    logLines.filter((line) => personal.test(line)),
    [],
  );
  for (const key of [tenant.key, tenant.testKey, platformKey, service.runtime.config.secretsKeys[0] ?? '']) {
    t.notOk(logLines.some((line) => line.includes(key)));
  }
  const answered = lines.filter(({ msg }) => msg === 'request.answered');
  t.match(answered[0], {
    level: 30,
    requestId: String,
    method: 'POST',
    route: '/v1/senders',
    status: 201,
    durationMs: Number,
    tenantId: tenant.id,
    keyId: String,
  });
  t.ok(
    answered.some(({ route, status }) => route === '/v1/recipients/:id' && status === 404),
    'a route is its pattern, not its path',
  );
  t.ok(answered.some(({ route, status }) => route === null && status === 404));
  const attempts = lines.filter(({ msg }) => msg === 'message.attempted');
  t.same(new Set(attempts.map(({ outcome }) => outcome)), new Set(['accepted', 'permanent', 'transient', 'uncertain']));
  t.match(
    attempts.find(({ messageId }) => messageId === sent),
    {
      tenantId: tenant.id,
      sendRequestId: String,
      channel: 'mail',
      driver: 'outbox',
      attempt: 1,
      outcome: 'accepted',
      durationMs: Number,
    },
  );
});

t.test('an error of the database is logged by its code, without what the query was about', async (t) => {
  const logLines: string[] = [];
  const service = await startService(t, { logLines });
  const { inject, runtime } = service;
  const notices = await makeNotices(service);
  const [id = ''] = await notices.send(['jeanne@courriel.example'], { validation: 'automatic' });
  const ask = () =>
    inject('POST', '/v1/send-requests', {
      body: {
        template: 'avis',
        recipients: [
          {
            to: { address: 'jeanne@courriel.example', name: 'Jeanne D’Hérouville' },
            data: { nom: 'Jeanne', contrat: 'secret' },
          },
        ],
        context: { type: 'dossier', ref: 'dossier-9' },
      },
      headers: { 'idempotency-key': 'secret-5' },
    });
  const rename = (from: string, to: string) =>
    runtime.db.execute(sql`alter table ${sql.identifier(from)} rename to ${sql.identifier(to)}`);

  // The statement that fails holds the rows themselves, as its parameters.
  await rename('messages', 'messages_away');
  const failed = await ask();
  t.match(failed, { status: 500, body: { code: 'internal', title: 'An unexpected fault.' } });
  t.notOk('detail' in failed.body);
  t.notMatch(
    JSON.stringify(failed.body),
    /messages|relation|select|insert|42P01|\.ts/i,
    'nothing of the inside is shown',
  );
  await rename('messages_away', 'messages');
  // The row that breaks a constraint is in PostgreSQL's detail.
  await runtime.db.execute(sql`alter table messages add constraint nobody check (to_name is null) not valid`);
  t.match(await ask(), { status: 500, body: { code: 'internal' } });
  await runtime.db.execute(sql`alter table messages drop constraint nobody`);

  // What a worker meets: the mail is out, and the outcome cannot be written.
  await rename('transitions', 'transitions_away');
  await service.work().catch(() => undefined);
  await rename('transitions_away', 'transitions');
  t.not((await notices.message(id)).body.status, 'OK');
  await sequenceEvents(runtime);
  t.match(await ask(), { status: 201 }, 'the same key serves once it works again');

  t.same(
    logLines.filter((line) => personal.test(line)),
    [],
  );
  const lines = logLines.map((line) => JSON.parse(line));
  const faults = lines.filter(({ level }) => level >= 50);
  t.match(
    faults.filter(({ msg }) => msg === 'request.failed'),
    [
      {
        requestId: String,
        route: '/v1/send-requests',
        err: { message: 'database error 42P01', code: '42P01', stack: /at / },
      },
      { err: { message: 'database error 23514', constraint: 'nobody' } },
    ],
  );
  t.ok(
    faults.some(({ msg }) => String(msg).startsWith('dispatch.')),
    'the worker says it too',
  );
});
