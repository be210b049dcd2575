/** Keeps SMTP sessions open between messages, and never more than allowed. */
import type { SmtpSession } from './session.ts';

/** Permits to talk, and the sessions that are idle. */
export interface SmtpPool {
  /** Runs `work` when one of the `connections` places is free, first come first served. */
  withPlace<T>(work: () => Promise<T>): Promise<T>;
  /** An open session that nobody uses, or null. */
  takeIdle(): SmtpSession | null;
  /** Keeps a session for the next message, or ends it when it is spent. */
  giveBack(session: SmtpSession): void;
  /** Waits for running and waiting work, then says QUIT on idle sessions. Idempotent. */
  close(): Promise<void>;
}

/** @param messagesPerConnection a session is ended after so many messages (servers limit them). */
export function createSmtpPool(connections: number, messagesPerConnection: number): SmtpPool {
  const idle: SmtpSession[] = [];
  const waiting: (() => void)[] = [];
  const drained: (() => void)[] = [];
  let running = 0;
  let closing: Promise<void> | null = null;

  const withPlace = async <T>(work: () => Promise<T>): Promise<T> => {
    // A leaving worker hands its place over, so a newcomer cannot slip in between.
    if (running >= connections) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
      if (running === 0) for (const resolve of drained.splice(0)) resolve();
    }
  };
  const takeIdle = (): SmtpSession | null => {
    // The last used first: the others grow old and are ended by their idle time-out.
    for (let session = idle.pop(); session; session = idle.pop()) if (session.usable()) return session;
    return null;
  };
  const giveBack = (session: SmtpSession): void => {
    if (!session.usable()) return;
    if (session.sent() >= messagesPerConnection) void session.quit();
    else idle.push(session);
  };
  const drainAndQuit = async (): Promise<void> => {
    if (running > 0) await new Promise<void>((resolve) => drained.push(resolve));
    await Promise.all(idle.splice(0).map((session) => session.quit()));
  };
  return { withPlace, takeIdle, giveBack, close: () => (closing ??= drainAndQuit()) };
}
