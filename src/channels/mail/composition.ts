/**
 * From content to MIME bytes (RFC 5322, 2045). The same input always gives the same bytes.
 */
import { hash } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import type MimeNode from 'nodemailer/lib/mime-node';
import { encode, wrap } from 'nodemailer/lib/qp';
import type { ComposedMail } from './assembly.ts';
import type { MailContent } from './content.ts';
import { extraField, headerField, mailboxField, singleLine, textField } from './headers.ts';

/** How a mail's content is carried: what is in the bytes and was not approved by a person. */
export interface MailComposition {
  /** Without angle brackets; the same for every retry of the same content. */
  messageId: string;
  /** RFC 3339; the Date header. */
  date: string;
  /** Adds `X-Priority: 1`, `Importance: high`, `Priority: urgent`. */
  highPriority: boolean;
  /** Extra single-line headers. Those this module writes itself are refused. */
  headers: Record<string, string>;
  /** Files, in order, by the hash of their content. `message/*` and `multipart/*` travel as `application/octet-stream`. */
  attachments: { name: string; mediaType: string; sha256: string }[];
  /** Pictures that the HTML shows as `cid:…` (RFC 2392, 2387). Those it does not name are left out. */
  inlineImages: { contentId: string; name: string; mediaType: string; sha256: string }[];
  /**
   * Test redirect: the mail goes to `to` alone. `banner` is a sentence in the tenant's language; it is
   * put at the top of text and html, followed by the addresses of all real recipients (bcc too, which
   * is why this is never for production), and they are listed in `X-Original-To`.
   */
  redirect: { to: string; banner: string } | null;
}

const MEDIA_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}(?:; ?charset=[\w-]{1,40})?$/;

/**
 * The MIME bytes of one mail, its attachments aside (`assembly.ts` puts them in): CRLF, no line over 998 octets, text and html as alternatives (an empty
 * one is left out), attachments beside them, `Auto-Submitted: auto-generated` (RFC 3834), never a Bcc.
 * @throws Error when a header value, name, address or file name holds CR, LF or another control
 * character, or is not what its field takes: callers check before.
 */
export function composeMail(content: MailContent, composition: MailComposition): ComposedMail {
  const { messageId, redirect } = composition;
  if (!/^[\x21-\x7e]+$/.test(messageId) || !/^[^<>@\s]+@[^<>@\s]+$/.test(messageId))
    throw new Error('invalid message id');
  const date = new Date(composition.date);
  if (Number.isNaN(date.getTime())) throw new Error('invalid date');
  const root = new MailComposer({
    text: lines(redirect === null ? content.text : textWithBanner(content, redirect.banner)),
    html: lines(redirect === null ? content.html : htmlWithBanner(content, redirect.banner)),
    attachments: [...composition.attachments.map(attachmentOf), ...shownImages(content, composition)],
    messageId: `<${messageId}>`,
    date,
    // "=_" cannot occur in quoted-printable nor in base64, so no content can close a part early.
    boundaryPrefix: '=_',
    baseBoundary: hash('sha256', messageId, 'hex').slice(0, 24),
    encoding: 'quoted-printable',
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  const head = Buffer.from(`${headerFields(content, composition).join('\r\n')}\r\n`);
  const pieces: Uint8Array[] = [];
  const attachments: ComposedMail['attachments'] = [];
  let at = 0;
  for (const piece of [head, ...nodePieces(root)]) {
    if (piece instanceof Uint8Array) {
      pieces.push(piece);
      at += piece.length;
    } else attachments.push({ at, sha256: piece.sha256 });
  }
  return { bytes: Buffer.concat(pieces), attachments };
}

function headerFields(content: MailContent, composition: MailComposition): string[] {
  const { redirect } = composition;
  const fields = [mailboxField('From', [content.from])];
  if (content.replyTo !== null) fields.push(mailboxField('Reply-To', [content.replyTo]));
  if (redirect === null) {
    fields.push(mailboxField('To', [content.to]));
    if (content.cc.length > 0) fields.push(mailboxField('Cc', content.cc));
  } else {
    fields.push(mailboxField('To', [{ name: null, address: redirect.to }]));
    fields.push(
      mailboxField(
        'X-Original-To',
        realRecipients(content).map((address) => ({ name: null, address })),
      ),
    );
  }
  fields.push(textField('Subject', content.subject), headerField('Auto-Submitted', 'auto-generated'));
  if (composition.highPriority) {
    fields.push(headerField('X-Priority', '1'), headerField('Importance', 'high'), headerField('Priority', 'urgent'));
  }
  for (const [name, value] of Object.entries(composition.headers)) fields.push(extraField(name, value));
  return fields;
}

function realRecipients(content: MailContent): string[] {
  return [content.to, ...content.cc, ...content.bcc].map(({ address }) => address);
}

function textWithBanner(content: MailContent, banner: string): string {
  return content.text === '' ? '' : `${banner}\n${realRecipients(content).join('\n')}\n\n${content.text}`;
}

function htmlWithBanner(content: MailContent, banner: string): string {
  const { html } = content;
  if (html === '') return '';
  const rows = [banner, ...realRecipients(content)].map((row) =>
    row.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`),
  );
  const block = `<div style="padding:8px;border:2px solid #b00;background:#fff;color:#b00">${rows.join('<br>')}</div>`;
  const body = html.search(/<body[\s>]/i);
  const at = body < 0 ? 0 : html.indexOf('>', body) + 1;
  return html.slice(0, at) + block + html.slice(at);
}

function lines(text: string): string {
  return text.toWellFormed().replace(/\r\n|\r|\n/g, '\r\n');
}

function attachmentOf({ name, mediaType, sha256 }: MailComposition['attachments'][number]) {
  if (!MEDIA_TYPE.test(mediaType)) throw new Error('invalid media type of an attachment');
  const filename = singleLine(name, 'file name');
  if (filename === '' || filename.length > 255) throw new Error('file name is empty or over 255 characters');
  return {
    filename,
    // These two may not be base64 (RFC 2046 §5.2.1), and anything else could break lines or structure.
    contentType: /^(?:message|multipart)\//i.test(mediaType) ? 'application/octet-stream' : mediaType,
    contentDisposition: 'attachment' as 'attachment' | 'inline',
    contentTransferEncoding: 'base64',
    // What stands here while the tree is made: the bytes themselves never come to this thread.
    content: Buffer.from(sha256),
  };
}

function shownImages({ html }: MailContent, { inlineImages }: MailComposition) {
  return inlineImages
    .filter(({ contentId }) => html.includes(`cid:${contentId}`))
    .map(({ contentId, ...image }) => {
      if (!/^[\w.-]{1,100}@[\w.-]{1,100}$/.test(contentId)) throw new Error('invalid content id');
      return { ...attachmentOf(image), contentDisposition: 'inline', cid: contentId };
    });
}

/**
 * The pieces of a compiled tree: bytes, and the places of attachments. The library's own `build()` gives the same through a stream for every
 * part, at three to five times the cost (measured: 0.09 ms against 0.27 to 0.49 ms).
 */
function nodePieces(node: MimeNode): (Uint8Array | { sha256: string })[] {
  const head = Buffer.from(`${node.buildHeaders()}\r\n\r\n`);
  if (typeof node.boundary === 'string') {
    const { boundary } = node;
    const parts = node.childNodes.flatMap((child, index) => [
      Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n`),
      ...nodePieces(child),
    ]);
    return [head, ...parts, Buffer.from(`\r\n--${boundary}--\r\n`)];
  }
  const { content } = node;
  if (typeof content === 'string') return [head, Buffer.from(`${wrap(encode(content))}\r\n`, 'latin1')];
  if (Buffer.isBuffer(content)) return [head, { sha256: content.toString() }];
  throw new Error('a mail part is neither text nor bytes');
}
