/** What lives share, and what happens to their people: records, households, words. */
import type { People } from '../support/people.ts';
import type { Command } from './refusals-commands.ts';
import { leaveHousehold, refusedAlone, stopSuppressed, stopWaitingFor, type World } from './refusals-model.ts';

/** The templates and the kind of notice that all lives share. */
export interface Stage {
  service: People;
  typeId: string;
  /** How often each thing was seen, so that a run which proves nothing is noticed. */
  seen: Map<string, number>;
}

/** One life: its number, and what ought to be so. */
export interface Life extends Stage {
  number: number;
  world: World;
}

const spellings = [
  (text: string) => text,
  (text: string) => text.toUpperCase(),
  (text: string) => text.replace('bücher', 'xn--bcher-kva'),
];

/** Each life has people of its own: what waits at its end is not of the next. */
export const addressOf = ({ number }: Life, address: number, how = 0) =>
  (spellings[how] ?? String)(`a${address}.${number}@${address === 0 ? 'bücher.test' : 'people.test'}`);
/** The reference of a person of a life. */
export const referenceOf = ({ number }: Life, person: number) => `external:member:${number}-${person}`;
/** Their path. */
export const pathOf = (life: Life, person: number) => `/v1/recipients/${encodeURIComponent(referenceOf(life, person))}`;
/** The number of an address; -1 for any other. */
export const numberIn = (address: string) => Number(/^a(\d)\./i.exec(address)?.[1] ?? -1);

/** Counts what was seen. */
export function saw({ seen }: Stage, what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}

/** @throws Error where the service answered otherwise. */
export function expectStatus(what: string, status: number, wanted: number): void {
  if (status !== wanted) throw new Error(`${what} was answered with ${status}, not ${wanted}`);
}

/** Whether somebody cannot be of the household of this member. */
function cannotFollow({ world }: Life, person: number, member: number | null): boolean {
  if (member === null) return false;
  const follows = world.people.get(member);
  const hasDependants = [...world.people.values()].some((one) => one.member === person);
  return member === person || follows === undefined || follows.member !== null || hasDependants;
}

/** Somebody belongs to this household from now on; null: to none. */
function follow({ world, ...life }: Life, number: number, member: number | null): void {
  const person = world.people.get(number);
  if (person === undefined || person.member === member) return;
  if (person.member !== null) saw(life, 'a household left');
  leaveHousehold(world, number);
  person.member = member;
}

/** What is refused does not go with a record: the service has suppressed it. */
async function keepRefusals(life: Life, person: number, staying: ReadonlySet<number> | null): Promise<void> {
  const { service, world } = life;
  stopWaitingFor(world, person);
  for (const address of refusedAlone(world, person, staying)) {
    const query = encodeURIComponent(addressOf(life, address));
    const { body } = await service.inject('GET', `/v1/suppressions?address=${query}`);
    const [kept] = body.items;
    if (kept === undefined) throw new Error(`the refusal of the address ${address} has gone with its record`);
    world.suppressed.set(address, kept.id);
    saw(life, 'a refusal kept');
    stopSuppressed(world, address);
  }
}

/** Keeps a person whole, with addresses and household. */
export async function keep(
  life: Life,
  { person, addresses, member }: Extract<Command, { kind: 'keep' }>,
): Promise<void> {
  const { people } = life.world;
  const body = {
    addresses: addresses.map(([one, acceptsContact]) => ({
      kind: 'mail',
      value: addressOf(life, one),
      acceptsContact,
    })),
    householdOf: member === null ? null : referenceOf(life, member),
  };
  const { status } = await life.service.inject('PUT', pathOf(life, person), { body });
  const wrong = cannotFollow(life, person, member);
  expectStatus('keeping somebody', status, wrong ? 422 : people.has(person) ? 200 : 201);
  if (wrong) return saw(life, 'a household that cannot be');
  await keepRefusals(life, person, new Set(addresses.map(([address]) => address)));
  const nothing = { own: null, alone: null };
  const known = people.get(person) ?? { member: null, level: { ...nothing }, choice: { ...nothing } };
  people.set(person, { ...known, addresses: new Map(addresses) });
  follow(life, person, member);
}

/** Gives a person another household, or none. */
export async function moveTo(life: Life, person: number, member: number | null): Promise<void> {
  const body = { householdOf: member === null ? null : referenceOf(life, member) };
  const { status } = await life.service.inject('PATCH', pathOf(life, person), { body, headers: { 'if-match': '*' } });
  const known = life.world.people.has(person);
  expectStatus('a new household', status, !known ? 404 : cannotFollow(life, person, member) ? 422 : 200);
  // What waits is asked about when it leaves: nobody's word is lost.
  if (status === 200) follow(life, person, member);
}

/** Deletes a person. */
export async function remove(life: Life, person: number): Promise<void> {
  const { people } = life.world;
  const { status } = await life.service.inject('DELETE', pathOf(life, person));
  const followed = [...people.values()].some(({ member }) => member === person);
  expectStatus('deleting somebody', status, !people.has(person) ? 404 : followed ? 409 : 204);
  if (status !== 204) return;
  await keepRefusals(life, person, null);
  people.delete(person);
  for (const one of life.world.messages) if (one.person === person) one.gone = true;
}

/** Says something for a person, whoever speaks for them. */
export async function say(life: Life, number: number, what: 'consents' | 'choices', said: object, keepIt: () => void) {
  const person = life.world.people.get(number);
  const { status } = await life.service.inject('PUT', `${pathOf(life, number)}/${what}`, { body: { [what]: [said] } });
  expectStatus(`${what} of somebody`, status, person === undefined ? 404 : 200);
  if (status !== 200) return;
  if (person?.member != null) saw(life, 'a word of a dependant');
  keepIt();
}
