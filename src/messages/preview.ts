import { assembleMail } from '../channels/mail/assembly.ts';
import { AppError } from '../errors.ts';
import type { Renderer } from '../templates/rendering/renderer.ts';
import {
  type ContentCache,
  carriedFiles,
  compositionOf,
  linkOf,
  type MessageRow,
  prepareTask,
  type Redirect,
} from './content.ts';
import type { UnsubscribeLinks } from './unsubscribe/links.ts';

/** What previewing needs. */
export interface PreviewDeps {
  renderer: Renderer;
  links: UnsubscribeLinks;
}

/** A message as it will leave. */
export interface PreparedMessage {
  subject: string;
  text: string;
  html: string;
  contentHash: string;
  raw: Uint8Array[] | null;
}

/**
 * Renders a message, and composes it when asked: the same call as the dispatcher's, so that what is seen is byte for
 * byte what leaves, the Date header aside (W8).
 * @param how.composedAt the Date header; null: only its texts are wanted.
 * @throws AppError `cannot_be_sent` with the reason, when it has no address, needs a link that the service cannot give,
 * or cannot be rendered.
 */
export async function previewMessage(
  deps: PreviewDeps,
  content: ContentCache,
  row: MessageRow,
  { redirect, composedAt }: { redirect: Redirect | null; composedAt: Date | null },
): Promise<PreparedMessage> {
  if (row.toNormalized === null || row.senderId === null) {
    const reason = row.reason ?? 'address_missing';
    throw new AppError('cannot_be_sent', { detail: `It has no content to show: ${reason}.`, extra: { reason } });
  }
  const sender = await content.sender(row);
  const texts = await content.texts(row);
  const link = linkOf(deps.links, row, texts, redirect);
  if (link.kind === 'missing') {
    throw new AppError('cannot_be_sent', {
      detail: 'It needs a link to unsubscribe, and the service has no public https address (PUBLIC_URL).',
      extra: { reason: 'unsubscribe_link_missing' },
    });
  }
  const composition =
    composedAt === null ? null : compositionOf(row, sender, texts, { date: composedAt, redirect, link });
  const attachments = await content.attachments(row.tenantId, carriedFiles(composition));
  const [result] = await deps.renderer.prepare({ [texts.key]: texts.parts }, [
    prepareTask(row, sender, texts, link, composition),
  ]);
  if (result?.kind === 'prepared' && result.contentHash !== null) {
    const { subject, text, html, contentHash, mail } = result;
    const raw = mail === null ? null : assembleMail(mail, attachments);
    if (mail === null || raw !== null) return { subject, text, html, contentHash, raw };
    throw new AppError('cannot_be_sent', { detail: 'A document is gone.', extra: { reason: 'content_gone' } });
  }
  const fields = result?.kind === 'field_missing' ? result.fields : [];
  throw new AppError('cannot_be_sent', {
    detail: fields.length > 0 ? `Missing: ${fields.join(', ')}.` : 'The template cannot be rendered with this data.',
    items: fields.map((field) => ({
      pointer: `/data/${field.replaceAll('.', '/')}`,
      code: 'field_missing',
      message: `the template uses the field ${field}`,
    })),
    extra: { reason: result?.kind === 'prepared' ? 'template_error' : (result?.kind ?? 'template_timeout') },
  });
}
