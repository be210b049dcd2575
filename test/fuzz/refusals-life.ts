/** Carries a life out on the service and holds what it shows against the model. */
import { done } from '../support/broker.ts';
import { messageIdOf, receiverOf } from '../support/sending.ts';
import type { Command } from './refusals-commands.ts';
import {
  choiceOf,
  type Known,
  levelOf,
  mustNotCopy,
  mustNotLeave,
  stop,
  stopSuppressed,
  type World,
} from './refusals-model.ts';
import {
  addressOf,
  expectStatus,
  keep,
  type Life,
  moveTo,
  numberIn,
  pathOf,
  referenceOf,
  remove,
  type Stage,
  saw,
  say,
} from './refusals-people.ts';

async function suppress(life: Life, address: number, how: number): Promise<void> {
  const { suppressed } = life.world;
  const body = { address: addressOf(life, address, how), cause: 'manual' };
  const { status, body: made } = await life.service.post('/v1/suppressions', body);
  expectStatus('suppressing', status, suppressed.has(address) ? 409 : 201);
  if (status === 409) return;
  suppressed.set(address, made.id);
  stopSuppressed(life.world, address);
}

async function lift({ service, world }: Life, address: number): Promise<void> {
  const id = world.suppressed.get(address);
  if (id === undefined) return;
  await service.inject('DELETE', `/v1/suppressions/${id}`);
  world.suppressed.delete(address);
}

async function send(life: Life, command: Extract<Command, { kind: 'send' }>): Promise<void> {
  const { service, world } = life;
  const { subject, person, copy, spelling, automatic } = command;
  const inline = command.to ?? (person === null ? 4 : null);
  const row = {
    ...(person === null ? {} : { recipient: referenceOf(life, person) }),
    ...(inline === null ? {} : { to: { address: addressOf(life, inline, spelling) } }),
    ...(copy === null ? {} : { cc: [{ address: addressOf(life, copy, spelling) }] }),
    data: { name: 'N' },
  };
  const more = { template: subject, validation: automatic ? 'automatic' : 'manual' };
  const { messages } = await service.send([row], more);
  const made = await service.message(messages[0] ?? '');
  const to = made.to === null ? null : numberIn(made.to.address);
  const known = {
    id: made.id,
    subject,
    person,
    to,
    copy,
    copyBlocked: false,
    copySkipped: false,
    gone: false,
    status: made.status,
    why: null,
  } as Known;
  if (to !== null) {
    known.status = automatic ? 'V' : 'E';
    if (mustNotLeave(world, known)) stop(world, known);
    // A recipient who is not there makes a message that cannot be sent, whatever its address.
    if (person !== null && !world.people.has(person)) known.status = 'KO';
    if (made.status !== known.status) throw new Error(`${subject} to ${to} is ${made.status}, not ${known.status}`);
  }
  known.copyBlocked = copy !== null && mustNotCopy(world, known, copy);
  saw(life, `${subject} born ${known.status}`);
  world.messages.push(known);
}

async function correct(life: Life, address: number, how: number): Promise<void> {
  const { service, world } = life;
  const one = world.messages.find(({ status }) => status === 'E' || status === 'B');
  if (one === undefined) return;
  const body = { to: { address: addressOf(life, address, how) } };
  const { status } = await service.inject('PATCH', `/v1/messages/${one.id}`, { body, headers: { 'if-match': '*' } });
  expectStatus('correcting', status, 200);
  one.to = address;
  if (one.copy !== null && mustNotCopy(world, one, one.copy)) one.copyBlocked = true;
  if (one.status === 'E' && mustNotLeave(world, one)) stop(world, one);
}

async function validate({ service, world }: Life): Promise<void> {
  const asked = world.messages.filter(({ status, to }) => (status === 'E' || status === 'B') && to !== null);
  if (asked.length === 0) return;
  await done(service.post('/v1/messages/validate', { ids: asked.map(({ id }) => id) }));
  for (const one of asked) {
    if (one.status === 'E' && mustNotLeave(world, one)) stop(world, one);
    // Nobody can take back the word of somebody whose record is gone.
    else if (!mustNotLeave(world, one) && !(one.gone && one.status === 'B' && one.why === 'word')) {
      one.status = 'V';
      one.copySkipped = one.copy !== null && mustNotCopy(world, one, one.copy);
    }
  }
}

/** Works everything off: what arrives is what was allowed at that moment, and all of it. */
async function work(life: Life): Promise<void> {
  const { service, world } = life;
  const before = service.sink.mails.length;
  await service.work();
  const arrived = new Set(
    service.sink.mails.slice(before).map((one) => {
      const id = messageIdOf(one).slice(1, 37);
      return `${id} ${numberIn(receiverOf(one))}`;
    }),
  );
  const wanted = new Set<string>();
  for (const one of world.messages) {
    if (one.status !== 'V') continue;
    if (mustNotLeave(world, one)) {
      saw(life, 'stopped when it left');
      stop(world, one);
      continue;
    }
    saw(life, 'sent');
    one.status = 'OK';
    wanted.add(`${one.id} ${one.to}`);
    if (one.copy === null || one.copy === one.to || one.copyBlocked || one.copySkipped) continue;
    if (mustNotCopy(world, one, one.copy)) saw(life, 'a copy left out');
    else wanted.add(`${one.id} ${one.copy}`);
  }
  const wrong = [...arrived].filter((one) => !wanted.has(one));
  const missing = [...wanted].filter((one) => !arrived.has(one));
  if (wrong.length > 0) throw new Error(`arrived although it was refused: ${wrong}`);
  if (missing.length > 0) throw new Error(`did not arrive although nobody refused: ${missing}`);
}

async function compare(life: Life): Promise<void> {
  const { service, world } = life;
  for (const one of world.messages) {
    const { status, reason } = await service.message(one.id);
    if (status !== one.status) throw new Error(`${one.subject} to ${one.to} is ${status} ${reason}, not ${one.status}`);
  }
  for (const number of world.people.keys()) {
    const ask = async (what: string) => done(service.inject('GET', `${pathOf(life, number)}/${what}`));
    const { consents } = await ask('consents');
    const { level } = consents.find((one: { addressKind: string }) => one.addressKind === 'mail');
    const { choices } = await ask('choices');
    const [shown, wanted] = [
      [level, choices[0].accepted].join(),
      [levelOf(world, number), choiceOf(world, number) ?? true].join(),
    ];
    if (shown !== wanted) throw new Error(`for person ${number} ${shown} is shown, not ${wanted}`);
  }
}

async function carryOut(life: Life, command: Command): Promise<void> {
  const { world, service, typeId } = life;
  const person = 'person' in command && command.person !== null ? world.people.get(command.person) : undefined;
  switch (command.kind) {
    case 'keep':
      return keep(life, command);
    case 'household':
      return moveTo(life, command.person, command.member);
    case 'delete':
      return remove(life, command.person);
    case 'consent': {
      const { level } = command;
      return say(life, command.person, 'consents', { addressKind: 'mail', level }, () => {
        if (person !== undefined) person.level = { own: level, alone: level };
      });
    }
    case 'choose': {
      const { accepted } = command;
      return say(life, command.person, 'choices', { notificationType: 'kind', channel: 'mail', accepted }, () => {
        if (person !== undefined) person.choice = { own: accepted, alone: accepted };
      });
    }
    case 'suppress':
      return suppress(life, command.address, command.spelling);
    case 'lift':
      return lift(life, command.address);
    case 'type': {
      const body = { active: command.active };
      await done(service.inject('PATCH', `/v1/notification-types/${typeId}`, { body, headers: { 'if-match': '*' } }));
      world.typeActive = command.active;
      return;
    }
    case 'send':
      return send(life, command);
    case 'correct':
      return correct(life, command.to, command.spelling);
    case 'validate':
      return validate(life);
    case 'work':
      return work(life);
  }
}

/** Lives one life. @throws Error where the service shows something else than the model. */
export async function live(stage: Stage, number: number, commands: readonly Command[]): Promise<void> {
  const world: World = { people: new Map(), suppressed: new Map(), typeActive: true, messages: [] };
  const life = { ...stage, number, world };
  await carryOut(life, { kind: 'type', active: true });
  for (const command of commands) await carryOut(life, command);
  await work(life);
  await compare(life);
}
