import { createHash } from 'node:crypto';
import { AppError, type ErrorItem } from '../errors.ts';
import type { PrepareResult, Renderer, ShownSender } from './rendering/renderer.ts';
import { sampleUnsubscribeUrl } from './rendering/unsubscribe-place.ts';
import type { KeyedParts } from './version-content.ts';

/** What a template gives with some data. */
export interface Preview {
  subject: string;
  text: string;
  html: string;
  size: { subject: number; text: number; html: number };
  hash: string;
}

/** Data to try a template with, and when and where it is read. */
export interface Sample {
  data: Record<string, unknown>;
  clockAt: Date;
  timezone: string;
  locale: string;
  /** Null: it has none yet. */
  sender: ShownSender | null;
}

/** What rendering a sample needs. */
export interface PreviewDeps {
  renderer: Renderer;
}

/**
 * Renders a template with sample data, in the renderer's threads. A thread that it ends does not count against the
 * template: whoever may look at one could disable it.
 */
export async function renderSample(
  deps: PreviewDeps,
  template: KeyedParts,
  sample: Sample,
): Promise<PrepareResult | undefined> {
  const [result] = await deps.renderer.prepare({ [template.key]: template.parts }, [
    {
      template: template.key,
      dataJson: JSON.stringify(sample.data),
      clockAt: sample.clockAt.toISOString(),
      timezone: sample.timezone,
      locale: sample.locale,
      overrides: {},
      ...(sample.sender === null ? {} : { sender: sample.sender }),
      unsubscribeUrl: sampleUnsubscribeUrl,
      mail: null,
      composition: null,
    },
  ]);
  return result;
}

/**
 * What a person would see of a template with sample data.
 * @throws AppError `unprocessable` naming each missing field, `template_invalid` when it cannot be rendered.
 */
export async function previewTemplate(deps: PreviewDeps, template: KeyedParts, sample: Sample): Promise<Preview> {
  const result = await renderSample(deps, template, sample);
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
