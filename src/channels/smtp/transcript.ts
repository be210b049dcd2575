/**
 * Where one SMTP connection stands, read from what nodemailer logs about it.
 *
 * A time-out at RCPT and one after the final dot are the very same error in nodemailer; only the
 * order of commands, replies and the `message` entry tells them apart. One transcript belongs to one
 * connection and a connection carries one message at a time, so an entry is never another message's.
 * (nodemailer's own pool has one logger for all its connections, and gives an entry no message:
 * that is why it is not used.)
 */
import type { DeliveryStep } from '../channel.ts';

/** What is known of a conversation, and the logger that keeps it known. */
export interface SmtpTranscript {
  /** For nodemailer's `logger` option, together with `transactionLog: true`. */
  logger: Record<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', (...entry: unknown[]) => void>;
  /** The step whose answer is awaited: with PIPELINING, of the first command not yet answered. */
  awaited(): DeliveryStep;
  /** The step of the last reply. */
  answered(): DeliveryStep;
  /** Whether the content of the current message, final dot included, went to the network. */
  bodyWritten(): boolean;
  /** Whether the server asked for the content (so that some of it may have been written). */
  bodyAsked(): boolean;
  /** Forgets the message before: a new one begins. */
  startMessage(): void;
}

/** @param first `tls` when the connection begins with a handshake, else `connect` (the greeting). */
export function createSmtpTranscript(first: 'tls' | 'connect'): SmtpTranscript {
  let unanswered: DeliveryStep[] = ['connect'];
  let answered: DeliveryStep = first;
  let connected = false;
  let bodyWritten = false;
  let bodyAsked = false;

  const onEntry = (...entry: unknown[]): void => {
    const [data, text] = entry as [{ tnx?: unknown } | undefined, unknown];
    switch (data?.tnx) {
      case 'network':
        connected = true;
        break;
      case 'client':
        unanswered.push(stepOfCommand(String(text)));
        break;
      case 'server':
        answered = unanswered.shift() ?? answered;
        if (answered === 'body' && /^[23]/.test(String(text))) bodyAsked = true;
        break;
      case 'message':
        // Emitted when the last piece, the final dot, was written to the socket. Every piece before
        // has then left our own buffer: nodemailer's pipe waits for `drain`.
        bodyWritten = true;
        break;
    }
  };
  const startMessage = (): void => {
    unanswered = [];
    answered = 'sender';
    bodyWritten = false;
    bodyAsked = false;
  };
  return {
    logger: { trace: onEntry, debug: onEntry, info: onEntry, warn: onEntry, error: onEntry, fatal: onEntry },
    // Nothing unanswered: the handshake after STARTTLS, or the content after DATA.
    awaited: () => (first === 'tls' && !connected ? 'tls' : (unanswered[0] ?? answered)),
    answered: () => answered,
    bodyWritten: () => bodyWritten,
    bodyAsked: () => bodyAsked,
    startMessage,
  };
}

/** The step a command belongs to; a line that is no command is a part of a log-in. */
export function stepOfCommand(command: string): DeliveryStep {
  const verb = command.slice(0, 8).toUpperCase();
  if (/^(EHLO|HELO|CONN)/.test(verb)) return 'connect';
  if (verb === 'STARTTLS') return 'tls';
  if (/^(MAIL FRO|RSET)/.test(verb)) return 'sender';
  if (/^RCPT TO/.test(verb)) return 'recipient';
  if (/^(DATA$|\.$)/.test(command.toUpperCase())) return 'body';
  return 'auth';
}
