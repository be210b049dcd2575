import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Mailbox, MailContent } from '../../channels/mail/content.ts';

function mailboxOf({ name, address }: Mailbox): Mailbox {
  return { name, address };
}

/**
 * SHA-256, in hex, of what a person approves: the RFC 8785 canonical JSON of from, reply-to, to, cc,
 * bcc, subject, text, html, document names and hashes.
 *
 * Two contents that differ in any of these hash differently, the order of copies and documents
 * included; the order of keys and anything else an object may carry do not count. Taken before
 * redirect, tokens, Date, Message-ID and DKIM.
 */
export function contentHash(content: MailContent): string {
  const canonical = canonicalize({
    from: mailboxOf(content.from),
    replyTo: content.replyTo === null ? null : mailboxOf(content.replyTo),
    to: mailboxOf(content.to),
    cc: content.cc.map(mailboxOf),
    bcc: content.bcc.map(mailboxOf),
    subject: content.subject,
    text: content.text,
    html: content.html,
    documents: content.documents.map(({ name, sha256 }) => ({ name, sha256 })),
  });
  if (canonical === undefined) throw new Error('mail content has no canonical JSON');
  return hash('sha256', canonical, 'hex');
}
