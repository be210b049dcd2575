/**
 * Thousands of requests made from the route schemas: valid, with one field wrong, random, hostile. None may answer
 * 5xx, and every answer must be as the OpenAPI document says. `FUZZ_SEED=… FUZZ_RUNS=…` repeats or widens a run.
 */
import fc from 'fast-check';
import t from 'tap';
import { type FuzzRequest, requestsFor, sendFuzz } from '../support/fuzz-requests.ts';
import { createAnswerChecker, operationsOf, readDocument } from '../support/openapi.ts';
import { type Seeds, seedTenant } from '../support/seeds.ts';
import { type Answer, startService } from '../support/service.ts';

t.setTimeout(170_000);

const seed = Number(process.env.FUZZ_SEED ?? 20_261_122);
const runs = Number(process.env.FUZZ_RUNS ?? 5_000);
/** What requests use up (drafts, messages, templates) is there again after so many. */
const runsPerTenant = 400;
const atOnce = 8;

const document = await readDocument();
const operations = operationsOf(document);
const checker = createAnswerChecker(document);

const leaks =
  /\n\s+at |node_modules|\.ts:\d|\bselect\b.+\bfrom\b|\binsert into\b|Failed query|PostgresError|drizzle|ECONNREFUSED/i;

/** What is wrong with an answer, or null. */
function faultOf(request: FuzzRequest, answer: Answer): string | null {
  if (answer.status >= 500) return `answered ${answer.status}`;
  if (answer.status >= 400 && leaks.test(answer.raw.toString('utf8'))) return 'the answer tells of its inside';
  return checker.faultOf(request.operation, answer);
}

function show(request: FuzzRequest): string {
  const { operation, ...rest } = request;
  return JSON.stringify({ operation: operation.id, ...rest }, (_, value) =>
    typeof value === 'string' && value.length > 400 ? `${value.slice(0, 400)}… (${value.length})` : value,
  );
}

/** How often each thing was seen. */
class Tally extends Map<string, number> {
  add(name: string): void {
    this.set(name, (this.get(name) ?? 0) + 1);
  }
}

t.test(`${runs} generated requests are answered as documented, never with a 5xx (FUZZ_SEED=${seed})`, async (t) => {
  const service = await startService(t);
  const requests = fc.sample(requestsFor(operations), { seed, numRuns: runs });
  t.equal(requests.length, runs);
  const faults: string[] = [];
  const succeeded = new Tally();
  const byKind = new Tally();
  const byClass = new Tally();
  const codes = new Tally();

  const tryOne = async (seeds: Seeds, request: FuzzRequest, index: number) => {
    const answer = await sendFuzz(seeds, request);
    const fault = faultOf(request, answer);
    if (fault !== null)
      faults.push(`#${index} ${fault}: ${show(request)} → ${answer.raw.toString('utf8').slice(0, 500)}`);
    byClass.add(`${Math.floor(answer.status / 100)}xx`);
    if (answer.status < 300) {
      succeeded.add(request.operation.id);
      byKind.add(`${request.kind} 2xx`);
    } else {
      byKind.add(`${request.kind} 4xx`);
      codes.add(answer.body.code);
    }
  };

  const startedAt = performance.now();
  let seeds: Seeds | undefined;
  for (let index = 0; index < runs; index += atOnce) {
    if (index % runsPerTenant === 0) seeds = await seedTenant(service, await service.addTenant(`Fuzz ${index}`));
    const current = seeds;
    if (current === undefined) throw new Error('nothing is seeded');
    await Promise.all(requests.slice(index, index + atOnce).map((one, step) => tryOne(current, one, index + step)));
  }
  const seconds = (performance.now() - startedAt) / 1_000;

  t.comment(`${runs} requests in ${seconds.toFixed(1)} s, seed ${seed}`);
  t.comment(
    `answers ${JSON.stringify(Object.fromEntries(byClass))}, by kind ${JSON.stringify(Object.fromEntries(byKind))}`,
  );
  t.comment(`codes ${JSON.stringify(Object.fromEntries([...codes].sort((left, right) => right[1] - left[1])))}`);
  const never = operations.map(({ id }) => id).filter((id) => !succeeded.has(id));
  t.comment(`2xx on ${succeeded.size} of ${operations.length} operations, never on ${never.join(', ') || 'none'}`);
  t.equal(faults.length, 0, `${faults.length} faults with FUZZ_SEED=${seed}:\n${faults.slice(0, 15).join('\n')}`);

  // A run that reaches nothing proves nothing.
  if (runs < 5_000) return;
  t.ok(succeeded.size >= operations.length - 6, `2xx on ${succeeded.size} of ${operations.length} operations`);
  t.ok((byClass.get('2xx') ?? 0) >= runs / 5, `${byClass.get('2xx')} of ${runs} succeeded`);
  t.ok((byClass.get('4xx') ?? 0) >= runs / 4, `${byClass.get('4xx')} of ${runs} were refused`);
  for (const kind of ['valid 2xx', 'one-wrong 4xx', 'random 4xx', 'hostile 4xx']) {
    t.ok((byKind.get(kind) ?? 0) >= 100, `${kind}: ${byKind.get(kind)}`);
  }
  for (const code of [
    'invalid_body',
    'invalid_json',
    'invalid_query',
    'invalid_header',
    'invalid_cursor',
    'not_found',
  ]) {
    t.ok((codes.get(code) ?? 0) >= 5, `${code}: ${codes.get(code)}`);
  }
});
