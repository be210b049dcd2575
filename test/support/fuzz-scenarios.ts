/** Rows of requests that build on each other: what is made first is read, changed, used and deleted afterwards. */
import fc, { type Arbitrary } from 'fast-check';
import { type FuzzRequest, type Known, requestFor } from './fuzz-requests.ts';
import type { DocumentedOperation } from './openapi.ts';
import type { Answer } from './service.ts';

/** Requests to be sent one after another, with what the answers told in between. */
export type Scenario = FuzzRequest[];

const resourceOf = ({ path }: DocumentedOperation): string => path.split('/')[2] ?? '';

/** Name of the placeholder that stands for an id of a resource. */
const placeholders: Record<string, string[]> = {
  templates: ['template'],
  senders: ['sender'],
  documents: ['document'],
  recipients: ['recipient'],
  'notification-types': ['notificationType'],
  'channel-accounts': ['account'],
  'send-requests': ['sendRequest', 'draft'],
  messages: ['E', 'B', 'OK', 'planned', 'failed', 'unknown'],
};

/** Steps that follow a creation at once, so that what was made can be used. */
const followers: Record<string, string[]> = {
  createTemplate: ['createTemplateVersion', 'publishTemplateVersion'],
};

const own = (request: FuzzRequest, pick: number, etag: boolean): FuzzRequest => ({
  ...request,
  kind: 'stateful',
  pick,
  headers:
    etag && request.headers['if-match'] !== undefined ? { ...request.headers, 'if-match': '§{etag}' } : request.headers,
});

/**
 * Scenarios: three to six creations, then eight to sixteen requests to any operation, most of them to what was made;
 * every fourth with one field wrong.
 */
export function scenariosFor(operations: readonly DocumentedOperation[]): Arbitrary<Scenario> {
  const step = (operation: DocumentedOperation, kind: 'valid' | 'one-wrong') =>
    fc.tuple(requestFor(operation, kind), fc.nat(), fc.boolean()).map((parts) => own(...parts));
  const valid = new Map(operations.map((operation) => [operation.id, step(operation, 'valid')]));
  const wrong = new Map(operations.map((operation) => [operation.id, step(operation, 'one-wrong')]));
  const named = (id: string) => valid.get(id) ?? fc.constant(null as never);
  const weightOf = ({ method }: DocumentedOperation) => (method === 'DELETE' ? 1 : 4);
  const anyOf = (list: readonly DocumentedOperation[]) =>
    fc.oneof(
      ...list.flatMap((operation) => [
        { weight: 3 * weightOf(operation), arbitrary: valid.get(operation.id) ?? step(operation, 'valid') },
        { weight: weightOf(operation), arbitrary: wrong.get(operation.id) ?? step(operation, 'one-wrong') },
      ]),
    );
  const byResource = Map.groupBy(operations, resourceOf);
  const ofResource = new Map([...byResource].map(([resource, list]) => [resource, anyOf(list)]));
  const any = anyOf(operations);
  const creators = operations.filter(
    ({ id, method, path }) => method === 'POST' && /^create/.test(id) && !path.includes('{'),
  );
  return fc.shuffledSubarray(creators, { minLength: 3, maxLength: 6 }).chain((made) => {
    const first = made.flatMap(({ id }) => [id, ...(followers[id] ?? [])]).map(named);
    const resources = [...new Set([...made.map(resourceOf), 'messages'])];
    const related = fc.oneof(...resources.map((resource) => ofResource.get(resource) ?? any));
    const later = fc.oneof({ weight: 4, arbitrary: related }, { weight: 1, arbitrary: any });
    return fc
      .tuple(fc.tuple(...first), fc.array(later, { minLength: 8, maxLength: 16 }))
      .map(([begin, rest]) => [...begin, ...rest]);
  });
}

/** What the answers of one scenario have told. */
export interface Memory {
  learn(request: FuzzRequest, answer: Answer): void;
  /** What a request's placeholders stand for: something told before, where there is any. */
  known(request: FuzzRequest): Known;
  /** Ids that were told. */
  size(): number;
}

/** An empty memory. Of each resource the sixteen latest ids are kept. */
export function createMemory(): Memory {
  const ids = new Map<string, string[]>();
  const etags = new Map<string, string>();
  const cursors = new Map<string, string>();
  let secret: string | null = null;
  const keep = (resource: string, id: unknown) => {
    if (typeof id !== 'string') return;
    const list = (ids.get(resource) ?? []).filter((one) => one !== id);
    ids.set(resource, [...list, id].slice(-16));
  };
  const pickOf = (resource: string, pick: number): string | undefined => {
    const list = ids.get(resource) ?? [];
    return list[pick % Math.max(1, list.length)];
  };
  return {
    learn({ operation }, { status, body, headers }) {
      if (status >= 300 || typeof body !== 'object' || body === null) return;
      const resource = resourceOf(operation);
      if (!operation.path.includes('/versions')) keep(resource, body.id);
      for (const item of Array.isArray(body.items) ? body.items : []) keep(resource, item?.id);
      for (const message of Array.isArray(body.messages) ? body.messages : []) keep('messages', message?.id);
      for (const name of ['operations', 'exports']) keep(name, body.operation);
      if (typeof body.secret === 'string' && resource === 'api-keys') secret = body.secret;
      if (typeof body.nextCursor === 'string') cursors.set(operation.path, body.nextCursor);
      if (typeof headers.etag === 'string' && typeof body.id === 'string') etags.set(body.id, headers.etag);
    },
    known({ operation, pick = 0 }) {
      const names: Record<string, string> = {};
      for (const [resource, list] of Object.entries(placeholders)) {
        for (const [index, name] of list.entries()) {
          const id = pickOf(resource, pick + index);
          if (id !== undefined) names[name] = id;
        }
      }
      const special = pickOf(resourceOf(operation), pick);
      const cursor = cursors.get(operation.path);
      const etag = special === undefined ? undefined : etags.get(special);
      return {
        names: {
          ...names,
          etag: etag ?? '*',
          ...(special === undefined ? {} : { special }),
          ...(cursor === undefined ? {} : { cursor }),
        },
        // Every fifth request is made with a key that was made before.
        key: pick % 5 === 0 ? secret : null,
      };
    },
    size: () => [...ids.values()].reduce((sum, list) => sum + list.length, 0),
  };
}
