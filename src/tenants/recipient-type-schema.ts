import Type from 'typebox';
import { closed, key, lifetimeFields, line, Uuid, words } from '../fields.ts';

const fields = {
  title: line(200, { examples: ['Entreprise partenaire'] }),
  reachedThrough: words(['own', 'contact', 'contact-first'], {
    description:
      '`own`: by their own addresses, else those of the structure they are part of (M11). `contact`: by their reference contact only (J5). `contact-first`: by their reference contact, else their own addresses (D3).',
  }),
};

/** A kind of person or structure. */
export const RecipientType = closed({ id: Uuid, key: key(), ...fields, ...lifetimeFields }, { $id: 'RecipientType' });

/** Body of `POST /v1/recipient-types`. */
export const NewRecipientType = closed(
  { key: key(), title: fields.title, reachedThrough: Type.Optional(fields.reachedThrough) },
  { examples: [{ key: 'entreprise-partenaire', title: 'Entreprise partenaire', reachedThrough: 'contact' }] },
);

/** Body of `PATCH /v1/recipient-types/{id}`. */
export const RecipientTypeChange = closed(
  { title: Type.Optional(fields.title), reachedThrough: Type.Optional(fields.reachedThrough) },
  { minProperties: 1, examples: [{ reachedThrough: 'contact-first' }] },
);
