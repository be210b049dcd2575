/** Who may be written to, as the rules say it (J5, M8, M9, suppression): a small model beside the service. */

/** One of the people of a life, when they have a record. */
export interface Person {
  /** Address by its number, and whether contact by it is accepted. */
  addresses: Map<number, boolean>;
  /** The member of their household, by number; null: none. */
  member: number | null;
  /** By mail. Null: never said. */
  level: number | null;
  /** Of the kind of notice. Null: never said. */
  choice: boolean | null;
}

/** What a message is about: which templates there are. */
export const subjects = {
  plain: { level: 1, typed: false },
  typed: { level: 1, typed: true },
  offer: { level: 2, typed: false },
} as const;

export type Subject = keyof typeof subjects;

/** One message as it ought to be. */
export interface Known {
  id: string;
  subject: Subject;
  /** The recipient that was named; null: none. */
  person: number | null;
  /** Their record is gone: who is kept under the same reference later is another one. */
  gone: boolean;
  /** Its address by number; null: it has none, and can never be sent. */
  to: number | null;
  copy: number | null;
  /** It was left out when the content was made: what was approved has no such copy. */
  copyBlocked: boolean;
  /** It was left out when the message was validated last. */
  copySkipped: boolean;
  status: 'E' | 'V' | 'B' | 'OK' | 'KO';
  /** What stopped it, where it is `B`: the address is suppressed, or it is somebody's own word. */
  why: 'suppressed' | 'word' | null;
}

/** What ought to be so. */
export interface World {
  people: Map<number, Person>;
  /** Suppressed addresses by number, with the ids of their suppressions. */
  suppressed: Map<number, string>;
  typeActive: boolean;
  messages: Known[];
}

export const defaultLevel = 1;

const holderOf = (world: World, number: number) => world.people.get(number)?.member ?? number;

/** Whether the word of one person stands against a message. */
function refuses(world: World, number: number, subject: Subject): boolean {
  const { level, typed } = subjects[subject];
  const words = [world.people.get(holderOf(world, number)), world.people.get(number)];
  const [holder, own] = words;
  // Their own word counts where it goes less far than that of their household.
  if (Math.min(holder?.level ?? defaultLevel, own?.level ?? 3) < level) return true;
  return typed && (!world.typeActive || words.some((word) => word?.choice === false));
}

function ownersOf(world: World, address: number): number[] {
  return [...world.people].filter(([, { addresses }]) => addresses.has(address)).map(([number]) => number);
}

function refusesContact(world: World, number: number, address: number): boolean {
  return world.people.get(number)?.addresses.get(address) === false;
}

/** Whether a message must not go to its own address now. */
export function mustNotLeave(world: World, { person, gone, to, subject }: Known): boolean {
  if (to === null || world.suppressed.has(to)) return true;
  const owners = ownersOf(world, to);
  const named = person !== null && !gone && world.people.has(person) ? [person] : [];
  const concerned = named.some((one) => owners.includes(one)) ? named : [...named, ...owners];
  if (concerned.length === 0) {
    return defaultLevel < subjects[subject].level || (subjects[subject].typed && !world.typeActive);
  }
  return concerned.some((one) => refuses(world, one, subject) || refusesContact(world, one, to));
}

/** Stops a message, by what holds now. */
export function stop(world: World, one: Known): void {
  one.status = 'B';
  one.why = one.to !== null && world.suppressed.has(one.to) ? 'suppressed' : 'word';
}

/** What waits for somebody and is refused is stopped before their word goes with their record, or an address of it. */
export function stopWaitingFor(world: World, person: number): void {
  const addresses = world.people.get(person)?.addresses;
  for (const one of world.messages) {
    const theirs = (one.person === person && !one.gone) || (one.to !== null && addresses?.has(one.to));
    if (theirs && (one.status === 'E' || one.status === 'V') && mustNotLeave(world, one)) stop(world, one);
  }
}

/** Whether a copy must be left out now. */
export function mustNotCopy(world: World, { subject }: Known, address: number): boolean {
  if (world.suppressed.has(address)) return true;
  return ownersOf(world, address).some((one) => refuses(world, one, subject) || refusesContact(world, one, address));
}
