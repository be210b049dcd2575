import Type from 'typebox';
import { closed, lifetimeFields, Uuid } from '../fields.ts';
import { allowedMediaTypes } from './media-type.ts';

/** A file to attach to messages. Its content is kept once per tenant. */
export const Document = closed(
  {
    id: Uuid,
    filename: Type.String({ maxLength: 200 }),
    mediaType: Type.String(),
    size: Type.Integer({ description: 'In bytes.' }),
    sha256: Type.String({ description: 'Hash of the content, in hexadecimal.' }),
    ...lifetimeFields,
  },
  { $id: 'Document' },
);

/** Body of `POST /v1/documents`, as the page shows it: parts are read and checked by the route. */
export const DocumentUpload = closed({
  file: Type.String({
    format: 'binary',
    description: `One file with its name and media type: ${allowedMediaTypes.map((type) => `\`${type}\``).join(', ')}.`,
  }),
});
