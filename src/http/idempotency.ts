import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Db, databaseError, type Tx } from '../db/client.ts';
import { at } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** Platform routes belong to no tenant. */
const platformTenant = '00000000-0000-0000-0000-000000000000';
const keyPattern = /^[\x21-\x7e]{1,255}$/;
const waitForFirst = '5s';

/** What is kept of an answer: ids, indexes and codes only. */
export interface StoredAnswer {
  status: number;
  answer: unknown;
}

/** The transaction of an effect: routes only hand it on to the verbs of the stages. */
export type EffectTx = Tx;

/** An action that may carry an `Idempotency-Key`. */
export interface IdempotentWork<Answer> {
  /** Whether the header must be there. */
  required?: boolean;
  /** Work before the transaction (rendering, say). Not done again for a replay. */
  prepare?(): Promise<void>;
  /**
   * The effect. Its answer is stored in the same transaction; `once` is added to the first answer only, and `forget`
   * keeps the effect but not the answer (it will be a refusal).
   */
  commit(tx: Tx): Promise<{ status: number; answer: Answer; once?: Record<string, unknown>; forget?: boolean }>;
  /** The body of the answer, the first time and at every replay. Default: the answer itself. */
  present?(answer: Answer): Promise<unknown>;
  /** Path of what was made. */
  location?(answer: Answer): string | null;
}

function keyOf(request: FastifyRequest, required: boolean): string | null {
  const header = request.headers['idempotency-key'];
  if (header === undefined) {
    if (!required) return null;
    throw new AppError('idempotency_key_missing', {
      items: [{ pointer: '/Idempotency-Key', code: 'required', message: 'is required' }],
    });
  }
  if (typeof header !== 'string' || !keyPattern.test(header)) {
    const message = 'must be 1 to 255 visible ASCII characters';
    throw new AppError('invalid_header', {
      detail: `Idempotency-Key ${message}.`,
      items: [{ pointer: '/Idempotency-Key', code: 'wrong_format', message }],
    });
  }
  return header;
}

function fingerprintOf(request: FastifyRequest, content: unknown): string {
  const subject = [request.method, request.url, content ?? null];
  return createHash('sha256').update(JSON.stringify(subject)).digest('base64');
}

const owned = ({ tenantId, test, key }: Owner) => sql`tenant_id = ${tenantId} and test = ${test} and key = ${key}`;

async function findAnswer(db: Db | Tx, owner: Owner): Promise<(StoredAnswer & { fingerprint: string }) | null> {
  const [row] = await db.execute<{ status: number | null; answer: unknown; fingerprint: string }>(sql`
    select status, answer, fingerprint from idempotency_keys where ${owned(owner)}`);
  if (row === undefined || row.status === null) return null;
  return { status: row.status, answer: row.answer, fingerprint: row.fingerprint };
}

interface Owner {
  tenantId: string;
  test: boolean;
  key: string;
}

/**
 * Takes the key inside the transaction. The unique row makes a concurrent repeat wait for the first one's commit.
 * @returns false when another request already has it.
 */
async function takeKey(runtime: Runtime, tx: Tx, owner: Owner, fingerprint: string): Promise<boolean> {
  const { tenantId, test, key } = owner;
  const taken = await tx.execute(sql`
    with patience as (select set_config('lock_timeout', ${waitForFirst}, true))
    insert into idempotency_keys (tenant_id, test, key, fingerprint, created_at)
    select ${tenantId}::uuid, ${test}::boolean, ${key}, ${fingerprint}, ${at(runtime.clock.now())} from patience
    on conflict do nothing
    returning set_config('lock_timeout', '0', true)`);
  return taken.length === 1;
}

async function keepAnswer(tx: Tx, owner: Owner, { status, answer }: StoredAnswer): Promise<void> {
  await tx.execute(sql`
    update idempotency_keys set status = ${status}, answer = ${JSON.stringify(answer)}::jsonb where ${owned(owner)}`);
}

async function dropKey(tx: Tx, owner: Owner): Promise<void> {
  await tx.execute(sql`delete from idempotency_keys where ${owned(owner)}`);
}

class KeyTaken extends Error {}

/**
 * Does an action once per `Idempotency-Key`: the effect and its answer are one transaction. A repeat gets the first
 * answer again, with `Idempotency-Replayed: true`; a concurrent one waits up to 5 s for the first.
 * @param content what the fingerprint covers: the body, or the hash of an upload.
 * @throws AppError 400 (absent or malformed key), 409 (still running), 422 (same key, another request).
 */
export async function runIdempotently<Answer>(
  runtime: Runtime,
  request: FastifyRequest,
  reply: FastifyReply,
  content: unknown,
  work: IdempotentWork<Answer>,
): Promise<FastifyReply> {
  const key = keyOf(request, work.required ?? false);
  const present = work.present ?? (async (answer: Answer) => answer as unknown);
  const answerWith = async (stored: StoredAnswer, once: Record<string, unknown> = {}) => {
    const answer = stored.answer as Answer;
    const location = work.location?.(answer) ?? null;
    if (location !== null) reply.header('location', location);
    if (stored.status >= 400) reply.type('application/problem+json');
    const body = await present(answer);
    return reply.code(stored.status).send({ ...(body as object), ...once });
  };

  if (key === null) {
    await work.prepare?.();
    const { once, ...stored } = await runtime.db.transaction((tx) => work.commit(tx));
    return answerWith(stored, once);
  }

  const owner = { tenantId: request.caller?.tenantId ?? platformTenant, test: request.caller?.testOnly ?? false, key };
  const fingerprint = fingerprintOf(request, content);
  const replay = async () => {
    const first = await findAnswer(runtime.db, owner);
    if (first === null) return null;
    if (first.fingerprint !== fingerprint) throw new AppError('idempotency_key_reused');
    reply.header('idempotency-replayed', 'true');
    return answerWith(first);
  };
  const early = await replay();
  if (early !== null) return early;
  try {
    await work.prepare?.();
  } catch (error) {
    // The first request may have ended meanwhile, and what it did may be what stands in the way of this one.
    const late = await replay();
    if (late !== null) return late;
    throw error;
  }
  try {
    const { once, ...stored } = await runtime.db.transaction(async (tx) => {
      if (!(await takeKey(runtime, tx, owner, fingerprint))) throw new KeyTaken();
      const done = await work.commit(tx);
      await (done.forget ? dropKey(tx, owner) : keepAnswer(tx, owner, done));
      return done;
    });
    return answerWith(stored, once);
  } catch (error) {
    // 55P03: the first request did not end within the wait.
    if (databaseError(error)?.code === '55P03') throw new AppError('idempotency_in_progress', { cause: error });
    if (!(error instanceof KeyTaken)) throw error;
    const first = await replay();
    if (first === null) throw new AppError('idempotency_in_progress', { cause: error });
    return first;
  }
}

/** Forgets at most `limit` keys that were first used before `before`. @returns how many. */
export async function forgetIdempotencyKeys(db: Db, before: Date, limit: number): Promise<number> {
  const gone = await db.execute(sql`
    delete from idempotency_keys where (tenant_id, test, key) in (
      select tenant_id, test, key from idempotency_keys where created_at < ${at(before)} order by created_at limit ${limit})`);
  return gone.count;
}
