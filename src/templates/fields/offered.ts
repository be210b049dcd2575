import type { Db } from '../../db/client.ts';
import { type FieldEntry, listFields } from '../../merge-fields/shape.ts';
import { offers, serviceFields } from './known.ts';
import { allFieldSources, type FieldUsage } from './store.ts';

function shown({ path, field }: FieldEntry, source: string) {
  const { type, title = null, description = null, format = null, examples = [], scope = 'shared' } = field;
  return { path, type, title, description, format, example: examples[0] ?? null, scope, source };
}

/** Every field that templates of a trigger or page may use, by list or extraction and in its order (J2). */
export async function offeredFields(db: Db, tenantId: string, usage: Pick<FieldUsage, 'trigger' | 'pages'>) {
  const sources = (await allFieldSources(db, tenantId)).filter((source) => offers(source, usage));
  return [
    ...sources.flatMap(({ key, fields }) =>
      fields === null ? [] : [...listFields(fields)].map((entry) => shown(entry, key)),
    ),
    ...[...listFields(serviceFields)].map((entry) => shown(entry, 'service')),
  ];
}
