import Type from 'typebox';
import { closed, key, nullable, Uuid, words } from '../fields.ts';

/** Templates that read fields which nothing gives, as callers see them. */
export function brokenTemplates(description: string) {
  return Type.Array(
    closed({
      id: Uuid,
      key: key(),
      version: Type.Integer(),
      fields: Type.Array(
        closed({
          path: Type.String(),
          trigger: nullable(
            words(['person', 'activity'], {
              description: 'It is a field of this trigger, which is not the template’s.',
            }),
          ),
          suggestion: nullable(Type.String({ description: 'A field with nearly the same name.' })),
        }),
      ),
    }),
    { description },
  );
}
