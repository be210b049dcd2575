/** Where generated lives take place: one service, one provider, and for each life a tenant of its own. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { done } from '../support/broker.ts';
import { type Sending, setUpContent, smtpAccount, startSending } from '../support/sending.ts';
import type { Answer } from '../support/service.ts';
import { type Life, peopleCount } from './lifecycle-commands.ts';
import type { Model } from './lifecycle-model.ts';
import { createProvider, type Provider } from './lifecycle-provider.ts';

/** What a life shows of itself, as the API answers it. */
export type View = Answer['body'];

export interface Stage {
  service: Sending;
  provider: Provider;
  /** How often each thing was seen, over all lives. */
  seen: Map<string, number>;
  lives: number;
}

/** One life that is being lived: the model, and what was last seen of the service. */
export interface Living {
  stage: Stage;
  model: Model;
  accountId: string;
  messages: Map<string, View>;
  requests: Map<string, View>;
  /** Names that no other life uses. */
  unused(): string;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** @throws unless both are the same, naming both. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: ${JSON.stringify(actual)}, and should be ${JSON.stringify(expected)}`);
}

export async function setTheStage(t: Parameters<typeof startSending>[0]): Promise<Stage> {
  const provider = createProvider();
  // The tenant that the service begins with sends nothing.
  const service = await startSending(t, { account: null, sink: { respond: provider.respond } });
  return { service, provider, seen: new Map(), lives: 0 };
}

export function see({ seen }: Stage, what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}

/** The service's account is given time: a machine that is busy must not look like a provider that is silent. */
const timeouts = { connectSeconds: 20, greetingSeconds: 20, answerSeconds: 20 };

export const personPath = (person: number): string => `/v1/recipients/external:client:P${person}`;

export const choice = (accepted: boolean) => ({ choices: [{ notificationType: 'ae', channel: 'mail', accepted }] });

/** Begins a life: a tenant with its content, an account with this way of treating doubt, and people whose boxes are ticked. */
export async function begin(stage: Stage, { onUncertain }: Life): Promise<Living> {
  const { service } = stage;
  stage.lives += 1;
  const name = `life${stage.lives}`;
  const { key } = await service.addTenant(name);
  await setUpContent(service, { key, notificationType: 'ae' });
  const body = smtpAccount(service.sink, { onUncertain }, { timeouts });
  const { id: accountId } = await done(service.inject('POST', '/v1/channel-accounts', { key, body }));
  let names = 0;
  const living: Living = {
    stage,
    accountId,
    messages: new Map(),
    requests: new Map(),
    model: {
      now: service.clock.now().getTime(),
      onUncertain,
      paused: false,
      boxes: Array.from({ length: peopleCount }, () => true),
      requests: [],
      messages: [],
    },
    unused() {
      names += 1;
      return `m${names}@${name}.test`;
    },
    async ask(method, path, asked, headers = {}) {
      const keyed = method === 'POST' ? { 'idempotency-key': randomUUID(), ...headers } : headers;
      const answer = await service.inject(method, path, {
        key,
        headers: keyed,
        ...(asked === undefined ? {} : { body: asked }),
      });
      assert.ok(answer.status < 500, `${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer;
    },
  };
  for (let person = 0; person < peopleCount; person += 1) {
    const addresses = [{ kind: 'mail', value: `person${person}@${name}.test` }];
    await done(living.ask('PUT', personPath(person), { addresses }));
  }
  return living;
}

const limit = 250;

/** All of a list. */
export async function listAll(living: Living, path: string): Promise<View[]> {
  const items: View[] = [];
  const join = path.includes('?') ? '&' : '?';
  let cursor: string | null = null;
  do {
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: View = await done(living.ask('GET', `${path}${join}limit=${limit}${from}`));
    items.push(...page.items);
    cursor = page.nextCursor ?? null;
  } while (cursor !== null);
  return items;
}

/** All events of the tenant, in order. */
export async function allEvents(living: Living): Promise<{ items: View[]; last: number }> {
  const items: View[] = [];
  for (let last = 1; items.length < last; ) {
    const page = await done(living.ask('GET', `/v1/events?after=${items.at(-1)?.sequence ?? 0}&limit=${limit}`));
    last = page.last;
    items.push(...page.items);
    if (page.items.length === 0) return { items, last };
  }
  return { items, last: items.length };
}
