/** A template that ends rendering threads again and again is disabled; what waits of it keeps its own outcome. */
import { sql } from 'drizzle-orm';
import t, { type Test } from 'tap';
import { startSending } from '../support/sending.ts';
import { must } from '../support/templates.ts';

t.setTimeout(600_000);

/** One step that takes far longer than the hard limit, over data that is within its own. */
const stuck = `{% if r %}{{ r ${'| where: "a.b" '.repeat(300)}| size }}{% endif %}`;
const heavy = { r: Array.from({ length: 45_000 }, (_, n) => ({ a: { b: n } })) };

/** A service with the template `heavy`, whose thread must be ended when the data has the list. */
async function startWithHeavy(t: Test) {
  const sending = await startSending(t);
  const { inject } = sending;
  const made = must(
    await inject('POST', '/v1/templates', { body: { key: 'heavy', title: 'Heavy', channel: 'mail' } }),
    201,
  );
  const path = `/v1/templates/${made.id}`;
  const publish = async (text: string) => {
    const { version } = must(
      await inject('POST', `${path}/versions`, { body: { subject: 'S', text, html: '<p>H</p>' } }),
      201,
    );
    must(await inject('POST', `${path}/versions/${version}/publish`), 200);
  };
  await publish(stuck);
  const recipients = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ to: { address: `p${n}@people.test` } }));
  return {
    ...sending,
    path,
    publish,
    template: async () => must(await inject('GET', path), 200),
    preview: (data: object = heavy) => inject('POST', `${path}/preview`, { body: { data } }),
    /** Sends to so many, all with the same data. @returns reasons. */
    async request(count: number, data: object = heavy, more: object = {}, key?: string) {
      const body = { template: 'heavy', data, recipients: recipients(count), ...more };
      const headers = { 'idempotency-key': crypto.randomUUID() };
      return inject('POST', '/v1/send-requests', { body, headers, ...(key === undefined ? {} : { key }) });
    },
    patch: async (body: object) => must(await inject('PATCH', path, { body, headers: { 'if-match': '*' } }), 200),
  };
}

const reasons = (messages: { status: string; reason: string | null }[]) =>
  messages.map(({ status, reason }) => `${status} ${reason}`);

t.test('five threads within an hour that messages ended disable a template; a person activates it again', async (t) => {
  const { clock, inject, template, preview, request, patch, work, events, tenant } = await startWithHeavy(t);
  const first = must(await request(2), 201);
  t.same(reasons(first.messages), Array(2).fill('KO template_timeout'));
  t.match(await template(), { active: true, disabledReason: null });
  clock.advance(61 * 60_000);
  const second = must(await request(4), 201);
  t.same(reasons(second.messages), Array(4).fill('KO template_timeout'));
  t.match(await template(), { active: true }, 'the two are an hour ago, and four are not five');
  // Whoever may only look, or only try, must not be able to disable it.
  t.match(await preview(), { status: 422, body: { detail: 'it took too long' } });
  must(await request(1, heavy, { dryRun: true }), 200);
  must(await request(1, heavy, {}, tenant.testKey), 201);
  const checked = must(
    await inject('POST', `/v1/templates/${(await template()).id}/check`, { body: { data: heavy } }),
    200,
  );
  t.match(checked.problems[0], { code: 'template_timeout' });
  t.match(await template(), { active: true });
  must(await request(1), 201);
  t.match(await template(), { active: false, disabledReason: 'timeouts', updatedBy: null });
  const { items } = must(await inject('GET', '/v1/audit-entries?resourceType=template'), 200);
  t.match(items[0], { action: 'disabled', resourceId: (await template()).id });
  await work();
  t.match(await events('template.disabled'), [
    { resourceId: (await template()).id, data: { version: 1, reason: 'timeouts' } },
  ]);
  t.match(await request(1, {}), {
    status: 422,
    body: {
      errors: [{ code: 'template_inactive', message: /disabled because rendering it ended a thread 5 times/ }],
    },
  });
  t.match(await patch({ title: 'Still disabled' }), { active: false, disabledReason: 'timeouts' });
  t.match(await preview({ r: null }), { status: 200 }, 'it can be looked at');

  t.match(await patch({ active: true }), { active: true, disabledReason: null });
  must(await request(1), 201);
  t.match(await template(), { active: true }, 'the count began anew');
  t.match(must(await request(1, { r: null }), 201).messages, [{ status: 'E' }]);
});

t.test('a new version clears the count; the cooperative limit is not counted', async (t) => {
  const { publish, template, preview, request } = await startWithHeavy(t);
  must(await request(3), 201);
  await publish(`${stuck} `);
  must(await request(3), 201);
  t.match(await template(), { active: true, currentVersion: 2 });
  await publish(
    '{% for a in (1..1400) %}{% for b in (1..1400) %}{% assign c = a | times: b %}{% endfor %}{% endfor %}',
  );
  const slow = must(await request(6), 201);
  t.same(reasons(slow.messages), Array(6).fill('KO template_timeout'));
  t.match(await preview({}), { status: 422 });
  t.match(await template(), { active: true, disabledReason: null });
});

t.test('what waits of a disabled template is tried as before: each message keeps its own outcome', async (t) => {
  const { inject, template, request, work, execute, events, sink } = await startWithHeavy(t);
  const { id } = must(await request(7, { r: null }), 201);
  // Behind the service's back, as a slower machine or another release of Node would: what intake could render then.
  await execute(sql`update messages set data = ${JSON.stringify(heavy)}::json
    where id in (select id from messages where send_request_id = ${id} order by row_index limit 5)`);
  must(await inject('POST', '/v1/messages/validate', { body: { filter: { sendRequest: id } } }), 200);
  await work();
  const { items } = must(await inject('GET', `/v1/messages?sendRequest=${id}`), 200);
  t.same(reasons(items).sort(), [...Array(5).fill('KO template_timeout'), 'OK null', 'OK null']);
  t.equal(sink.mails.length, 2);
  t.match(await template(), { active: false, disabledReason: 'timeouts' });
  await work();
  t.equal((await events('template.disabled')).length, 1);
});
