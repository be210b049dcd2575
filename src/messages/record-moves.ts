import type { Clock, NewId } from '../clock.ts';
import type { Tx } from '../db/client.ts';
import { insertIntoAll, rowsFor, type TableRows } from '../db/rows.ts';
import { transitions } from '../db/tables/messages.ts';
import { type EventType, eventRows, type NewEvent } from '../events/store.ts';
import type { Actor } from '../tenants/rights.ts';
import type { Status } from './status.ts';

/** A move that a guarded UPDATE (or an INSERT) has just made. */
export interface Move {
  tenantId: string;
  messageId: string;
  sendRequestId: string;
  test: boolean;
  /** Null when the message is born. */
  from: Status | null;
  to: Status;
  reason: string | null;
  remark?: string | null;
}

const arrivals: Readonly<Record<Status, EventType>> = {
  E: 'message.created',
  V: 'message.validated',
  OK: 'message.sent',
  KO: 'message.failed',
  B: 'message.blocked',
};

function eventOf({ from, to }: Move): EventType {
  if (from === null) return 'message.created';
  if (from === to) return 'message.resolved';
  return from === 'KO' && to === 'V' ? 'message.resent' : arrivals[to];
}

/** What traces are made with. */
type TraceDeps = { clock: Clock; newId: NewId };

/**
 * The transition and the event of each move: no status changes without a trace. `KO→V` is told as `message.resent`, a
 * birth as `message.created`, and a `KO` that stays one because a person said what became of it as `message.resolved`.
 * @param further events of the same cause, told behind them.
 * @returns the rows, to be inserted in the transaction that made the moves.
 */
export function moveRows(
  deps: TraceDeps,
  actor: Actor,
  moves: readonly Move[],
  further: readonly NewEvent[] = [],
): TableRows[] {
  const now = deps.clock.now();
  const made = moves.map((move) => ({
    tenantId: move.tenantId,
    messageId: move.messageId,
    id: deps.newId(),
    at: now,
    fromStatus: move.from,
    toStatus: move.to,
    actorKind: actor.kind,
    actorKeyId: actor.kind === 'key' ? actor.keyId : null,
    actorUser: actor.kind === 'key' ? actor.user : null,
    reason: move.reason,
    remark: move.remark ?? null,
  }));
  const told = moves.map((move) => ({
    tenantId: move.tenantId,
    type: eventOf(move),
    test: move.test,
    resourceId: move.messageId,
    data: { sendRequest: move.sendRequestId, from: move.from, status: move.to, reason: move.reason },
  }));
  return [rowsFor(transitions, made), eventRows(deps, [...told, ...further])];
}

/** Writes the transition and the event of each move (`moveRows`), in the transaction that made them. */
export function recordMoves(
  deps: TraceDeps,
  tx: Tx,
  actor: Actor,
  moves: readonly Move[],
  further: readonly NewEvent[] = [],
): Promise<void> {
  return insertIntoAll(tx, moveRows(deps, actor, moves, further));
}
