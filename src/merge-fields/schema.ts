import Type from 'typebox';
import type { FieldsShape } from './shape.ts';

/** A shape of fields as callers give it; `shape.ts` says what it must be. */
export function fieldsShape(description: string) {
  return Type.Unsafe<FieldsShape>({
    type: 'object',
    description: `${description} A JSON Schema: an object whose \`properties\` are the fields, each with \`type\`, \`title\`, \`description\`, \`format\` (\`date\`, \`date-time\`, \`email\`, \`uri\`), \`examples\`, \`scope\` (\`individual\`: differs for each of a group; \`shared\`), and \`properties\` or \`items\` of its own.`,
    examples: [exampleFields],
  });
}

/** A small shape, for the document. */
export const exampleFields = {
  type: 'object',
  properties: {
    personne: {
      type: 'object',
      properties: {
        civilite: { type: 'string', title: 'Civilité', examples: ['Madame'] },
        nom: { type: 'string', title: 'Nom', examples: ['D’Hérouville'], scope: 'individual' },
      },
      required: ['nom'],
    },
    pieces: { type: 'array', items: { type: 'object', properties: { titre: { type: 'string' } } } },
  },
};
