/** Addresses that the template itself gives, from the data of each row (M4). */
import { shownSender } from '../senders/store.ts';
import { type IncidentDeps, reportEndedThreads } from '../templates/incidents.ts';
import type { PrepareResult, Renderer } from '../templates/rendering/renderer.ts';
import { addressParts } from '../templates/version-content.ts';
import type { Plan, PlannedTemplate } from './plan.ts';
import type { ExpressedAddress, RowBody } from './row-parts.ts';

/** At `/to`, whatever it is: giving an address mends it. */
const fault = (code: 'field_missing' | 'template_error', message: string) =>
  ({ kind: 'fault', fault: { pointer: '/to', code, message } }) as const;

function expressedBy(result: PrepareResult | undefined): ExpressedAddress {
  if (result?.kind === 'prepared') return { kind: 'address', address: result.subject };
  if (result?.kind === 'field_missing') {
    const [field = ''] = result.fields;
    return fault('field_missing', `the template writes to the field ${field}`);
  }
  if (result?.kind === 'template_error' && result.message === 'empty_subject') return { kind: 'nothing' };
  const why = result?.kind === 'template_error' ? result.message : 'it took too long';
  return fault('template_error', `the template’s expression of the address cannot be rendered: ${why}`);
}

/**
 * Renders the expression of a template for the rows that name no address themselves.
 * @returns by the index of the row; empty for a template without one.
 */
export async function expressAddresses(
  deps: IncidentDeps & { renderer: Renderer },
  plan: Plan,
  { template, version, sender }: PlannedTemplate,
  rows: readonly { index: number; row: RowBody; data: Record<string, unknown> }[],
): Promise<Map<number, ExpressedAddress>> {
  const expression = addressParts(version);
  if (expression === null) return new Map();
  const { key, parts } = expression;
  const asked = rows.filter(({ row }) => row.to === undefined);
  const { timezone, locale } = plan.tenant;
  const results = await deps.renderer.prepare(
    { [key]: parts },
    asked.map(({ data }) => ({
      template: key,
      dataJson: JSON.stringify(data),
      clockAt: (plan.sendAt ?? plan.now).toISOString(),
      timezone,
      locale,
      overrides: {},
      ...(sender === null ? {} : { sender: shownSender(sender) }),
      mail: null,
      composition: null,
    })),
  );
  const rendered = { templateId: template.id, templateVersion: version.version, test: plan.trial };
  const each = asked.map(() => rendered);
  await reportEndedThreads(deps, template.tenantId, each, results);
  return new Map(asked.map(({ index }, place) => [index, expressedBy(results[place])]));
}
