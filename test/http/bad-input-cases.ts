/** What is wrong, and how it must be told: the tables of `bad-input.test.ts`. */
import { randomUUID } from 'node:crypto';
import { pdf } from '../support/broker.ts';
import type { Part } from '../support/multipart.ts';
import { noticeData } from '../support/seeds.ts';

/** What an answer must say. `pointer` and `item`: of its first error. */
type Expected = [status: number, code: string, pointer?: string, item?: string];

/** A good row. */
export const row = (changes: object = {}) => ({
  to: { address: 'jeanne@courriel.example' },
  data: noticeData,
  ...changes,
});

/** A good send request. */
export const order = (changes: object = {}) => ({ template: 'avis-echeance', recipients: [row()], ...changes });

const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

/** Bodies of a send request that are refused whole. */
export const requests: Record<string, [body: unknown, ...Expected]> = {
  'an unknown field': [order({ colour: 1 }), 400, 'invalid_body', '/colour', 'unknown_field'],
  'an unknown field of a row': [
    order({ recipients: [row({ 'a/b~': 1 })] }),
    400,
    'invalid_body',
    '/recipients/0/a~1b~0',
    'unknown_field',
  ],
  'a wrong type': [order({ dryRun: 'yes' }), 400, 'invalid_body', '/dryRun', 'wrong_type'],
  'text that could be read as a number': [
    order({ templateVersion: '1' }),
    400,
    'invalid_body',
    '/templateVersion',
    'wrong_type',
  ],
  'a word that is none of the list': [order({ priority: 'soon' }), 400, 'invalid_body', '/priority', 'not_allowed'],
  'no recipients': [order({ recipients: [] }), 400, 'invalid_body', '/recipients', 'too_few'],
  'a field that is missing': [{ template: 'avis-echeance' }, 400, 'invalid_body', '/recipients', 'required'],
  'an unknown template': [order({ template: 'nobody' }), 422, 'unprocessable', '/template', 'template_unknown'],
  'an unknown version': [order({ templateVersion: 9 }), 422, 'unprocessable', '/templateVersion', 'version_unknown'],
  'an unpublished version': [
    order({ template: 'inutile', templateVersion: 2 }),
    422,
    'unprocessable',
    '/templateVersion',
    'version_unpublished',
  ],
  'two ways to name the template': [order({ documentType: 'x' }), 422, 'unprocessable', '/template', 'template_choice'],
  'a line break in a subject': [
    order({ overrides: { subject: 'Avis\r\nBcc: x@y.example' } }),
    400,
    'invalid_body',
    '/overrides/subject',
    'wrong_format',
  ],
  'a line break in a name': [
    order({ recipients: [row({ to: { address: 'a@b.example', name: 'A\nB' } })] }),
    400,
    'invalid_body',
    '/recipients/0/to/name',
    'wrong_format',
  ],
  'a reply-to that is two addresses': [
    order({ overrides: { replyTo: 'a@b.example, c@d.example' } }),
    422,
    'unprocessable',
    '/overrides/replyTo',
    'address_invalid',
  ],
  'a date before 1900': [order({ editedAt: '1899-12-31T23:59:59Z' }), 400, 'invalid_body', '/editedAt', 'wrong_format'],
  'a date after 2200': [order({ sendAt: '2201-01-01T00:00:00Z' }), 400, 'invalid_body', '/sendAt', 'wrong_format'],
  'a day that does not exist': [
    order({ sendAt: '2027-02-30T08:00:00Z' }),
    400,
    'invalid_body',
    '/sendAt',
    'wrong_format',
  ],
  'a time without its offset': [
    order({ sendAt: '2027-01-04T08:00:00' }),
    400,
    'invalid_body',
    '/sendAt',
    'wrong_format',
  ],
  'a time in the past': [order({ sendAt: '2026-11-22T08:59:59Z' }), 422, 'unprocessable', '/sendAt', 'in_past'],
  'a limit in the past': [order({ notAfter: '2026-11-22T08:59:59Z' }), 422, 'unprocessable', '/notAfter', 'in_past'],
  'a time after its limit': [
    order({ sendAt: '2027-01-05T08:00:00Z', notAfter: '2027-01-04T08:00:00Z' }),
    422,
    'unprocessable',
    '/sendAt',
    'after_not_after',
  ],
  'a document twice': [
    order({ documents: ['01a2027b-d680-7337-b0f8-18ed8d919358', '01a2027b-d680-7337-b0f8-18ed8d919358'] }),
    400,
    'invalid_body',
    '/documents',
    'repeated',
  ],
  'an empty id': [order({ documents: [''] }), 400, 'invalid_body', '/documents/0', 'wrong_format'],
  'U+0000': ['{"template":"a\\u0000b"}', 400, 'invalid_json', '/template', 'null_character'],
  'a lone surrogate': ['{"template":"\\ud83d"}', 400, 'invalid_json', '/template', 'lone_surrogate'],
  'a lone surrogate in a name': ['{"data":{"\\udc00":1}}', 400, 'invalid_json', '/data', 'lone_surrogate'],
  'invalid UTF-8': [Buffer.from([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d]), 400, 'invalid_json', '', 'invalid_utf8'],
  '__proto__ in data': [
    '{"template":"x","recipients":[{"data":{"__proto__":{"admin":true}}}]}',
    400,
    'invalid_json',
    '/recipients/0/data/__proto__',
    'reserved_name',
  ],
  'deep JSON': [order({ data: nested(40) }), 400, 'invalid_json', `/data${'/a'.repeat(31)}`, 'too_deep'],
  'JSON deep enough to end a stack': [
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    400,
    'invalid_json',
    '/0'.repeat(32),
    'too_deep',
  ],
  'JSON that is cut': ['{"template":', 400, 'invalid_json'],
  'a whole number beyond 2^53': [
    '{"data":{"contrat":9007199254740993}}',
    400,
    'invalid_json',
    '/data/contrat',
    'number_too_large',
  ],
  'a number beyond all': ['{"data":{"montant":1e999}}', 400, 'invalid_json', '/data/montant', 'number_too_large'],
  'a body over the limit': [`"${'x'.repeat(33 * 1024 * 1024)}"`, 413, 'body_too_large'],
  'too many recipients': [
    order({ recipients: Array(10_001).fill({}) }),
    400,
    'invalid_body',
    '/recipients',
    'too_many',
  ],
};

/** Rows that are kept as `KO`, with their index, pointer and code. */
export const rows: Record<string, [row: object, pointer: string, code: string]> = {
  'no address': [{ data: noticeData }, '/to', 'address_missing'],
  'an unknown recipient': [{ recipient: 'external:client:nobody' }, '/recipient', 'recipient_unknown'],
  'an unknown document': [row({ documents: [randomUUID()] }), '/documents', 'document_invalid'],
  'a missing merge field': [row({ data: { ...noticeData, montant: undefined } }), '/data/montant', 'field_missing'],
  'a copy to no address': [row({ cc: [{ address: 'nobody' }] }), '/cc/0/address', 'address_invalid'],
};

/** What is not one strict address. */
export const addresses: Record<string, string> = {
  'a name before the address': 'Jean <a@b.example>',
  'a list': 'a@b.example,c@d.example',
  'a group': 'amis:a@b.example;',
  'a comment': 'a(jean)@b.example',
  'a control character': 'a\u0007@b.example',
  'a line break': 'a@b.example\r\nRCPT TO:<c@d.example>',
  'a space': ' a@b.example',
  'a quoted local part': '"a b"@b.example',
  'a local part that is too long': `${'a'.repeat(65)}@b.example`,
  'a domain literal': 'a@[127.0.0.1]',
  'an address that is a number': 'a@127.0.0.1',
  'two @': 'a@b@c.example',
  'a local part beyond ASCII': 'hélène@b.example',
  'a mark of direction': 'a\u202e@b.example',
};

/** Files that are refused. */
export const files: Record<string, [part: Part, code: string]> = {
  'a path': [{ filename: '../../etc/passwd.pdf' }, 'filename_invalid'],
  'a Windows path': [{ filename: 'C:\\\\temp\\\\avis.pdf' }, 'filename_invalid'],
  'an encoded line break': [{ filename: 'avis%0D%0Aa.pdf' }, 'filename_invalid'],
  'a mark of direction': [{ filename: 'avis\u202efdp.exe' }, 'filename_invalid'],
  'too long a name': [{ filename: `${'é'.repeat(200)}.pdf` }, 'filename_invalid'],
  'no bytes': [{ content: '' }, 'empty'],
  'a type that is not allowed': [{ mediaType: 'application/x-msdownload' }, 'media_type_not_allowed'],
  'bytes of another type': [{ content: 'MZ, no PDF' }, 'media_type_mismatch'],
  'a PDF that calls itself text': [{ mediaType: 'text/plain' }, 'media_type_mismatch'],
  'too many bytes': [{ content: Buffer.concat([pdf('avis'), Buffer.alloc(2_000_001)]) }, 'too_large'],
};
