/** Who may be written to, as the rules say it (J5, M8, M9, suppression): a small model beside the service. */

/** One of the people of a life, when they have a record. */
export interface Person {
  /** Address by its number, and whether contact by it is accepted. */
  addresses: Map<number, boolean>;
  /** The member of their household, by number; null: none. */
  member: number | null;
  /** By mail. */
  level: Word<number>;
  /** Of the kind of notice. */
  choice: Word<boolean>;
}

/** What somebody has by themselves about one thing. Null: nothing. */
export interface Word<Value> {
  /** What they said. */
  own: Value | null;
  /** What holds for them while they are of no household: what they said, or what the last one handed down, after it. */
  alone: Value | null;
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

/** The level that holds for somebody. */
export function levelOf(world: World, number: number): number {
  const person = world.people.get(number);
  const holder = person?.member == null ? person : world.people.get(person.member);
  const held = holder?.level.alone ?? defaultLevel;
  // Their own word counts where it goes less far than that of their household.
  return holder === person ? held : Math.min(held, person?.level.own ?? 3);
}

/** What was chosen for somebody; null: nothing. */
export function choiceOf(world: World, number: number): boolean | null {
  const person = world.people.get(number);
  if (person?.member == null) return person?.choice.alone ?? null;
  return person.choice.own === false ? false : (world.people.get(person.member)?.choice.alone ?? null);
}

/** Somebody leaves their household: what held in it is kept, and is not what they said. */
export function leaveHousehold(world: World, number: number): void {
  const person = world.people.get(number);
  if (person?.member == null) return;
  const { level } = world.people.get(person.member) ?? person;
  const goesLessFar = person.level.own !== null && (level.alone === null || person.level.own < level.alone);
  person.level.alone = goesLessFar ? person.level.own : level.alone;
  person.choice.alone = choiceOf(world, number);
  person.member = null;
}

/** Whether the word of one person stands against a message. */
function refuses(world: World, number: number, subject: Subject): boolean {
  const { level, typed } = subjects[subject];
  return levelOf(world, number) < level || (typed && (!world.typeActive || choiceOf(world, number) === false));
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

/** What waits for an address that is suppressed now is stopped. */
export function stopSuppressed(world: World, address: number): void {
  for (const one of world.messages) {
    if (one.to === address && (one.status === 'E' || one.status === 'V')) stop(world, one);
  }
}

/** Whether a copy must be left out now. */
export function mustNotCopy(world: World, { subject }: Known, address: number): boolean {
  if (world.suppressed.has(address)) return true;
  return ownersOf(world, address).some((one) => refuses(world, one, subject) || refusesContact(world, one, address));
}

/**
 * Addresses of somebody that go, with a refusal that would go too, and are in no other record: they are not written to any
 * more. `staying`: null where the record is deleted.
 */
export function refusedAlone(world: World, person: number, staying: ReadonlySet<number> | null): number[] {
  return [...(world.people.get(person)?.addresses ?? [])].flatMap(([address, accepted]) => {
    const alone = ownersOf(world, address).length === 1;
    const refused = !accepted || (staying === null && levelOf(world, person) === 0);
    return alone && refused && !staying?.has(address) && !world.suppressed.has(address) ? [address] : [];
  });
}
