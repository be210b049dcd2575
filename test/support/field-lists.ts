import type { TestService } from './service.ts';
import { must } from './templates.ts';

/** The fields of an application: those of a person, those of an activity with its participants, those of one page. */
export const fieldLists = {
  personne: {
    title: 'Personne',
    trigger: 'person',
    fields: {
      type: 'object',
      properties: {
        personne: {
          type: 'object',
          properties: {
            civilite: { type: 'string', title: 'Civilité', examples: ['Madame'] },
            nom: { type: 'string', title: 'Nom', examples: ['D’Hérouville'] },
          },
        },
      },
    },
  },
  action: {
    title: 'Action',
    trigger: 'activity',
    fields: {
      type: 'object',
      properties: {
        action_date: { type: 'string', format: 'date-time', title: 'Date', examples: ['2022-03-05T09:30:00+01:00'] },
        action_site: { type: 'object', properties: { ville: { type: 'string' } } },
        participant: { type: 'object', properties: { nom: { type: 'string', scope: 'individual' } } },
        pieces: { type: 'array', items: { type: 'object', properties: { titre: { type: 'string' } } } },
      },
    },
  },
  dossier: {
    title: 'Page du dossier',
    pages: ['dossier'],
    fields: { type: 'object', properties: { numero: { type: 'string', examples: ['D-2026-000123'] } } },
  },
} as const;

/** Adds lists of fields. @returns their paths by key. */
export async function addFieldLists(
  { inject }: TestService,
  keys: readonly (keyof typeof fieldLists)[] = ['personne', 'action', 'dossier'],
): Promise<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const key of keys) {
    const made = must(await inject('POST', '/v1/field-lists', { body: { key, ...fieldLists[key] } }), 201);
    paths[key] = `/v1/field-lists/${made.id}`;
  }
  return paths;
}
