import t from 'tap';
import { act, client, done, editor, keepClient, noticeFor, post, startBroker } from '../../support/broker.ts';

const day = (number: number, hour = 10) => `2026-11-${String(number).padStart(2, '0')}T${hour}:00:00.000Z`;

/** Six notices, each different from the others in what W7 finds by; sent ones on different days. */
async function sixNotices(t: Parameters<typeof startBroker>[0]) {
  const broker = await startBroker(t, {
    archiveBcc: [],
    respond: (step, { command }) =>
      step === 'rcpt' && command.includes('client.5@') ? { code: 550, text: '5.1.1 User unknown' } : undefined,
  });
  const { service } = broker;
  const other = { user: 'pdurand', osUser: 'COURTAGE\\pdurand', workstation: 'POSTE-7' };
  const changes = [
    { requestedBy: editor, editedAt: day(20) },
    { requestedBy: editor, editedAt: day(21) },
    { requestedBy: other, editedAt: day(21) },
    { requestedBy: { ...other, workstation: 'POSTE-12' }, editedAt: day(22) },
    { requestedBy: { ...editor, osUser: 'DOMICILE\\mmartin' }, editedAt: day(23) },
    { requestedBy: { user: 'mmartinez', osUser: 'X\\mmartin', workstation: 'POSTE-1' } },
  ];
  const ids: string[] = [];
  service.clock.set(day(24));
  for (const [n, change] of changes.entries()) {
    const one = await keepClient(service, client(n, n === 3 ? { box: false } : {}));
    const { messages } = await done(post(service, [noticeFor(one)], change));
    ids.push(messages[0].id);
  }
  await keepClient(service, client(6));
  for (const [at, sent] of [
    [day(25), [0]],
    [day(26), [1, 5]],
  ] as const) {
    service.clock.set(at);
    await act(
      service,
      'validate',
      sent.map((n) => String(ids[n])),
    );
    await service.work();
  }
  return { ...broker, ids };
}

t.test('W7 · notices are found by user, Windows user, workstation, dates, file, address and statuses', async (t) => {
  const { service, ids } = await sixNotices(t);
  const find = async (query: Record<string, string | string[]>) => {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) parameters.append(name, one);
    const { items } = await done(service.inject('GET', `/v1/messages?${parameters}`));
    return items.map(({ id }: { id: string }) => ids.indexOf(id)).sort();
  };
  const all = [0, 1, 2, 3, 4, 5];
  t.same(await find({}), all);

  const searches: [what: string, query: Record<string, string | string[]>, found: number[]][] = [
    ['application user', { 'requestedBy.user': 'mmartin' }, [0, 1, 4]],
    ['another one, whose name begins alike', { 'requestedBy.user': 'mmartinez' }, [5]],
    ['nobody', { 'requestedBy.user': 'mmarti' }, []],
    ['Windows user', { 'requestedBy.osUser': 'COURTAGE\\mmartin' }, [0, 1]],
    ['Windows user of another domain', { 'requestedBy.osUser': 'DOMICILE\\mmartin' }, [4]],
    ['workstation', { 'requestedBy.workstation': 'POSTE-12' }, [0, 1, 3, 4]],
    ['workstation whose name begins alike', { 'requestedBy.workstation': 'POSTE-1' }, [5]],
    ['edition date from', { editedFrom: day(22) }, [3, 4]],
    ['edition date to, itself not included', { editedTo: day(21) }, [0]],
    ['edition date from and to', { editedFrom: day(21), editedTo: day(23) }, [1, 2, 3]],
    ['edition date in another offset', { editedFrom: '2026-11-22T11:00:00+01:00' }, [3, 4]],
    ['file number', { context: client(2).number }, [2]],
    ['file number and what kind of thing it is', { context: client(2).number, contextType: 'dossier' }, [2]],
    ['the same reference of another kind', { context: client(2).number, contextType: 'contrat' }, []],
    ['mail address', { address: 'client.4@courriel.example' }, [4]],
    ['mail address in another spelling', { address: 'Client.4@COURRIEL.example' }, [4]],
    ['sending date from', { sentFrom: day(25, 12) }, [1]],
    ['sending date to', { sentTo: day(26) }, [0]],
    ['sending date from and to', { sentFrom: day(25), sentTo: day(27) }, [0, 1]],
    ['status E', { status: 'E' }, [2, 4]],
    ['status B', { status: 'B' }, [3]],
    ['status OK', { status: 'OK' }, [0, 1]],
    ['status KO', { status: 'KO' }, [5]],
    ['status V', { status: 'V' }, []],
    ['any set of statuses', { status: ['OK', 'KO'] }, [0, 1, 5]],
    ['all statuses', { status: ['E', 'V', 'OK', 'KO', 'B'] }, all],
    [
      'all at once',
      { 'requestedBy.user': 'mmartin', editedFrom: day(21), status: ['OK', 'E'], sentFrom: day(26) },
      [1],
    ],
  ];
  for (const [what, query, found] of searches) t.same(await find(query), found, what);
});

t.test('W7 · the same words select what is acted on, and nothing is found of another organisation', async (t) => {
  const { service, ids } = await sixNotices(t);
  const filter = { 'requestedBy.workstation': 'POSTE-12', editedTo: day(23, 11), status: ['E', 'B'] };
  const blocked = await done(service.inject('POST', '/v1/messages/block', { body: { filter } }));
  t.match(blocked, { matched: 1, done: 1, refused: [] });
  const { items } = await done(service.inject('GET', '/v1/messages?reason=blocked_by_user'));
  t.same(
    items.map(({ id }: { id: string }) => ids.indexOf(id)),
    [4],
  );

  const stranger = await service.addTenant('Autre cabinet');
  const seen = await service.inject('GET', '/v1/messages', { key: stranger.key });
  t.same(seen.body.items, []);
  const theirs = await service.inject('GET', '/v1/messages?requestedBy.user=mmartin', { key: stranger.key });
  t.same(theirs.body.items, []);
});

t.test('W7 · a long list comes page by page, each notice once, also while others are added', async (t) => {
  const { service, ids } = await sixNotices(t);
  const seen: string[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < 10; page += 1) {
    const next: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await service.inject('GET', `/v1/messages?limit=2${next}`);
    seen.push(...body.items.map(({ id }: { id: string }) => id));
    if (page === 0) await done(post(service, [noticeFor(client(6))]));
    cursor = body.nextCursor;
    if (cursor === null) break;
  }
  t.same(seen, ids.toReversed(), 'newest first');
});
