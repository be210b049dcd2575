import Type from 'typebox';
import { closed, reference } from '../../fields.ts';
import { type ChoiceChangeRow, listChoiceChanges } from '../../recipients/permissions/choice-changes.ts';
import { type HeldChoice, heldChoices, setChoices } from '../../recipients/permissions/choices.ts';
import type { ConsentLevel } from '../../recipients/permissions/consent-levels.ts';
import {
  type ConsentRow,
  type HeldConsents,
  heldConsents,
  setConsents,
} from '../../recipients/permissions/consents.ts';
import { ChoiceChange, Choices, ChoicesChange, Consents, ConsentsChange } from '../../recipients/permissions/schema.ts';
import type { Runtime } from '../../runtime.ts';
import { instantOf } from '../../templates/language/civil-time.ts';
import { actorOf } from '../../tenants/rights.ts';
import { getTenant } from '../../tenants/store.ts';
import { callerOf } from '../auth.ts';
import { operation } from '../openapi.ts';
import { pageOf, pageQuery, paginate, readPage } from '../pagination.ts';
import type { App } from '../validation.ts';
import { recipientId } from './recipients.ts';

const params = closed({ id: recipientId });

/** What holds for one kind of notice and one channel, as the API shows it. */
export function presentChoice({ type, channel, accepted, said, own }: HeldChoice) {
  return {
    notificationType: type.key,
    notificationTypeId: type.id,
    title: type.title,
    active: type.active,
    channel,
    accepted,
    chosen: said !== null,
    source: said?.source ?? null,
    author: said?.author ?? null,
    chosenAt: said?.at ?? null,
    own: own === null ? null : { accepted: own.accepted, source: own.source, author: own.author, chosenAt: own.at },
  };
}

function choiceRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/recipients/:id/choices',
    operation({
      id: 'getChoices',
      tag: 'people',
      summary: 'Read what a person gets, by which channel',
      description:
        'The whole catalogue: what was chosen, else the default of the notification type. Of a person of a household: what its member chose, and beside it, as `own`, what they said themselves.',
      access: ['choices:read'],
      params,
      answers: { 200: reference('Choices') },
    }),
    async (request) => {
      const held = await heldChoices(runtime.db, callerOf(request).tenantId, request.params.id);
      return { choices: held.map(presentChoice) };
    },
  );

  app.put(
    '/v1/recipients/:id/choices',
    operation({
      id: 'setChoices',
      tag: 'people',
      summary: 'Set what a person gets, by which channel',
      description:
        'Sets the choices given and keeps the others. The author is `On-Behalf-Of`, else the key. A person of a household refuses for themselves, and takes that back; what its member refuses stays refused.',
      access: ['choices:update'],
      params,
      body: ChoicesChange,
      answers: { 200: reference('Choices') },
      errors: ['unprocessable'],
    }),
    async (request) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const target = { tenantId, reference: request.params.id, actor: actorOf(caller) };
      const held = await runtime.db.transaction(async (tx) => {
        await setChoices(runtime, tx, target, request.body.choices);
        return heldChoices(tx, tenantId, target.reference);
      });
      return { choices: held.map(presentChoice) };
    },
  );
}

function presentChange({ typeKey, ...row }: ChoiceChangeRow & { typeKey: string | null }) {
  const { tenantId: _tenantId, recipientId: saidBy, ...change } = row;
  return { ...change, saidBy, notificationType: typeKey };
}

function choiceChangeRoute(app: App, runtime: Runtime): void {
  app.get(
    '/v1/recipients/:id/choices/changes',
    operation({
      id: 'listChoiceChanges',
      tag: 'people',
      summary: 'Every choice that a person made: what, when, who said so',
      description: 'Newest first. Of a person of a household: theirs and those of its member.',
      access: ['choices:read'],
      params,
      query: closed(pageQuery),
      answers: { 200: pageOf('ChoiceChange') },
      errors: ['invalid_cursor'],
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const list = `choices:${request.params.id}`;
      const page = readPage(runtime.secrets, list, request.query);
      const rows = await listChoiceChanges(runtime.db, tenantId, request.params.id, page);
      return paginate(runtime.secrets, list, page, rows, { position: ({ id }) => id, present: presentChange });
    },
  );
}

function presentSaid({ id, recipientId: saidBy, since, source, author, proof, createdAt: recordedAt }: ConsentRow) {
  return { id, saidBy, since, source, author, proof, recordedAt };
}

function presentConsents({ at, heldBy, levels, history }: HeldConsents) {
  return {
    at,
    heldBy,
    consents: levels.map(({ given, own, ...held }) => ({
      ...held,
      given: given === null ? null : presentSaid(given),
      own: own === null ? null : { level: own.level, ...presentSaid(own) },
    })),
    history: history.map((row) => ({ addressKind: row.addressKind, level: row.level, ...presentSaid(row) })),
  };
}

/** A moment; a day is its end, by the organisation's clock. Null: none was asked for. */
async function momentOf(runtime: Runtime, tenantId: string, text: string | undefined): Promise<Date | null> {
  if (text === undefined) return null;
  if (text.length > 10) return new Date(text);
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  const { timezone } = await getTenant(runtime.db, tenantId);
  const next = instantOf({ year, month, day: day + 1, hour: 0, minute: 0, second: 0 }, timezone);
  return new Date(next.getTime() - 1);
}

function consentRoutes(app: App, runtime: Runtime): void {
  app.get(
    '/v1/recipients/:id/consents',
    operation({
      id: 'getConsents',
      tag: 'people',
      summary: 'Read what a person allows, now or at another moment',
      description: 'By kind of address, with everything that was ever said (M8, M10).',
      access: ['consents:read'],
      params,
      query: closed({
        at: Type.Optional(
          Type.Union([Type.String({ format: 'date-time' }), Type.String({ format: 'date' })], {
            description: 'A moment, or a day: its end, by the organisation’s clock. Default: now.',
            examples: ['2026-03-05'],
          }),
        ),
      }),
      answers: { 200: reference('Consents') },
    }),
    async (request) => {
      const { tenantId } = callerOf(request);
      const at = await momentOf(runtime, tenantId, request.query.at);
      const moment = { now: runtime.clock.now(), at };
      return presentConsents(await heldConsents(runtime.db, tenantId, request.params.id, moment));
    },
  );

  app.put(
    '/v1/recipients/:id/consents',
    operation({
      id: 'setConsents',
      tag: 'people',
      summary: 'Record what a person allows',
      description:
        'By kind of address; the others are kept, and so is everything that was said before. It is asked at intake, on validation, and again when a message leaves. The author is `On-Behalf-Of`, else the key. Of a person of a household it is their own word: that of its member holds beside it, and the lower one counts.',
      access: ['consents:update'],
      params,
      body: ConsentsChange,
      answers: { 200: reference('Consents') },
      errors: ['unprocessable'],
    }),
    async (request) => {
      const caller = callerOf(request);
      const { tenantId } = caller;
      const target = { tenantId, reference: request.params.id, actor: actorOf(caller) };
      const given = request.body.consents.map(({ addressKind, level, since, source = null, proof = null }) => ({
        addressKind,
        level: level as ConsentLevel,
        since: since === undefined ? null : new Date(since),
        source,
        proof,
      }));
      const held = await runtime.db.transaction(async (tx) => {
        await setConsents(runtime, tx, target, given);
        return heldConsents(tx, tenantId, target.reference, { now: runtime.clock.now(), at: null });
      });
      return presentConsents(held);
    },
  );
}

/** What people allow and choose: consents by kind of address, choices by kind of notice. */
export function permissionRoutes(app: App, runtime: Runtime): void {
  for (const component of [Choices, ChoiceChange, Consents]) app.addSchema(component);
  choiceRoutes(app, runtime);
  choiceChangeRoute(app, runtime);
  consentRoutes(app, runtime);
}
