import { createHash } from 'node:crypto';
import { AppError, type ErrorItem } from '../errors.ts';
import type { TemplateParts } from './liquid.ts';
import type { Renderer } from './renderer.ts';

/** What a template gives with some data. */
export interface Preview {
  subject: string;
  text: string;
  html: string;
  size: { subject: number; text: number; html: number };
  hash: string;
}

/**
 * Renders a template with sample data, in the renderer's threads.
 * @param key identifies the parts for ever (template id and version).
 * @throws AppError `unprocessable` naming each missing field, `template_invalid` when it cannot be rendered.
 */
export async function previewTemplate(
  renderer: Renderer,
  template: { key: string; parts: TemplateParts },
  sample: { data: Record<string, unknown>; clockAt: Date; timezone: string; locale: string },
): Promise<Preview> {
  const [result] = await renderer.prepare({ [template.key]: template.parts }, [
    {
      template: template.key,
      dataJson: JSON.stringify(sample.data),
      clockAt: sample.clockAt.toISOString(),
      timezone: sample.timezone,
      locale: sample.locale,
      overrides: {},
      mail: null,
      composition: null,
    },
  ]);
  if (result?.kind === 'field_missing') {
    const items: ErrorItem[] = result.fields.map((field) => ({
      pointer: `/data/${field.replaceAll('.', '/')}`,
      code: 'field_missing',
      message: `the template uses the field ${field}`,
    }));
    throw new AppError('unprocessable', { detail: `Missing: ${result.fields.join(', ')}`, items });
  }
  if (result?.kind !== 'prepared') {
    const message = result?.kind === 'template_error' ? `${result.part}: ${result.message}` : 'it took too long';
    throw new AppError('template_invalid', { detail: message });
  }
  const { subject, text, html } = result;
  return {
    subject,
    text,
    html,
    size: { subject: Buffer.byteLength(subject), text: Buffer.byteLength(text), html: Buffer.byteLength(html) },
    hash: createHash('sha256')
      .update(JSON.stringify([subject, text, html]))
      .digest('hex'),
  };
}
