/** What the tests of rendering share: a task with defaults, and a clock. */
import type { MailContent } from '../../src/channels/mail/content.ts';
import type { PrepareTask } from '../../src/templates/rendering/renderer.ts';

export function taskWith(change: Partial<PrepareTask> & { data?: unknown } = {}): PrepareTask {
  const { data = {}, ...rest } = change;
  return {
    template: 'template-1',
    dataJson: JSON.stringify(data),
    clockAt: '2022-03-05T08:30:00Z',
    timezone: 'Europe/Paris',
    locale: 'fr-FR',
    overrides: {},
    mail: null,
    composition: null,
    ...rest,
  };
}

export function contentWith(change: Partial<MailContent> = {}): MailContent {
  return {
    from: { name: 'Préfecture', address: 'no-reply@example.org' },
    replyTo: null,
    to: { name: 'Élodie', address: 'elodie@example.org' },
    cc: [],
    bcc: [],
    subject: 'Rendez-vous',
    text: 'Bonjour',
    html: '<p>Bonjour</p>',
    documents: [],
    ...change,
  };
}

export const compositionDefaults = {
  messageId: '0190.1@example.org',
  date: '2022-03-05T08:30:00Z',
  highPriority: false,
  headers: {},
  attachments: [],
  inlineImages: [],
  redirect: null,
};
