import t from 'tap';
import { act, change, client, done, edit, mailsTo, opened, read, sender, startBroker } from '../../support/broker.ts';

const headerNames = (raw: Buffer | undefined): string[] =>
  (String(raw).split('\r\n\r\n', 1)[0] ?? '')
    .split(/\r\n(?![ \t])/)
    .map((line) => line.split(':', 1)[0]?.toLowerCase() ?? '');

t.test('W3 · the sender is set once: address, name, reply-to, and archive addresses in bcc', async (t) => {
  const archives = ['archives@courtage-dupont.example', 'audit@courtage-dupont.example'];
  const { service, sink } = await startBroker(t, { archiveBcc: archives });
  const clients = [client(1), client(2)];
  const ids = await edit(service, clients);
  await act(service, 'validate', ids);
  await service.work();

  t.equal(sink.mails.length, 6, 'each notice, and one copy of each for each archive address');
  for (const mail of sink.mails) {
    t.equal(mail.envelope.from, sender.fromAddress, 'the envelope has the sender’s address');
    t.equal(mail.envelope.to.length, 1, 'one recipient for each SMTP transaction');
    t.ok(mail.secure, 'over STARTTLS');
    t.equal(mail.user, 'robot', 'after the log-in');
    t.notOk(headerNames(mail.raw).includes('bcc'), 'no Bcc header');
    for (const address of archives) t.notMatch(String(mail.raw), address, 'an archive address is nowhere in the mail');
  }
  for (const one of clients) {
    const [mail, ...more] = mailsTo(sink, String(one.mail));
    t.same(more, [], 'the client gets it once');
    const seen = await opened(mail);
    t.match(seen.from, { address: sender.fromAddress, name: sender.fromName });
    t.match(seen.replyTo, [{ address: sender.replyTo }]);
    t.match(seen.to, [{ address: one.mail, name: `${one.firstName} ${one.lastName}` }]);
    for (const address of archives) {
      const copies = mailsTo(sink, address).filter(({ raw }) => mail !== undefined && raw.equals(mail.raw));
      t.equal(copies.length, 1, 'the archive gets the very same mail, once');
    }
  }
  const details = await read(service, String(ids[0]));
  t.match(
    details.copies,
    archives.map((address) => ({ kind: 'archive', address, outcome: 'accepted', code: 250 })),
    'what became of each copy is shown',
  );
});

t.test('W3 · a notice that exists keeps its sender; the next one has the changed one', async (t) => {
  const { service, sink } = await startBroker(t, { archiveBcc: [] });
  const [before] = await edit(service, [client(1)]);
  const { items } = await done(service.inject('GET', '/v1/senders'));
  await change(service, `/v1/senders/${items[0].id}`, { fromName: 'Dupont Assurances' });
  const [after] = await edit(service, [client(2)]);
  await act(service, 'validate', [String(before), String(after)]);
  await service.work();
  const names = await Promise.all(
    [1, 2].map(async (n) => (await opened(mailsTo(sink, `client.${n}@courriel.example`)[0])).from?.name),
  );
  t.same(names, [sender.fromName, 'Dupont Assurances']);
});

t.test('W3 · an archive that refuses its copy changes nothing for the client, who gets it once', async (t) => {
  const { service, sink } = await startBroker(t, {
    respond: (step, { command }) =>
      step === 'rcpt' && command.includes('archives@') ? { code: 550, text: '5.1.1 No such user' } : undefined,
  });
  const one = client(1);
  const ids = await edit(service, [one]);
  await act(service, 'validate', ids);
  await service.work();
  service.clock.advance(25 * 3_600_000);
  await service.work();
  t.equal(mailsTo(sink, String(one.mail)).length, 1);
  const details = await read(service, String(ids[0]));
  t.match(details, {
    status: 'OK',
    copies: [{ kind: 'archive', outcome: 'failed', reason: 'mailbox_unknown', code: 550 }],
  });
});
