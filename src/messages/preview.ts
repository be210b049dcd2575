import { assembleMail } from '../channels/mail/assembly.ts';
import { AppError } from '../errors.ts';
import type { Renderer } from '../templates/rendering/renderer.ts';
import {
  type ContentCache,
  carriedFiles,
  compositionOf,
  type MessageRow,
  prepareTask,
  type Redirect,
} from './content.ts';

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
 * @throws AppError `erased`; `cannot_be_sent` with the reason, when it has no address or cannot be rendered.
 */
export async function previewMessage(
  deps: { renderer: Renderer },
  content: ContentCache,
  row: MessageRow,
  composed: { date: Date; redirect: Redirect | null } | null,
): Promise<PreparedMessage> {
  if (row.erasedAt !== null) throw new AppError('erased');
  if (row.toNormalized === null || row.senderId === null) {
    const reason = row.reason ?? 'address_missing';
    throw new AppError('cannot_be_sent', { detail: `It has no content to show: ${reason}.`, extra: { reason } });
  }
  const sender = await content.sender(row);
  const texts = await content.texts(row);
  const composition = composed === null ? null : compositionOf(row, sender, texts, composed);
  const attachments = await content.attachments(row.tenantId, carriedFiles(composition));
  const [result] = await deps.renderer.prepare({ [texts.key]: texts.parts }, [
    prepareTask(row, sender, texts, composition),
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
