import { randomUUID } from 'node:crypto';
import PostalMime from 'postal-mime';
import t from 'tap';
import { addTemplate, done } from '../support/broker.ts';
import { messageIdOf, receiverOf, startSending } from '../support/sending.ts';
import { startService, type TestService } from '../support/service.ts';

const marks = 2_000;
const whole = { subject: 'Notice', text: 'Dear client', html: '<p>Dear client</p>' };
const hidden = 'thief@elsewhere.test';

/** Each ends a line for some reader, by its name. */
const lineEnds = { CR: '\r', LF: '\n', CRLF: '\r\n' };
const unicodeLineEnds = { 'U+2028': '\u2028', 'U+2029': '\u2029' };

/** Adds a draft version with some other texts. */
async function versionsOf({ inject }: TestService) {
  const body = { key: 'limits', title: 'Limits', channel: 'mail' };
  const path = `/v1/templates/${(await done(inject('POST', '/v1/templates', { body }))).id}/versions`;
  return {
    add: (texts: object) => inject('POST', path, { body: { ...whole, ...texts } }),
    count: async () => (await inject('GET', path)).body.items.length as number,
  };
}

const tooComplex = (part: string, count: number) => ({
  status: 422,
  body: {
    code: 'template_invalid',
    detail: `/${part} has ${count} outputs, tags, filters and conditions; ${marks} is the most`,
    errors: [{ pointer: `/${part}`, code: 'too_complex', message: /2000 is the most/ }],
  },
});

t.test('a part of a template has at most 2,000 outputs and tags', async (t) => {
  const service = await startService(t);
  const { add, count } = await versionsOf(service);
  const outputs = (number: number) => '{{ a }} '.repeat(number);
  const conditions = (number: number) => '{% if a %}x{% endif %}'.repeat(number / 2);
  for (const part of ['text', 'html']) {
    t.match(await add({ [part]: outputs(marks + 1) }), tooComplex(part, marks + 1), `${part}: one output more`);
    const mixed = `${conditions(marks)}{{- a -}}`;
    t.match(await add({ [part]: mixed }), tooComplex(part, marks + 1), `${part}: tags and outputs count together`);
  }
  t.match(
    await add({ text: '{Adr_Nom}'.repeat(marks + 1), syntax: 'braces' }),
    tooComplex('text', marks + 1),
    'braces',
  );
  t.equal(await count(), 0, 'nothing was kept');

  t.match(await add({ text: outputs(marks), html: outputs(marks) }), { status: 201, body: { usedFields: ['a'] } });
  t.match(await add({ html: conditions(marks) }), { status: 201 });
  t.match(await add({ text: '{Adr_Nom}'.repeat(marks), syntax: 'braces' }), {
    status: 201,
    body: { usedFields: ['Adr_Nom'] },
  });
  t.match(await add({ text: '{ braces } and % signs are no marks '.repeat(marks + 1) }), { status: 201 });
  const named = Array.from({ length: marks }, (_, index) => `{{ field${index} }}`).join('');
  const distinct = await add({ text: named });
  t.equal(distinct.body.usedFields.length, marks, 'all at the cap are listed');
});

t.test('the lines of a liquid tag, filters and conditions count like the outputs and tags they are in', async (t) => {
  const service = await startService(t);
  const { add } = await versionsOf(service);
  const tags = (number: number) => `{% liquid\n${'echo a\n'.repeat(number)}%}`;
  t.match(await add({ text: tags(100) }), { status: 201, body: { usedFields: ['a'] } });
  const refused = { status: 422, body: { errors: [{ code: 'too_complex' }] } };
  t.match(await add({ text: tags(marks + 1) }), refused);
  t.match(await add({ text: `{{ a${' | upcase'.repeat(marks)} }}` }), refused);
  t.match(await add({ text: `{% if a${' or a'.repeat(marks)} %}x{% endif %}` }), refused);
  t.match(await add({ text: 'this or that | and more\n'.repeat(marks) }), { status: 201 }, 'text is only text');
});

t.test('a template at the cap is rendered and sent', async (t) => {
  const service = await startSending(t);
  await addTemplate(service, { key: 'long' }, { ...whole, text: '{{ name }}\n'.repeat(marks) });
  const { messages } = await service.send([{ to: { address: 'ann@people.test' }, data: { name: 'Ann' } }], {
    template: 'long',
  });
  await service.work();
  t.equal((await service.message(messages[0] ?? '')).status, 'OK');
  const [mail] = service.sink.mails;
  const { text } = await PostalMime.parse(mail?.raw ?? '');
  t.equal(text?.match(/Ann/g)?.length, marks);
});

/** A subject of a template version that would be more than one line. */
const twoLines = {
  status: 422,
  body: { code: 'template_invalid', errors: [{ pointer: '/subject', code: 'control_character' }] },
};

t.test('the subject of a template is one line', async (t) => {
  const service = await startService(t);
  const { add, count } = await versionsOf(service);
  for (const [name, end] of Object.entries(lineEnds)) {
    t.match(await add({ subject: `Notice${end}Bcc: ${hidden}` }), twoLines, `${name} in the words`);
    t.match(await add({ subject: `Notice {{ name${end}}}` }), twoLines, `${name} inside an output`);
    t.match(await add({ subject: `Notice${end}` }), twoLines, `${name} at the end`);
    const braces = { subject: `Notice {Adr_Nom}${end}Bcc: ${hidden}`, syntax: 'braces' };
    t.match(await add(braces), twoLines, `${name} in the old syntax`);
  }
  t.equal(await count(), 0, 'nothing was kept');
});

t.test('a Unicode line end in the subject of a template is refused like the others', async (t) => {
  const service = await startService(t);
  const { add } = await versionsOf(service);
  for (const [name, end] of Object.entries(unicodeLineEnds)) {
    t.match(await add({ subject: `Notice${end}Bcc: ${hidden}` }), twoLines, name);
  }
});

t.test('a literal subject is one line, in a request and in a correction; the field is named', async (t) => {
  const service = await startSending(t);
  const { messages } = await service.send([{ to: { address: 'ann@people.test' }, data: { name: 'Ann' } }], {
    validation: 'manual',
  });
  const [id = ''] = messages;
  const before = await service.message(id);
  const headers = { 'if-match': '*' };
  for (const [name, end] of Object.entries({ ...lineEnds, ...unicodeLineEnds })) {
    const subject = `Notice${end}Bcc: ${hidden}`;
    const recipients = [{ to: { address: 'bob@people.test' }, data: { name: 'Bob' } }];
    const body = { template: 'notice', recipients, overrides: { subject } };
    const asked = await service.post('/v1/send-requests', body, { headers: { 'idempotency-key': randomUUID() } });
    const refusal = (pointer: string) => ({ status: 400, body: { code: 'invalid_body', errors: [{ pointer }] } });
    t.match(asked, refusal('/overrides/subject'), `${name} in a request`);
    const corrected = await service.inject('PATCH', `/v1/messages/${id}`, { body: { subject }, headers });
    t.match(corrected, refusal('/subject'), `${name} in a correction`);
  }
  t.same(await service.message(id), before);
  t.equal((await service.inject('GET', '/v1/messages')).body.items.length, 1, 'no request was kept');
});

t.test('a newline in the data of a subject begins no header', async (t) => {
  const service = await startSending(t);
  const filtered = { ...whole, subject: 'For {{ name | strip_newlines }}' };
  await addTemplate(service, { key: 'filtered' }, filtered);
  const row = (name: string) => ({ to: { address: 'ann@people.test' }, data: { name } });
  const injections = Object.values({ ...lineEnds, ...unicodeLineEnds }).map((end) => `Ann${end}Bcc: ${hidden}`);
  const refused = await service.send(injections.map(row));
  for (const id of refused.messages) {
    const message = await service.message(id);
    t.match(message, {
      status: 'KO',
      reason: 'template_error',
      reasonDetail: { message: /^subject: control_character/ },
    });
  }
  // What has no newline once it is rendered may leave, whatever it looks like.
  const word = `=?utf-8?Q?Ann=0D=0ABcc:_${hidden}?=`;
  const trimmed = await service.send([row('Ann\r\n'), row(word)]);
  const stripped = await service.send([row(`Ann\r\nBcc: ${hidden}`)], { template: 'filtered' });
  await service.work();
  const ids = [...trimmed.messages, ...stripped.messages];
  const subjects = ['For Ann', `For ${word}`, `For AnnBcc: ${hidden}`];
  for (const [index, id] of ids.entries()) {
    t.match(await service.message(id), { status: 'OK', subject: subjects[index], copies: [] });
  }
  t.same(
    service.sink.mails.map(receiverOf),
    ids.map(() => 'ann@people.test'),
    'nobody else gets anything',
  );
  t.equal(new Set(service.sink.mails.map(messageIdOf)).size, ids.length);
  const seen: (string | undefined)[] = [];
  for (const { raw } of service.sink.mails) {
    const mail = await PostalMime.parse(raw);
    seen.push(mail.subject);
    const keys = mail.headers.map(({ key }) => key);
    t.notOk(keys.includes('bcc'), 'no header was added');
    t.equal(keys.filter((key) => key === 'subject').length, 1);
  }
  t.same(seen.sort(), [...subjects].sort(), 'the reader sees what the message says');
});

t.test('a correction of the data cannot bring a newline into the subject either', async (t) => {
  const service = await startSending(t);
  const { messages } = await service.send([{ to: { address: 'ann@people.test' }, data: { name: 'Ann\nBcc: x' } }]);
  const [id = ''] = messages;
  const correct = (name: string) =>
    service.inject('PATCH', `/v1/messages/${id}`, { body: { data: { name } }, headers: { 'if-match': '*' } });
  t.match(await correct(`Ann\rBcc: ${hidden}`), {
    status: 409,
    body: { code: 'cannot_be_sent', reason: 'template_error' },
  });
  t.match(await service.post(`/v1/messages/${id}/resend`, {}), { status: 409, body: { code: 'cannot_be_sent' } });
  t.match(await correct('Ann'), { status: 200, body: { subject: 'For Ann' } });
  await done(service.post(`/v1/messages/${id}/resend`, {}));
  const eml = (await service.inject('GET', `/v1/messages/${id}/preview.eml`)).raw.toString();
  t.match(eml, /^Subject: For Ann\r$/m);
  await service.work();
  t.equal((await service.message(id)).status, 'OK');
});

t.test('the data of one row is bounded, what is shared by all rows included', async (t) => {
  const service = await startSending(t);
  const row = { to: { address: 'ann@people.test' }, data: { name: 'Ann', filler: 'x'.repeat(700_000) } };
  const ask = (more: object) =>
    service.post(
      '/v1/send-requests',
      { template: 'notice', ...more },
      { headers: { 'idempotency-key': randomUUID() } },
    );
  t.match(await ask({ recipients: [row] }), { status: 201, body: { counts: { E: 1 } } });
  const refused = { status: 422, body: { errors: [{ pointer: '/recipients/1/data', code: 'too_large' }] } };
  const small = { ...row, data: { name: 'Bob' } };
  t.match(await ask({ recipients: [small, row], data: { shared: 'y'.repeat(400_000) } }), refused);
});
