/** From what an SMTP server (or the network) did to an `Outcome`. Pure functions. */
import type { DeliveryStep, Outcome, ProviderAnswer } from '../channel.ts';
import type { DeliveryReason } from '../delivery-reasons.ts';
import { type OutcomeRule, outcomeRules } from './outcome-table.ts';

/** Everything that is known of a hand-over that was not accepted. */
export interface SmtpFailure {
  /** The step that was refused, or that never got its answer. */
  step: DeliveryStep;
  /** Basic code of the answer; null when none came. */
  code: number | null;
  enhancedCode: string | null;
  text: string | null;
  /** Code of the Node or nodemailer error, e.g. `ECONNREFUSED`; null when there is an answer only. */
  errorCode: string | null;
  /** Whether the content, its final dot included, had been handed to the network. */
  bodyWritten: boolean;
}

/** What a failure means, apart from the provider's words. */
export type SmtpVerdict =
  | { kind: 'transient' | 'account_fault' | 'uncertain'; reason: DeliveryReason }
  | { kind: 'permanent'; reason: DeliveryReason; suppressAddress: boolean };

/** One reply of a server, taken apart. */
export interface SmtpReply {
  code: number | null;
  enhancedCode: string | null;
  text: string | null;
}

const READ_LIMIT = 2_000;
const TEXT_LIMIT = 500;
const RETRY_LIMIT_SECONDS = 86_400;
const addressLike = /[^\s<>"'(),:;]{1,200}@[^\s<>"'(),:;]{1,200}/g;

/**
 * Decides what a failed hand-over means.
 *
 * An answer of class 4 or 5 is an answer, to the content too. Without one, everything after the
 * content was written is `uncertain`, never `transient`: the server may have taken the message.
 * A 421 never ends a message, and a 4xx never does.
 */
export function classifySmtpFailure(failure: SmtpFailure): SmtpVerdict {
  const { code } = failure;
  if (code === null || code < 400 || code > 599) return withoutAnswer(failure);
  const text = (failure.text ?? '').toLowerCase();
  const rule = outcomeRules.find((candidate) => fits(candidate, failure, String(code), text));
  if (rule === undefined) return { kind: 'transient', reason: 'refused_temporarily' };
  return verdictOf(rule, code);
}

/**
 * The `Outcome` for a failed hand-over, with the wait the provider asked for, if it did. The text
 * kept is cut at 500 characters and has no control characters, no addresses and none of `secrets`.
 */
export function smtpOutcome(failure: SmtpFailure, secrets: readonly string[] = []): Outcome {
  const verdict = classifySmtpFailure(failure);
  const answer: ProviderAnswer = {
    step: failure.step,
    code: failure.code,
    enhancedCode: failure.enhancedCode,
    text: cleanText(failure.text ?? '', secrets),
  };
  switch (verdict.kind) {
    case 'transient':
      return { kind: 'transient', answer, reason: verdict.reason, retryAfterSeconds: retryAfterSeconds(failure.text) };
    case 'permanent':
      return { kind: 'permanent', answer, reason: verdict.reason, suppressAddress: verdict.suppressAddress };
    case 'account_fault':
    case 'uncertain':
      return { kind: verdict.kind, answer, reason: verdict.reason };
  }
}

/**
 * Takes a reply apart (RFC 5321 §4.2, RFC 2034), also of many lines; what is no reply gives nulls.
 * The text is as the server wrote it (to be classified, not shown), cut at 2,000 characters. An
 * enhanced code of another class than the basic one is ignored.
 */
export function readSmtpReply(reply: string | null | undefined): SmtpReply {
  const lines = (reply ?? '')
    .split(/\r?\n/)
    .map((line) => /^(\d{3})(?:[ -]|$)(?:(\d\.\d{1,3}\.\d{1,3})(?=\s|$)[ ]?)?(.*)$/s.exec(line));
  const first = lines.find((line) => line !== null);
  if (!first) return { code: null, enhancedCode: null, text: null };
  const enhancedCode = lines.find((line) => line?.[2] !== undefined)?.[2] ?? null;
  const text = lines.map((line) => line?.[3] ?? '').join(' ');
  return {
    code: Number(first[1]),
    enhancedCode: enhancedCode !== null && enhancedCode[0] === first[1]?.[0] ? enhancedCode : null,
    text: text.trim() === '' ? null : text.slice(0, READ_LIMIT),
  };
}

/** Without secrets and control characters. The longest secret first: a user's name may be a part of the password. */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text.toWellFormed();
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) {
    if (secret.length > 0) clean = clean.replaceAll(secret, '…');
  }
  return clean.replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
}

function cut(text: string): string | null {
  const clean = text.replace(/\s+/g, ' ').trim();
  return clean === '' ? null : clean.slice(0, TEXT_LIMIT).toWellFormed();
}

/** A provider's own words, fit to be kept: no addresses, secrets or control characters, 500 characters at most. */
export function cleanText(text: string, secrets: readonly string[]): string | null {
  return cut(withoutSecrets(text, secrets).replace(addressLike, '…'));
}

/**
 * A provider's name for a message, fit to be kept. It may look like an address (`<id@server>`), so the addresses that
 * must not be in it are given with the secrets.
 */
export function cleanReference(reference: string, secrets: readonly string[]): string | null {
  return cut(withoutSecrets(reference, secrets));
}

/** The wait a provider asks for in words ("try again in 300 seconds"), at most a day. */
function retryAfterSeconds(text: string | null): number | null {
  const found = /\b(?:in|after|wait|within)\s+(\d{1,5})\s*(s|sec|second|min|minute|h|hour)s?\b/i.exec(text ?? '');
  if (!found) return null;
  const unit = found[2]?.[0]?.toLowerCase();
  const seconds = Number(found[1]) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
  return seconds > 0 ? Math.min(seconds, RETRY_LIMIT_SECONDS) : null;
}

function fits(rule: OutcomeRule, failure: SmtpFailure, code: string, text: string): boolean {
  if (rule.steps && !rule.steps.includes(failure.step)) return false;
  if (rule.code && !rule.code.test(code)) return false;
  if (rule.enhanced && (failure.enhancedCode === null || !rule.enhanced.test(failure.enhancedCode))) return false;
  return !rule.text || rule.text.test(text);
}

function verdictOf(rule: OutcomeRule, code: number): SmtpVerdict {
  const temporary = code < 500;
  const kind =
    rule.kind === 'by_code'
      ? temporary
        ? 'transient'
        : 'permanent'
      : rule.kind === 'account_if_5xx'
        ? temporary
          ? 'transient'
          : 'account_fault'
        : rule.kind;
  if (kind === 'permanent') return { kind, reason: rule.reason, suppressAddress: rule.suppress === true };
  return { kind: code === 421 ? 'transient' : kind, reason: rule.reason };
}

/** Codes of errors that happened before there was a connection to talk over. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENODATA',
  'EDNS',
]);

function withoutAnswer(failure: SmtpFailure): SmtpVerdict {
  if (failure.bodyWritten) return { kind: 'uncertain', reason: 'outcome_unknown' };
  const code = failure.errorCode ?? '';
  if (code === 'EHOSTNOTALLOWED') return { kind: 'account_fault', reason: 'host_not_allowed' };
  if (code === 'ETIMEDOUT') return { kind: 'transient', reason: 'timed_out' };
  if (UNREACHABLE.has(code)) return { kind: 'transient', reason: 'connection_failed' };
  if (code === 'EAUTH' || code === 'ENOAUTH') return { kind: 'account_fault', reason: 'authentication_failed' };
  // Certificates carry many codes (CERT_HAS_EXPIRED, ERR_TLS_…), so the step tells, not the code.
  if (code === 'ETLS' || code.startsWith('ERR_TLS_') || code.startsWith('ERR_SSL_'))
    return { kind: 'account_fault', reason: 'tls_failed' };
  // nodemailer refuses by itself what is larger than the SIZE the server announced (RFC 1870).
  if (code === 'EMESSAGE') return { kind: 'permanent', reason: 'message_too_large', suppressAddress: false };
  if (code === 'EENVELOPE') return { kind: 'permanent', reason: 'address_invalid', suppressAddress: false };
  return {
    kind: 'transient',
    reason: failure.step === 'connect' || failure.step === 'prepare' ? 'connection_failed' : 'connection_lost',
  };
}
