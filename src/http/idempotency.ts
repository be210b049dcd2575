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

/** The transaction of an effect: routes only hand it on to the verbs of the stages. */
export type EffectTx = Tx;

/** What was done, and how it is answered. */
type Done<Answer> = {
  status: number;
  /** Kept with the key: ids, indexes and codes only. */
  answer: Answer;
  /** Said the first time only, and not kept. */
  once?: Record<string, unknown>;
};

/** A refusal that has an effect, which is committed. */
type Refused = { refusal: AppError };

/** An action that may carry an `Idempotency-Key`. */
export interface IdempotentWork<Answer> {
  /** Whether the header must be there. */
  required?: boolean;
  /** Work before the transaction (rendering, say). Not done again for a replay. */
  prepare?(): Promise<void>;
  /**
   * The effect. Its answer is stored in the same transaction. A refusal is not stored: asking again asks again.
   */
  commit(tx: Tx): Promise<Done<Answer> | Refused>;
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

/** What a key is kept as. Its text may name a person, who may be erased one day, and nobody ever reads it again. */
function keptAs({ secrets }: Pick<Runtime, 'secrets'>, { tenantId, key }: Owner): string {
  return secrets.sign(`idempotency:${tenantId}:${key}`);
}

async function findAnswer(
  runtime: Pick<Runtime, 'secrets'>,
  db: Db | Tx,
  owner: Owner,
): Promise<(Done<unknown> & { fingerprint: string }) | null> {
  const { tenantId, test, key } = owner;
  // As it is too: an older version kept it so, and callers repeat across an upgrade.
  const [row] = await db.execute<{ status: number; answer: unknown; fingerprint: string }>(sql`
    select status, answer, fingerprint from idempotency_keys
    where tenant_id = ${tenantId} and test = ${test} and key in (${keptAs(runtime, owner)}, ${key})`);
  return row ?? null;
}

interface Owner {
  tenantId: string;
  test: boolean;
  key: string;
}

/**
 * Keeps the answer under its key, as the last statement of the transaction of its effect. The unique row makes a
 * concurrent repeat wait here for the first one's commit.
 * @returns false when another request has the key: nothing of this one may be committed.
 */
async function keepAnswer(
  runtime: Runtime,
  tx: Tx,
  owner: Owner,
  fingerprint: string,
  { status, answer }: Done<unknown>,
): Promise<boolean> {
  const { tenantId, test } = owner;
  const kept = await tx.execute(sql`
    with patience as (select set_config('lock_timeout', ${waitForFirst}, true))
    insert into idempotency_keys (tenant_id, test, key, fingerprint, created_at, status, answer)
    select ${tenantId}::uuid, ${test}::boolean, ${keptAs(runtime, owner)}, ${fingerprint}, ${at(runtime.clock.now())}, ${status}::integer,
      ${JSON.stringify(answer)}::jsonb from patience
    on conflict do nothing
    returning true`);
  return kept.length === 1;
}

class KeyTaken extends Error {}

/** @throws AppError the refusal. */
function acceptedOf<Answer>(done: Done<Answer> | Refused): Done<Answer> {
  if ('refusal' in done) throw done.refusal;
  return done;
}

/**
 * Does an action once per `Idempotency-Key`: the effect and its answer are one transaction. A repeat gets the first
 * answer again, with `Idempotency-Replayed: true`; a concurrent one waits for the first, at what both change or at the
 * key itself.
 * @param content what the fingerprint covers: the body, or the hash of an upload.
 * @throws AppError 400 (absent or malformed key), 409 (the first has its answer and does not end within 5 s), 422 (same key, another request).
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
  const answerWith = async ({ status, answer, once = {} }: Done<Answer>) => {
    const location = work.location?.(answer) ?? null;
    if (location !== null) reply.header('location', location);
    if (status >= 400) reply.type('application/problem+json');
    const body = await present(answer);
    return reply.code(status).send({ ...(body as object), ...once });
  };

  if (key === null) {
    await work.prepare?.();
    const done = await runtime.db.transaction((tx) => work.commit(tx));
    return answerWith(acceptedOf(done));
  }

  const owner = { tenantId: request.caller?.tenantId ?? platformTenant, test: request.caller?.testOnly ?? false, key };
  const fingerprint = fingerprintOf(request, content);
  const replay = async () => {
    const first = await findAnswer(runtime, runtime.db, owner);
    if (first === null) return null;
    if (first.fingerprint !== fingerprint) throw new AppError('idempotency_key_reused');
    reply.header('idempotency-replayed', 'true');
    return answerWith({ ...first, answer: first.answer as Answer });
  };
  const early = await replay();
  if (early !== null) return early;
  const doOnce = async () => {
    await work.prepare?.();
    return runtime.db.transaction(async (tx) => {
      const done = await work.commit(tx);
      const isFirst =
        'refusal' in done
          ? (await findAnswer(runtime, tx, owner)) === null
          : await keepAnswer(runtime, tx, owner, fingerprint, done);
      if (!isFirst) throw new KeyTaken();
      return done;
    });
  };
  let done: Done<Answer> | Refused;
  try {
    done = await doOnce();
  } catch (error) {
    // 55P03: the first request did not end within the wait.
    if (databaseError(error)?.code === '55P03') throw new AppError('idempotency_in_progress', { cause: error });
    // The first request may have ended meanwhile, and what it did may be what stands in the way of this one.
    const first = await replay().catch((later: unknown) => {
      throw later instanceof AppError ? later : error;
    });
    if (first !== null) return first;
    throw error instanceof KeyTaken ? new AppError('idempotency_in_progress', { cause: error }) : error;
  }
  return answerWith(acceptedOf(done));
}

/** Forgets at most `limit` keys that were first used before `before`. @returns how many. */
export async function forgetIdempotencyKeys(db: Db, before: Date, limit: number): Promise<number> {
  const gone = await db.execute(sql`
    delete from idempotency_keys where (tenant_id, test, key) in (
      select tenant_id, test, key from idempotency_keys where created_at < ${at(before)} order by created_at limit ${limit})`);
  return gone.count;
}
