/** Requests for the fuzz: made from the operations of the document, sent to a seeded organisation. */
import fc, { type Arbitrary } from 'fast-check';
import { hostilePayloads, oneWrong, valuesOf } from './arbitraries.ts';
import { pdf } from './broker.ts';
import { hints } from './fuzz-hints.ts';
import { formOf } from './multipart.ts';
import type { DocumentedOperation } from './openapi.ts';
import { idFor, type Seeds } from './seeds.ts';
import { type Answer, platformKey } from './service.ts';

/** A request to be sent; `§{name}` in it stands for a seeded id. */
export interface FuzzRequest {
  operation: DocumentedOperation;
  kind: 'valid' | 'one-wrong' | 'random' | 'hostile' | 'stateful';
  id: string;
  version: string;
  query: [string, string][];
  headers: Record<string, string>;
  key: 'live' | 'test' | 'none' | 'wrong';
  body?: unknown;
  /** In the place of a body: sent as it is, in base64. */
  payload?: string;
  /** Of a stateful one: which of the things told before it is about. */
  pick?: number;
}

/** What is known from earlier answers: it goes before what is seeded. */
export interface Known {
  names: Record<string, string>;
  /** In the place of the live key; null: the live key. */
  key: string | null;
}

/** How a request is made up; a stateful one is `valid` or `one-wrong` too. */
type Making = Exclude<FuzzRequest['kind'], 'stateful'>;

const strangeIds = [
  'not-an-id',
  '%00',
  '%E2%80%AE',
  '%ff',
  '..%2f..%2fv1',
  "'%20or%201=1--",
  '0'.repeat(36),
  'external:client:C-1001',
  'external:client:',
  'external:client:%20%F0%9F%91%BB',
  'x'.repeat(600),
];

const idOf = fc.oneof(
  { weight: 10, arbitrary: fc.constant('§{special}') },
  {
    weight: 3,
    arbitrary: fc.constantFrom('§{template}', '§{E}', '§{B}', '§{OK}', '§{planned}', '§{failed}', '§{recipient}'),
  },
  { weight: 2, arbitrary: fc.uuid() },
  { weight: 1, arbitrary: fc.constantFrom(...strangeIds) },
);

const cursors = [
  '§{cursor}',
  '§{cursor}A',
  'A§{cursor}',
  '~',
  'AAAA~AAAA',
  Buffer.from("' or 1=1").toString('base64url'),
  'x'.repeat(299),
];

function queryOf({ parameters = [] }: DocumentedOperation, kind: Making): Arbitrary<[string, string][]> {
  const own = parameters.filter((one) => one.in === 'query');
  const some = own.map(({ name, schema }) => {
    const value = name === 'cursor' ? fc.constantFrom(...cursors) : valuesOf(schema, hints, name);
    const given =
      kind === 'valid'
        ? value
        : fc.oneof({ weight: 3, arbitrary: value }, fc.constantFrom('', 'x', '-1', '\u0000', 'é', '9'.repeat(30)));
    const listed = given.map((one) =>
      (Array.isArray(one) ? one : [one]).map((item): [string, string] => [name, String(item)]),
    );
    return fc.option(listed, { nil: [], freq: name === 'cursor' ? 3 : 1 });
  });
  const strange: Arbitrary<[string, string][]> =
    kind === 'valid'
      ? fc.constant([])
      : fc.constantFrom(
          [],
          [],
          [['surprise', '1']],
          [
            ['limit', '1'],
            ['limit', '2'],
          ],
        );
  return fc
    .tuple(fc.tuple(...some), strange)
    .map(([lists, more]) => [...lists.flat(), ...more].filter((_, at) => at < 6));
}

const option = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 3 });

function headersOf({ parameters = [] }: DocumentedOperation, kind: Making) {
  const takes = (name: string) => parameters.some((one) => one.in === 'header' && one.name === name);
  const good = kind === 'valid' || kind === 'one-wrong';
  const strange = kind === 'hostile' || kind === 'random';
  const fresh = fc.uuid();
  const idempotency = strange
    ? fc.oneof(fresh, fc.constantFrom('', ' ', 'x'.repeat(256), 'x'.repeat(20_000), 'é', 'a b', 'the-same'))
    : fc.oneof({ weight: 9, arbitrary: fresh }, fc.constant('the-same'));
  const match = good
    ? fc.constantFrom('*', '*', '*', '"1"')
    : fc.constantFrom('*', '"1"', 'W/"1"', '', '"99999999999"', 'x'.repeat(9_000));
  const user = strange ? option('', 'x'.repeat(5_000), 'a\u0001b', '\ud83d\ude00', 'mmartin') : option('mmartin');
  return fc
    .record({
      'idempotency-key': takes('Idempotency-Key') ? idempotency : fc.constant(undefined),
      'if-match': takes('If-Match') ? match : fc.constant(undefined),
      'on-behalf-of': user,
      'accept-language': option('fr', 'fr-FR,en;q=0.1', '*;q=x', ';;;,,,'),
    })
    .map(
      (all) =>
        Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string>,
    );
}

const contentTypes = [
  'application/json',
  'application/json; charset=latin1',
  'application/vnd.x+json',
  'text/plain',
  'text/json',
  'multipart/form-data',
  'multipart/form-data; boundary=x',
  '/',
  'x'.repeat(2_000),
];

type Content = Pick<FuzzRequest, 'body' | 'payload' | 'headers'>;

const asPayload = (bytes: string | Buffer, contentType: string): Content => ({
  payload: Buffer.from(bytes as string).toString('base64'),
  headers: { 'content-type': contentType },
});

/** A form with one file: as it should be, or with a strange name, type or content. */
function uploadOf(kind: Making): Arbitrary<Content> {
  const good = {
    name: 'file',
    filename: 'avis.pdf',
    mediaType: 'application/pdf',
    content: pdf('avis').toString('latin1'),
  };
  const strange = {
    name: fc.constantFrom('file', 'file', 'other', ''),
    filename: fc.constantFrom(
      'avis.pdf',
      '../avis.pdf',
      'a\\b.pdf',
      '',
      '\u202efdp.exe',
      'é'.repeat(300),
      'a%0d%0ab',
      '.',
    ),
    mediaType: fc.constantFrom('application/pdf', 'text/plain', 'image/png', 'text/html', '', 'x'.repeat(500)),
    content: fc.oneof(fc.constantFrom(good.content, '', 'text', '%PDF-', '\x89PNG\r\n\x1a\n'), fc.string()),
  };
  const part = kind === 'valid' ? fc.constant(good) : fc.record(strange);
  return part.map((one) => {
    const { payload, headers } = formOf(one);
    return asPayload(payload, headers['content-type']);
  });
}

/** A form of a mail program or a page: as it should be, or with something else in it. */
function clickOf(kind: Making): Arbitrary<Content> {
  const good = fc.constantFrom('List-Unsubscribe=One-Click', 'choice=kind', 'choice=all');
  const strange = fc.constantFrom('', 'choice', 'choice=%00', 'choice=%ff', 'choice[]=all', 'x='.repeat(3_000), '&&&=');
  const form = kind === 'valid' ? good : fc.oneof(good, strange, fc.string());
  return form.map((text) => asPayload(text, 'application/x-www-form-urlencoded'));
}

/** A file of rows: as it should be, or with anything in it. */
function tableOf(kind: Making): Arbitrary<Content> {
  const good = fc.constantFrom('type;externalId\r\nclient;C-1\r\n', 'address,cause\na@courriel.example,manual\n');
  const types = fc.constantFrom('text/csv', 'application/x-ndjson');
  const strange = fc.oneof(
    good,
    fc.string(),
    fc.constantFrom('"', ';;;', '\ufeff', 'type\texternalId\n"', '{"type":1}\n'),
  );
  return fc
    .tuple(kind === 'valid' ? good : strange, kind === 'valid' ? fc.constant('text/csv') : types)
    .map(([text, type]) => asPayload(text, type));
}

function contentOf(operation: DocumentedOperation, kind: Making): Arbitrary<Content> {
  const none = fc.constant<Content>({ headers: {} });
  if (operation.method === 'GET') return none;
  if (kind === 'hostile') {
    const type = fc.oneof({ weight: 3, arbitrary: fc.constant('application/json') }, fc.constantFrom(...contentTypes));
    const examples = operation.examples.map((example) => JSON.stringify(example));
    return fc
      .tuple(fc.constantFrom(...hostilePayloads, ...examples), type)
      .map(([payload, contentType]) => asPayload(payload, contentType));
  }
  if (operation.requestBody?.content?.['application/x-www-form-urlencoded'] !== undefined) return clickOf(kind);
  if (operation.requestBody?.content?.['multipart/form-data'] !== undefined) return uploadOf(kind);
  if (operation.requestBody?.content?.['text/csv'] !== undefined) return tableOf(kind);
  const schema = operation.requestBody?.content?.['application/json']?.schema;
  if (schema === undefined) {
    return kind === 'random' ? fc.jsonValue().map((body) => ({ body, headers: {} })) : none;
  }
  const generated = valuesOf(schema, hints);
  const good = fc.oneof(...operation.examples.map((example) => fc.constant(example)), generated);
  const body = { valid: good, 'one-wrong': oneWrong(good), random: fc.jsonValue() }[kind];
  return body.map((value) => ({ body: value, headers: {} }));
}

/** Requests of one kind to one operation. */
export function requestFor(operation: DocumentedOperation, kind: Making): Arbitrary<FuzzRequest> {
  const key = fc.oneof(
    { weight: 16, arbitrary: fc.constant('live' as const) },
    { weight: 3, arbitrary: fc.constant('test' as const) },
    ...(kind === 'valid' ? [] : [{ weight: 1, arbitrary: fc.constantFrom('none' as const, 'wrong' as const) }]),
  );
  return fc
    .record({
      id: kind === 'valid' ? fc.oneof({ weight: 4, arbitrary: fc.constant('§{special}') }, idOf) : idOf,
      version:
        kind === 'valid' ? fc.constantFrom('1', '2') : fc.constantFrom('1', '1', '2', '0', '3', 'x', '1e3', '1000001'),
      query: queryOf(operation, kind),
      headers: headersOf(operation, kind),
      key,
      content: contentOf(operation, kind),
    })
    .map(({ content, headers, ...rest }) => ({
      ...rest,
      ...content,
      operation,
      kind,
      headers: { ...headers, ...content.headers },
    }));
}

/** Requests of every kind to every operation. Deletions are rarer, so that there is something left to ask for. */
export function requestsFor(operations: readonly DocumentedOperation[]): Arbitrary<FuzzRequest> {
  const kinds = [
    ['valid', 5],
    ['one-wrong', 4],
    ['random', 1],
    ['hostile', 2],
  ] as const;
  return fc.oneof(
    ...operations.flatMap((operation) =>
      kinds.map(([kind, weight]) => ({
        weight: operation.method === 'DELETE' ? 1 : weight * 2,
        arbitrary: requestFor(operation, kind),
      })),
    ),
  );
}

function namesOf(seeds: Seeds, cursor: string, { operation }: FuzzRequest): Record<string, unknown> {
  const special = operation.path.includes('{token}')
    ? seeds.token
    : operation.path.includes('{id}')
      ? idFor(seeds, operation)
      : '';
  return { ...seeds, ...seeds.messages, failed: seeds.test.failed, unknown: seeds.test.unknown, special, cursor };
}

/** Sends a request to a seeded organisation. */
export async function sendFuzz(seeds: Seeds, request: FuzzRequest, known?: Known): Promise<Answer> {
  const { operation, body, payload } = request;
  const list = operation.path.includes('{') ? '/v1/messages' : operation.path;
  const page = request.query.some(([, value]) => value.includes('§{cursor}'))
    ? (await seeds.inject('GET', `${list}?limit=1`)).body.nextCursor
    : null;
  const names = { ...namesOf(seeds, page ?? 'none', request), ...known?.names };
  const fill = (text: string) => text.replace(/§\{(\w+)\}/g, (_, name: string) => String(names[name]));
  const query = request.query.map(([name, value]) => `${name}=${encodeURIComponent(fill(value).toWellFormed())}`);
  const path = operation.path
    .replace('{id}', fill(request.id))
    .replace('{token}', fill(request.id))
    .replace('{version}', request.version);
  const platform = operation.path.startsWith('/v1/tenants');
  const live = platform ? platformKey : (known?.key ?? seeds.tenant.key);
  const key = { live, test: platform ? platformKey : seeds.tenant.testKey, none: null, wrong: 'live_wrong' }[
    request.key
  ];
  const headers = Object.entries(request.headers).map(([name, value]) => [name, fill(value)]);
  return seeds.inject(operation.method, query.length === 0 ? path : `${path}?${query.join('&')}`, {
    key,
    headers: Object.fromEntries(headers),
    ...(body === undefined ? {} : { body: JSON.parse(fill(JSON.stringify(body))) }),
    ...(payload === undefined ? {} : { payload: Buffer.from(payload, 'base64') }),
  });
}
