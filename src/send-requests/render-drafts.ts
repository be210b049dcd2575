import { linkOf, type PinnedContent, type PinnedTexts, pinnedTexts, prepareTask } from '../messages/content.ts';
import type { UnsubscribeLinks } from '../messages/unsubscribe/links.ts';
import { type IncidentDeps, reportEndedThreads } from '../templates/incidents.ts';
import type { Renderer, TemplateParts } from '../templates/rendering/renderer.ts';
import { type DraftMessage, stopDraft } from './draft-messages.ts';
import type { Plan } from './plan.ts';

/**
 * Renders every draft that could be sent once, to check it and to fix what a person will approve: its subject and
 * `contentHash`. A missing field, or a template that cannot be rendered with the row's data, makes it `KO`.
 */
export async function renderDrafts(
  deps: IncidentDeps & { renderer: Renderer; links: UnsubscribeLinks },
  tenantId: string,
  plan: Plan,
  drafts: readonly DraftMessage[],
): Promise<void> {
  const planned = new Map(plan.templates.map((one) => [one.template.id, one]));
  const templates: Record<string, TemplateParts> = {};
  const known = new Map<string, PinnedTexts>();
  const renderable = drafts.filter(({ row }) => row.status !== 'KO' && row.toAddress !== null);
  const tasks = renderable.map(({ row }) => {
    const { sender = null, version } = planned.get(row.templateId) ?? {};
    if (sender === null || version === undefined) throw new Error('a draft without a sender is KO');
    const name = `${row.templateId}/${row.locale}`;
    const texts = known.get(name) ?? pinnedTexts(version, row.locale);
    known.set(name, texts);
    templates[texts.key] = texts.parts;
    const pinned: PinnedContent = { ...row, tenantId };
    return prepareTask(pinned, sender, texts, linkOf(deps.links, pinned, texts, null), null);
  });
  const results = await deps.renderer.prepare(templates, tasks);
  const rendered = renderable.map(({ row: { templateId, templateVersion } }) => {
    return { templateId, templateVersion, test: plan.trial };
  });
  await reportEndedThreads(deps, tenantId, rendered, results);
  for (const [position, draft] of renderable.entries()) {
    const result = results[position];
    const index = draft.row.rowIndex;
    if (result?.kind === 'prepared') {
      draft.row.subject = result.subject;
      draft.row.contentHash = result.contentHash;
    } else if (result?.kind === 'field_missing') {
      stopDraft(draft, 'KO', 'field_missing', { fields: result.fields });
      for (const field of result.fields) {
        const pointer = `/recipients/${index}/data/${field.replaceAll('.', '/')}`;
        draft.errors.push({ index, pointer, code: 'field_missing', message: `the template uses the field ${field}` });
      }
    } else {
      const timeout = result?.kind !== 'template_error';
      const code = timeout ? 'template_timeout' : 'template_error';
      const message = timeout ? 'the template took too long' : `${result.part}: ${result.message}`;
      stopDraft(draft, 'KO', code, { message });
      draft.errors.push({ index, pointer: `/recipients/${index}`, code, message });
    }
  }
}
