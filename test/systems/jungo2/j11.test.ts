/** The half of J11 that is about mail: attachments. Text messages, and how they are counted, are not built yet. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { addTemplate, change, done, mailsTo, opened, pdf } from '../../support/broker.ts';
import { postFile, uploadFile } from '../../support/documents.ts';
import { type Sending, startSending } from '../../support/sending.ts';

const anna = 'anna@entreprendre.example';
const texts = { subject: 'Vos documents', text: 'Bonjour {{ nom }}', html: '<p>Bonjour {{ nom }}</p>' };
const row = (documents: string[]) => ({ to: { address: anna }, data: { nom: 'Anna' }, documents });

const file = (name: string, content = pdf(name)) => ({ filename: name, mediaType: 'application/pdf', content });
const sized = (bytes: number) => Buffer.concat([pdf('Programme'), Buffer.alloc(bytes, 'x')]).subarray(0, bytes);
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');

const uploadAll = (service: Sending, names: string[]) =>
  Promise.all(names.map((name) => uploadFile(service, file(name))));
const namesOf = (mail: Awaited<ReturnType<typeof opened>>) => mail.attachments.map(({ filename }) => filename);

t.test('J11 · an attachment of 2 MB is accepted and arrives whole; one byte more is refused, and why', async (t) => {
  const service = await startSending(t);
  const tooLarge = await postFile(service, file('trop.pdf', sized(2_000_001)));
  t.match(tooLarge, {
    status: 422,
    body: { errors: [{ pointer: '/file', code: 'too_large', message: 'must be at most 2000000 bytes' }] },
  });
  const largest = sized(2_000_000);
  const id = await uploadFile(service, file('programme.pdf', largest));
  await addTemplate(service, { key: 'action' }, texts);
  await service.send([row([id])], { template: 'action' });
  await service.work();
  const { attachments } = await opened(mailsTo(service.sink, anna)[0]);
  t.match(attachments, [{ filename: 'programme.pdf', mimeType: 'application/pdf', disposition: 'attachment' }]);
  t.equal(sha256(Buffer.from(attachments[0]?.content as ArrayBuffer)), sha256(largest));

  await change(service, '/v1/tenant', { documentMaxBytes: 3_000_000 });
  t.equal((await postFile(service, file('trop.pdf', sized(2_000_001)))).status, 201, 'an organisation may allow more');
});

t.test('J11 · the documents of a template go with each message, before those of the row', async (t) => {
  const service = await startSending(t);
  const [plan = '', rules = '', own = ''] = await uploadAll(service, ['plan.pdf', 'reglement.pdf', 'attestation.pdf']);
  const id = await addTemplate(service, { key: 'action' }, { ...texts, documents: [plan, rules] });
  t.same((await done(service.inject('GET', `/v1/templates/${id}/versions/1`))).documents, [plan, rules]);
  // Uploads that nothing uses are deleted after seven days.
  service.clock.advance(8 * 86_400_000);
  await service.work();
  const fresh = await uploadFile(service, file('attestation.pdf', pdf('de la semaine')));
  t.equal((await service.inject('GET', `/v1/documents/${own}`)).status, 404);
  await service.send([row([fresh, plan]), { ...row([]), to: { address: 'theo@entreprendre.example' } }], {
    template: 'action',
  });
  await service.work();
  t.same(
    namesOf(await opened(mailsTo(service.sink, anna)[0])),
    ['plan.pdf', 'reglement.pdf', 'attestation.pdf'],
    'one that is there twice goes once',
  );
  t.same(namesOf(await opened(mailsTo(service.sink, 'theo@entreprendre.example')[0])), ['plan.pdf', 'reglement.pdf']);
});

t.test('J11 · a message has ten documents at most, the template’s among them', async (t) => {
  const service = await startSending(t);
  const ids = await uploadAll(
    service,
    Array.from({ length: 11 }, (_, index) => `document-${index}.pdf`),
  );
  await addTemplate(service, { key: 'action' }, { ...texts, documents: ids.slice(0, 6) });
  const { messages } = await service.send([row(ids.slice(6, 10)), row(ids.slice(6, 11))], { template: 'action' });
  const [ten = '', eleven = ''] = messages;
  t.equal((await service.message(ten)).documents.length, 10);
  t.match(await service.message(eleven), { status: 'KO', reason: 'document_invalid' });
  await service.work();
  t.equal((await opened(mailsTo(service.sink, anna)[0])).attachments.length, 10);

  await change(service, `/v1/messages/${eleven}`, { documents: ids.slice(1, 11) });
  await done(service.post(`/v1/messages/${eleven}/resend`, {}));
  await service.work();
  t.equal(service.sink.mails.length, 2, 'with one less it leaves');

  const { id } = (await done(service.inject('GET', '/v1/templates?key=action'))).items[0];
  const version = { ...texts, documents: ids };
  t.equal((await service.post(`/v1/templates/${id}/versions`, version)).status, 400, 'nor has a template more');
  const unknown = { ...texts, documents: ['00000000-0000-7000-8000-000000000000'] };
  t.match(await service.post(`/v1/templates/${id}/versions`, unknown), {
    status: 422,
    body: { errors: [{ pointer: '/documents/0', code: 'document_invalid' }] },
  });
});
