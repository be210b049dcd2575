import { createBoundedCache } from '../bounded-cache.ts';
import { encodeAttachment } from '../channels/mail/assembly.ts';
import type { MailComposition } from '../channels/mail/composition.ts';
import type { MailContent } from '../channels/mail/content.ts';
import type { Db, Tx } from '../db/client.ts';
import type { messages, StoredCopy } from '../db/tables/messages.ts';
import { loadContents } from '../documents/store.ts';
import { getSenderVersion, type SenderContent, shownSender } from '../senders/store.ts';
import type { PrepareTask } from '../templates/rendering/renderer.ts';
import {
  type KeyedParts,
  readsSender,
  readsUnsubscribeLink,
  textsFor,
  type VersionContent,
} from '../templates/version-content.ts';
import { getTemplateVersion } from '../templates/versions.ts';
import type { UnsubscribeLinks } from './unsubscribe/links.ts';

export type MessageRow = typeof messages.$inferSelect;

/** What of a message decides its content. */
export type PinnedContent = Pick<
  MessageRow,
  | 'id'
  | 'tenantId'
  | 'templateId'
  | 'templateVersion'
  | 'senderId'
  | 'senderVersion'
  | 'toName'
  | 'toAddress'
  | 'replyTo'
  | 'copies'
  | 'data'
  | 'overrides'
  | 'documents'
  | 'contentRevision'
  | 'clockAt'
  | 'timezone'
  | 'locale'
  | 'highPriority'
  | 'subscription'
  | 'test'
>;

/** The texts that a message pins, in its language, with what belongs to them. */
export interface PinnedTexts extends KeyedParts {
  inlineImages: VersionContent['inlineImages'];
  readsSender: boolean;
  readsUnsubscribeLink: boolean;
}

/** The texts and senders that messages pin. They never change, so a process may keep them. */
export interface ContentCache {
  texts(message: Pick<PinnedContent, 'tenantId' | 'templateId' | 'templateVersion' | 'locale'>): Promise<PinnedTexts>;
  sender(message: Pick<PinnedContent, 'tenantId' | 'senderId' | 'senderVersion'>): Promise<SenderContent>;
  /** Documents by hash, as they stand in a mail. Those whose content is gone are absent. */
  attachments(tenantId: string, hashes: Iterable<string>): Promise<Map<string, Uint8Array>>;
}

const cachedVersions = 500;
/** Of encoded documents: an edition run attaches the same ones to many mails. */
const cachedAttachmentBytes = 32_000_000;

/** Encoded documents of a process, those used last. Bytes of one hash never change; a tenant sees its own only. */
function createAttachmentCache(db: Db | Tx): ContentCache['attachments'] {
  const kept = createBoundedCache<Uint8Array>(cachedAttachmentBytes);
  return async (tenantId, hashes) => {
    const found = new Map<string, Uint8Array>();
    const wanted: string[] = [];
    for (const sha256 of new Set(hashes)) {
      const encoded = kept.get(`${tenantId}/${sha256}`);
      if (encoded === undefined) wanted.push(sha256);
      else found.set(sha256, encoded);
    }
    for (const [sha256, content] of await loadContents(db, tenantId, wanted)) {
      const encoded = encodeAttachment(content);
      kept.set(`${tenantId}/${sha256}`, encoded, encoded.length);
      found.set(sha256, encoded);
    }
    return found;
  };
}

/** Makes a cache that reads through to the database and keeps the last 500 versions, and 32 MB of documents. */
export function createContentCache(db: Db | Tx): ContentCache {
  const keep = <Value>(load: (...names: string[]) => Promise<Value>) => {
    const kept = new Map<string, Promise<Value>>();
    return (...names: string[]): Promise<Value> => {
      const name = names.join('/');
      const found = kept.get(name);
      if (found !== undefined) return found;
      const oldest = kept.keys().next();
      if (kept.size >= cachedVersions && !oldest.done) kept.delete(oldest.value);
      const loading = load(...names);
      kept.set(name, loading);
      // A failed read must not be remembered.
      loading.catch(() => kept.delete(name));
      return loading;
    };
  };
  const texts = keep(async (locale = '', tenantId = '', templateId = '', version = '') =>
    pinnedTexts(await getTemplateVersion(db, tenantId, templateId, Number(version)), locale),
  );
  const sender = keep((tenantId = '', senderId = '', version = '') =>
    getSenderVersion(db, tenantId, senderId, Number(version)),
  );
  return {
    texts: ({ locale, tenantId, templateId, templateVersion }) =>
      texts(locale, tenantId, templateId, String(templateVersion)),
    sender: (message) => sender(message.tenantId, message.senderId ?? '', String(message.senderVersion)),
    attachments: createAttachmentCache(db),
  };
}

/** What messages of one language need of the version they pin. */
export function pinnedTexts(version: VersionContent, locale: string): PinnedTexts {
  return {
    ...textsFor(version, locale),
    inlineImages: version.inlineImages,
    readsSender: readsSender(version),
    readsUnsubscribeLink: readsUnsubscribeLink(version),
  };
}

/** `Message-ID` (RFC 5322 §3.6.4) without brackets: the same for every retry, new after a correction or resend. */
export function messageIdOf(message: Pick<PinnedContent, 'id' | 'contentRevision'>, sender: SenderContent): string {
  return `${message.id}.${message.contentRevision}@${sender.fromAddress.split('@').at(-1)}`;
}

const shownCopies = (copies: readonly StoredCopy[], ...kinds: StoredCopy['kind'][]) =>
  copies
    .filter(({ kind, outcome }) => kinds.includes(kind) && outcome !== 'blocked')
    .map(({ name, address }) => ({ name, address }));

/** The mail of a message but for its texts: what a person approves, before any redirect. */
export function mailOf(message: PinnedContent, sender: SenderContent): Omit<MailContent, 'subject' | 'text' | 'html'> {
  const replyTo = message.replyTo ?? sender.replyTo;
  return {
    from: { name: sender.fromName, address: sender.fromAddress },
    replyTo: replyTo === null ? null : { name: null, address: replyTo },
    to: { name: message.toName, address: message.toAddress ?? '' },
    cc: shownCopies(message.copies, 'cc'),
    bcc: shownCopies(message.copies, 'bcc', 'archive'),
    documents: message.documents.map(({ filename, mediaType, sha256 }) => ({ name: filename, mediaType, sha256 })),
  };
}

/** The link to unsubscribe that a message has: none is wanted, or one is and the service cannot give it. */
export type MessageLink = { kind: 'none' | 'missing'; url: null } | { kind: 'given'; url: string };

/**
 * The link of a message whose texts read it, or which is subscription mail (RFC 8058). What does not go to the person
 * themselves has one that changes nothing: a tester must not unsubscribe anybody.
 */
export function linkOf(
  links: UnsubscribeLinks,
  { tenantId, id, test, subscription }: PinnedContent,
  { readsUnsubscribeLink }: Pick<PinnedTexts, 'readsUnsubscribeLink'>,
  redirect: Redirect | null,
): MessageLink {
  if (!subscription && !readsUnsubscribeLink) return { kind: 'none', url: null };
  const url = links.urlOf({ tenantId, messageId: id, trial: test || redirect !== null });
  return url === null ? { kind: 'missing', url } : { kind: 'given', url };
}

/** The renderer's task for a message: hashed always, composed when `composition` is given. */
export function prepareTask(
  message: PinnedContent,
  sender: SenderContent,
  texts: PinnedTexts,
  link: MessageLink,
  composition: MailComposition | null,
): PrepareTask {
  return {
    template: texts.key,
    dataJson: JSON.stringify(message.data),
    clockAt: message.clockAt.toISOString(),
    timezone: message.timezone,
    locale: message.locale,
    overrides: message.overrides,
    ...(texts.readsSender ? { sender: shownSender(sender) } : {}),
    ...(texts.readsUnsubscribeLink && link.url !== null ? { unsubscribeUrl: link.url } : {}),
    mail: mailOf(message, sender),
    composition,
  };
}

/** Where everything goes instead of the real people, or null. */
export interface Redirect {
  to: string;
  banner: string;
}

/**
 * The test redirect in force: outside production the deployment's address, else the tenant's own (A10). Whether
 * a driver may reach people at all is another question: see `mayReachPeople`.
 */
export function redirectOf(
  config: { deployment: 'test' | 'production'; safeRecipientEmail: string | null },
  tenant: { testRedirect: string | null; locale: string },
): Redirect | null {
  // Outside production the deployment's address is the stronger one: a tenant's own must not lead to people.
  const to = (config.deployment === 'production' ? null : config.safeRecipientEmail) ?? tenant.testRedirect;
  if (to === null) return null;
  const french = tenant.locale.startsWith('fr');
  return { to, banner: french ? 'Envoi de test, redirigé.' : 'Test sending, redirected.' };
}

/** Whether a driver that reaches people may be used: always in production, else only with a safe recipient. */
export function mayReachPeople(config: {
  deployment: 'test' | 'production';
  safeRecipientEmail: string | null;
}): boolean {
  return config.deployment === 'production' || config.safeRecipientEmail !== null;
}

/** Hashes of the files that a mail carries. */
export function carriedFiles(composition: MailComposition | null): string[] {
  if (composition === null) return [];
  return [...composition.attachments, ...composition.inlineImages].map(({ sha256 }) => sha256);
}

/** One click in the mail program, and the way for people (RFC 2369, RFC 8058). */
function subscriptionHeaders({ subscription }: PinnedContent, { url }: MessageLink): Record<string, string> {
  if (!subscription || url === null) return {};
  return { 'List-Unsubscribe': `<${url}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
}

/** How a message's mail is carried. Its attachments are put in afterwards. */
export function compositionOf(
  message: PinnedContent,
  sender: SenderContent,
  { inlineImages }: PinnedTexts,
  carriage: { date: Date; redirect: Redirect | null; link: MessageLink },
): MailComposition {
  return {
    messageId: messageIdOf(message, sender),
    date: carriage.date.toISOString(),
    highPriority: message.highPriority,
    headers: subscriptionHeaders(message, carriage.link),
    attachments: message.documents.map(({ filename, mediaType, sha256 }) => ({ name: filename, mediaType, sha256 })),
    inlineImages: inlineImages.map(({ filename, ...image }) => ({ name: filename, ...image })),
    redirect: carriage.redirect,
  };
}
