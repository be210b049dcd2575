import t from 'tap';
import { act, client, done, edit, mailsTo, read, startBroker, statusesOf } from '../../support/broker.ts';

t.test('W4 · the rhythm is set on the account, shown there, and none by default', async (t) => {
  const { service, accountId } = await startBroker(t);
  const path = `/v1/channel-accounts/${accountId}`;
  const none = { waitAfterSendMs: 0, waitWhenIdleMs: 0, waitAfterErrorMs: 0, maxPerMinute: null };
  t.match((await service.inject('GET', path)).body.rhythm, none);
  const rhythm = { waitAfterSendMs: 800, waitWhenIdleMs: 10_000, waitAfterErrorMs: 60_000 };
  const { headers } = await service.inject('GET', path);
  await done(service.inject('PATCH', path, { body: { rhythm }, headers: { 'if-match': String(headers.etag) } }));
  t.match((await service.inject('GET', path)).body.rhythm, rhythm);
});

t.test('W4 · a paused account lets nothing leave and loses nothing', async (t) => {
  const { service, sink, accountId } = await startBroker(t, { archiveBcc: [] });
  const ids = await edit(service, [client(1), client(2), client(3)]);
  await act(service, 'validate', ids.slice(0, 2));
  const path = `/v1/channel-accounts/${accountId}`;
  const paused = await done(service.inject('POST', `${path}/pause`, { body: { reason: 'Mise à jour de la base' } }));
  t.match(paused, { pausedAt: String, pauseReason: 'Mise à jour de la base' });
  await act(service, 'validate', ids.slice(2));
  await service.work();
  service.clock.advance(3_600_000);
  await service.work();
  t.same(sink.mails, []);
  t.same(await statusesOf(service, ids), ['V', 'V', 'V'], 'what was validated before and during the pause waits');
  await done(service.inject('POST', `${path}/resume`, { body: {} }));
  await service.work();
  t.same(await statusesOf(service, ids), ['OK', 'OK', 'OK']);
  t.equal(sink.mails.length, 3, 'each once');
});

t.test('W4 · without a wait after each send, an error still stops the account for its 60 s', async (t) => {
  let refusals = 1;
  const { service, sink } = await startBroker(t, {
    archiveBcc: [],
    rhythm: { waitAfterErrorMs: 60_000, concurrency: 1 },
    respond: (step) => (step === 'rcpt' && refusals-- > 0 ? { code: 451, text: '4.3.0 Not now' } : undefined),
  });
  const ids = await edit(
    service,
    [1, 2, 3, 4, 5, 6].map((n) => client(n)),
  );
  await act(service, 'validate', ids);
  const validatedAt = service.clock.now().getTime();
  await service.work();
  t.equal(sink.mails.length, 0, 'none was handed over after the error');
  // A slot that is two seconds away is waited for, and the test's clock moves with the wait.
  service.clock.set(new Date(validatedAt + 57_000));
  await service.work();
  t.equal(sink.mails.length, 0, 'nothing for 60 s');
  service.clock.set(new Date(validatedAt + 140_000));
  await service.work();
  t.equal(sink.mails.length, 6);
  t.same(new Set(await statusesOf(service, ids)), new Set(['OK']));
});

t.test('W4 · a refused log-in pauses the account at once and costs no notice a try', async (t) => {
  let wrong = true;
  let tries = 0;
  const { service, sink, accountId } = await startBroker(t, {
    archiveBcc: [],
    rhythm: { concurrency: 1 },
    respond(step) {
      if (step !== 'auth' || !wrong) return undefined;
      tries += 1;
      return { code: 535, text: '5.7.8 Authentication credentials invalid' };
    },
  });
  const ids = await edit(
    service,
    [1, 2, 3, 4, 5, 6].map((n) => client(n)),
  );
  await act(service, 'validate', ids);
  await service.work();
  const path = `/v1/channel-accounts/${accountId}`;
  t.match((await service.inject('GET', path)).body, { pausedAt: String, pauseReason: 'authentication_failed' });
  t.ok(tries <= 2, `a locked-out account must not be: ${tries} log-ins were tried`);
  for (const id of ids) t.match(await read(service, id), { status: 'V', delivery: 'waiting', attemptCount: 0 });
  wrong = false;
  await done(service.inject('POST', `${path}/resume`, { body: {} }));
  await service.work();
  t.same(new Set(await statusesOf(service, ids)), new Set(['OK']));
  t.equal(mailsTo(sink, 'client.1@courriel.example').length, 1);
});
