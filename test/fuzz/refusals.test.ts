/**
 * Lives of people and of messages for them, made by chance: records, households, consents, choices and suppressions come
 * and go while messages are sent, corrected and validated. Whatever the order, nothing arrives for an address that was
 * refused at the moment of leaving, and all else does. `FUZZ_SEED=… FUZZ_RUNS=…` repeats or widens a run.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { startPeople } from '../support/people.ts';
import { addTemplate, must } from '../support/templates.ts';
import { lives } from './refusals-commands.ts';
import { live } from './refusals-life.ts';

const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const runs = Number(process.env.FUZZ_RUNS ?? 60);

t.setTimeout(Math.max(600_000, runs * 4_000));

t.test(`${runs} lives of people who refuse: nothing arrives that was refused (FUZZ_SEED=${seed})`, async (t) => {
  const service = await startPeople(t);
  const type = { key: 'kind', title: 'Kind', channels: ['mail'], defaultChoice: 'on' };
  const { id: typeId } = must(await service.inject('POST', '/v1/notification-types', { body: type }), 201);
  const texts = { text: 'T', html: '<p>T</p>' };
  await addTemplate(service, { key: 'plain' }, texts);
  await addTemplate(service, { key: 'typed', notificationType: 'kind' }, texts);
  await addTemplate(service, { key: 'offer', consentPurpose: 'prospecting' }, texts);
  const seen = new Map<string, number>();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(lives, async (commands) => {
      number += 1;
      await live({ service, typeId, seen }, number, commands);
    }),
    { seed, numRuns: runs },
  );
  t.comment(`${number} lives, seed ${seed}: ${JSON.stringify(Object.fromEntries([...seen].sort()))}`);
  // Lives in which little happens prove little. Few of them may miss what is rare.
  const common = ['sent', 'plain born B', 'typed born B'];
  const rare = [
    'stopped when it left',
    'a copy left out',
    'offer born V',
    'a household left',
    'a word of a dependant',
    'a refusal kept',
  ];
  for (const one of [...(runs < 50 ? [] : common), ...(runs < 300 ? [] : rare)]) t.ok(seen.has(one), `${one} was seen`);
});
