import t from 'tap';
import { startService } from '../support/service.ts';
import { addExtraction, addSource, createSourceDatabase } from '../support/source-database.ts';
import { must } from '../support/templates.ts';

t.test(
  'an extraction is made without being told its fields, read, tried, changed under its ETag, deleted',
  async (t) => {
    const service = await startService(t);
    const { inject } = service;
    const source = await addSource(service, await createSourceDatabase(t));
    const path = await addExtraction(service, { pages: ['beneficiaire'] });
    const fields = {
      type: 'object',
      properties: { cle: { type: 'string' }, nom_benef: { type: 'string' }, mail: { type: 'string' } },
    };
    const read = await inject('GET', path);
    t.match(read.body, { key: 'benef', dataSource: source, keyType: 'string', listField: null, broken: [] });
    t.same(read.body.fields, fields);
    const run = must(await inject('POST', `${path}/run`, { body: { keys: ['B-1', 'B-3', 'B-9'] } }), 200);
    t.same(run, {
      rows: [
        { key: 'B-1', data: { cle: 'B-1', nom_benef: 'Lefèvre', mail: 'b1@courriel.example' }, reason: null },
        { key: 'B-3', data: null, reason: 'extraction_ambiguous' },
        { key: 'B-9', data: null, reason: 'extraction_missing' },
      ],
      fields,
      broken: [],
      kept: false,
    });
    const change = { body: { title: 'Bénéf.' }, headers: { 'if-match': String(read.headers.etag) } };
    t.match(await inject('PATCH', path, change), { status: 200, body: { title: 'Bénéf.', fields } });
    t.equal((await inject('PATCH', path, change)).status, 412);
    t.match(must(await inject('GET', '/v1/extractions?key=benef'), 200).items, [{ key: 'benef' }]);
    t.match(must(await inject('GET', `/v1/extractions?dataSource=${source}`), 200).items, [{ key: 'benef' }]);
    t.match(await inject('DELETE', `/v1/data-sources/${source}`), {
      status: 409,
      body: { code: 'in_use', errors: [{ code: 'used_by_extraction', message: 'benef asks it' }] },
    });
    must(await inject('DELETE', path), 204);
    must(await inject('DELETE', `/v1/data-sources/${source}`), 204);
  },
);
