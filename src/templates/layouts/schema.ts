import Type from 'typebox';
import { closed, key, lifetimeFields, line, nullable, Uuid } from '../../fields.ts';

const fields = {
  title: line(200),
  logo: nullable(
    Type.String({
      format: 'uuid',
      description: 'Id of a document: a PNG, JPEG or GIF of 300 kB at most. It travels within the mail.',
    }),
  ),
  logoText: Type.String({ maxLength: 200, description: 'What is read where the picture is not shown.' }),
  academicYear: nullable(line(50, { description: 'As it is to be read, e.g. `2026-2027`.' })),
  identity: nullable(
    Type.String({
      minLength: 1,
      maxLength: 20_000,
      description: 'Liquid, HTML: who is written to, e.g. name, student number and birth date.',
    }),
  ),
  css: nullable(
    Type.String({ minLength: 1, maxLength: 50_000, description: 'Added to the frame’s own; put onto the elements.' }),
  ),
  html: nullable(
    Type.String({
      minLength: 1,
      maxLength: 100_000,
      description:
        'A frame of your own, with places: `{{ slot.logo }}`, `slot.academicYear`, `slot.identity`, `slot.header`, `slot.body`, `slot.list`, `slot.information`, `slot.signature`. Null: the service’s.',
    }),
  ),
};

/** What stands around the sections of mails (A8). */
export const Layout = closed(
  {
    id: Uuid,
    key: key(),
    ...fields,
    version: Type.Integer({ description: 'Goes up with each change that mails show.' }),
    ...lifetimeFields,
  },
  { $id: 'Layout' },
);

const optional = {
  logo: Type.Optional(fields.logo),
  logoText: Type.Optional(fields.logoText),
  academicYear: Type.Optional(fields.academicYear),
  identity: Type.Optional(fields.identity),
  css: Type.Optional(fields.css),
  html: Type.Optional(fields.html),
};

/** Body of `POST /v1/layouts`. */
export const NewLayout = closed(
  { key: key(), title: fields.title, ...optional },
  {
    examples: [
      {
        key: 'scolarite',
        title: 'Scolarité centrale',
        logoText: 'Université de Nantes',
        academicYear: '2026-2027',
        identity: '{{ etudiant.prenom }} {{ etudiant.nom }}, n° {{ etudiant.numero }}',
      },
    ],
  },
);

/** Body of `PATCH /v1/layouts/{id}`. */
export const LayoutChange = closed(
  { title: Type.Optional(fields.title), ...optional },
  { minProperties: 1, examples: [{ academicYear: '2027-2028' }] },
);
