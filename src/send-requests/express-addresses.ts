/** Addresses that the template itself gives, from the data of each row (M4). */
import { shownSender } from '../senders/store.ts';
import type { PrepareResult, Renderer } from '../templates/rendering/renderer.ts';
import { addressParts } from '../templates/version-content.ts';
import type { Plan, PlannedTemplate } from './plan.ts';
import type { ExpressedAddress, RowBody } from './row-parts.ts';

const fault = (pointer: string, code: 'address_missing' | 'field_missing' | 'template_error', message: string) =>
  ({ kind: 'fault', fault: { pointer, code, message } }) as const;

function expressedBy(result: PrepareResult | undefined): ExpressedAddress {
  if (result?.kind === 'prepared') return { kind: 'address', address: result.subject };
  if (result?.kind === 'field_missing') {
    const [field = ''] = result.fields;
    return fault(`/data/${field.replaceAll('.', '/')}`, 'field_missing', `the template writes to the field ${field}`);
  }
  if (result?.kind === 'template_error' && result.message === 'empty_subject') {
    return fault('/to', 'address_missing', 'the template’s expression of the address gives nothing');
  }
  const why = result?.kind === 'template_error' ? result.message : 'it took too long';
  return fault('/to', 'template_error', `the template’s expression of the address cannot be rendered: ${why}`);
}

/**
 * Renders the expression of a template for the rows that name no address themselves.
 * @param dataOf the data of a row. @returns by the index of the row; empty for a template without one.
 */
export async function expressAddresses(
  deps: { renderer: Renderer },
  plan: Plan,
  { version, sender }: PlannedTemplate,
  rows: readonly RowBody[],
  dataOf: (row: RowBody) => Record<string, unknown>,
): Promise<Map<number, ExpressedAddress>> {
  const expression = addressParts(version);
  if (expression === null) return new Map();
  const { key, parts } = expression;
  const asked = rows.flatMap((row, index) => (row.to === undefined ? [{ row, index }] : []));
  const { timezone, locale } = plan.tenant;
  const results = await deps.renderer.prepare(
    { [key]: parts },
    asked.map(({ row }) => ({
      template: key,
      dataJson: JSON.stringify(dataOf(row)),
      clockAt: (plan.sendAt ?? plan.now).toISOString(),
      timezone,
      locale,
      overrides: {},
      ...(sender === null ? {} : { sender: shownSender(sender) }),
      mail: null,
      composition: null,
    })),
  );
  return new Map(asked.map(({ index }, place) => [index, expressedBy(results[place])]));
}
