import { parseAddrSpec } from '../channels/mail/addr-spec.ts';
import type { Clock } from '../clock.ts';
import type { Db } from '../db/client.ts';
import { AppError, invalidField } from '../errors.ts';
import type { UnsubscribeLinks } from '../messages/unsubscribe/links.ts';
import type { RecipientWithAddresses } from '../recipients/lookup.ts';
import { levelNeededBy } from '../recipients/permissions/consent-levels.ts';
import { findNotificationType } from '../recipients/permissions/notification-types.ts';
import { findSender, getSender, type SenderRow } from '../senders/store.ts';
import { whyInactive } from '../templates/incidents.ts';
import { LONGEST_DATA } from '../templates/rendering/renderer.ts';
import type { TemplateRow } from '../templates/store.ts';
import { readsUnsubscribeLink } from '../templates/version-content.ts';
import { getTemplateVersion } from '../templates/versions.ts';
import { type AddressPolicy, readAddressPolicy } from '../tenants/address-policy.ts';
import { type Caller, may } from '../tenants/rights.ts';
import type { TenantRow } from '../tenants/store.ts';
import { uuidPattern } from '../text-patterns.ts';
import { type Defaults, type PlannedVersion, readDefaults } from './defaults.ts';
import type { SendRequestBody } from './schema.ts';
import { findWantedTemplates, type Round } from './wanted-templates.ts';

/** A template of the request, with the version and the sender it pins. */
export interface PlannedTemplate {
  template: TemplateRow;
  version: PlannedVersion;
  sender: SenderRow | null;
  validation: 'manual' | 'automatic';
  addressPolicy: AddressPolicy;
  /** Its mail carries a link to unsubscribe. */
  subscription: boolean;
}

/** What holds for all rows of a request. */
export interface Plan {
  tenant: TenantRow;
  /** Nothing of it reaches people, and nothing that happens in it says anything of what does. */
  trial: boolean;
  /** The person who asks, inside the calling application. */
  asker: string | null;
  /** Those that serve a row at least. */
  templates: PlannedTemplate[];
  /** In each round one of them serves a row. */
  rounds: Round<PlannedTemplate>[];
  accountId: string | null;
  replyTo: string | null;
  now: Date;
  sendAt: Date | null;
  notAfter: Date | null;
  editedAt: Date | null;
}

/** Whoever the request says, nobody if it says so; else whom the caller acts for. */
function askerOf({ requestedBy = {} }: SendRequestBody, caller: Caller): string | null {
  return requestedBy.user === undefined ? caller.user : requestedBy.user;
}

/** A window is its two ends in one: not before `from`, and never after `to`. */
function withoutWindow({ window, sendAt, notAfter }: SendRequestBody) {
  if (window === undefined) return { sendAt, notAfter };
  if (sendAt !== undefined || notAfter !== undefined) {
    throw invalidField('/window', 'window_choice', 'give either window, or sendAt and notAfter');
  }
  if (new Date(window.from) >= new Date(window.to)) {
    throw invalidField('/window/from', 'after_window', 'from must come before to');
  }
  return { sendAt: window.from, notAfter: window.to };
}

function readTimes(body: SendRequestBody, now: Date) {
  const read = (text: string | undefined) => (text === undefined ? null : new Date(text));
  const times = withoutWindow(body);
  // A window that is open already lets messages leave at once.
  const opened = body.window !== undefined && new Date(body.window.from) <= now;
  const sendAt = opened ? null : read(times.sendAt);
  const notAfter = read(times.notAfter);
  if (sendAt !== null && sendAt <= now) throw invalidField('/sendAt', 'in_past', 'sendAt is in the past');
  if (notAfter !== null && notAfter <= now) {
    const [pointer, name] = body.window === undefined ? ['/notAfter', 'notAfter'] : ['/window/to', 'the window'];
    throw invalidField(pointer, 'in_past', `${name} is in the past`);
  }
  if (sendAt !== null && notAfter !== null && sendAt >= notAfter) {
    throw invalidField('/sendAt', 'after_not_after', 'sendAt must come before notAfter');
  }
  return { sendAt, notAfter, editedAt: read(body.editedAt) };
}

/** Most characters of JSON that the data and literal texts of all messages of a request may have together. */
const maximumContent = 128_000_000;

/** Characters of a value as JSON; 0 for none. */
export const sizeOf = (value: unknown): number => (value === undefined ? 0 : JSON.stringify(value).length);

/** What is given once for all is kept with each message: a small body must not become more than the service can hold. */
function checkVolume(body: SendRequestBody): void {
  const templates = body.templates?.length ?? 1;
  const sharedData = sizeOf(body.data);
  const shared = sharedData + sizeOf(body.overrides);
  let own = 0;
  for (const [index, { data }] of body.recipients.entries()) {
    const size = sizeOf(data);
    own += size;
    if (size + sharedData <= LONGEST_DATA) continue;
    const message = `the data of this row has ${size + sharedData} characters, more than ${LONGEST_DATA}`;
    throw invalidField(`/recipients/${index}/data`, 'too_large', message);
  }
  const total = templates * (body.recipients.length * shared + own);
  if (total <= maximumContent) return;
  const message = `the data and texts of all messages have ${total} characters together, more than ${maximumContent}`;
  throw invalidField('/recipients', 'too_large', `${message}: send fewer rows at once`);
}

async function publishedVersion(
  db: Db,
  { version: known }: Defaults,
  pointer: string,
  template: TemplateRow,
  wanted: number | undefined,
) {
  if (!template.active) throw invalidField(pointer, 'template_inactive', whyInactive(template));
  const number = wanted ?? template.currentVersion;
  if (number === null) {
    throw invalidField(pointer, 'version_unpublished', `the template ${template.key} has no published version`);
  }
  if (known?.templateId === template.id && known.version === number && known.status === 'published') return known;
  const version = await getTemplateVersion(db, template.tenantId, template.id, number).catch((error) => {
    if (!(error instanceof AppError)) throw error;
    throw invalidField('/templateVersion', 'version_unknown', `the template ${template.key} has no version ${number}`);
  });
  if (version.status !== 'published') {
    throw invalidField('/templateVersion', 'version_unpublished', `version ${number} is not published`);
  }
  return version;
}

/**
 * The strictest of tenant, template and request. Automatic where the tenant is manual is for keys that may
 * validate: the one that asks here, or the one that set it on the template (W10).
 */
function validationOf(
  caller: Caller,
  tenant: TenantRow,
  template: TemplateRow,
  asked: 'manual' | 'automatic' | undefined,
) {
  if (asked === 'manual' || template.validation === 'manual') return 'manual';
  if (tenant.defaultValidation === 'automatic' || template.validation === 'automatic') return 'automatic';
  if (asked !== 'automatic') return 'manual';
  if (!may(caller, 'messages:validate')) throw new AppError('validation_not_allowed');
  return 'automatic';
}

async function senderOf(db: Db, defaults: Defaults, version: PlannedVersion, override: string | undefined) {
  const tenantId = defaults.tenant.id;
  if (override !== undefined) {
    const sender = await findSender(db, tenantId, override);
    if (sender === null) throw invalidField('/overrides/sender', 'sender_unknown', `there is no sender ${override}`);
    return sender;
  }
  if (version.senderId !== null) return getSender(db, tenantId, version.senderId);
  return defaults.ownSender ?? defaults.sender;
}

/** What people may be left alone by: the law, and mail programs, want a link in it (RFC 8058, CPCE L.34-5). */
async function isSubscription(db: Db, template: TemplateRow) {
  const { tenantId, category, notificationTypeId } = template;
  if (category === 'marketing' || levelNeededBy(template) > 1) return true;
  if (notificationTypeId === null) return false;
  return (await findNotificationType(db, tenantId, notificationTypeId))?.subscription ?? false;
}

/** Refused as a whole: none of its messages could leave, and the caller can do nothing about it later. */
function checkLink(
  links: UnsubscribeLinks,
  pointer: string,
  { subscription, version }: Pick<PlannedTemplate, 'subscription' | 'version'>,
): void {
  if (links.available || !(subscription || readsUnsubscribeLink(version))) return;
  const message = 'its mail needs a link to unsubscribe, and the service has no public https address (PUBLIC_URL)';
  throw invalidField(pointer, 'unsubscribe_link_missing', message);
}

function replyToOf(body: SendRequestBody): string | null {
  const replyTo = body.overrides?.replyTo;
  if (replyTo === undefined) return null;
  const parsed = parseAddrSpec(replyTo);
  if (parsed.kind === 'invalid') throw invalidField('/overrides/replyTo', 'address_invalid', parsed.why);
  return parsed.address;
}

/**
 * Reads everything a request pins, before it is looked at what becomes of its rows.
 * @param byReference the recipients that the request names: a kind of notice may have templates of their own for some.
 * @throws AppError `unprocessable` naming the field: unknown, inactive or unpublished template, unknown sender,
 * times in the past or in the wrong order, more content than can be kept, a link to unsubscribe that the service cannot
 * give; `validation_not_allowed`.
 */
export async function planSendRequest(
  deps: { db: Db; clock: Clock; links: UnsubscribeLinks },
  caller: Caller,
  body: SendRequestBody,
  byReference: ReadonlyMap<string, RecipientWithAddresses>,
): Promise<Plan> {
  checkVolume(body);
  const now = deps.clock.now();
  const times = readTimes(body, now);
  const { tenantId, testOnly: test } = caller;
  const key = body.template === undefined || uuidPattern.test(body.template) ? '' : body.template;
  const asker = askerOf(body, caller);
  const defaults = await readDefaults(deps.db, { tenantId, test, template: key, user: asker ?? '' });
  const { tenant, accountId } = defaults;
  const wanted = await findWantedTemplates(deps.db, defaults, body, byReference);
  const planned = new Map<TemplateRow, PlannedTemplate>();
  for (const [pointer, template] of wanted.templates) {
    const version = await publishedVersion(deps.db, defaults, pointer, template, body.templateVersion);
    const subscription = await isSubscription(deps.db, template);
    checkLink(deps.links, pointer, { subscription, version });
    planned.set(template, {
      template,
      version,
      sender: await senderOf(deps.db, defaults, version, body.overrides?.sender),
      validation: validationOf(caller, tenant, template, body.validation),
      addressPolicy: readAddressPolicy(body.addressPolicy ?? template.addressPolicy ?? tenant.addressPolicy),
      subscription,
    });
  }
  const trial = test || body.dryRun === true;
  const rounds = wanted.rounds.map((round) => (index: number) => {
    const serving = planned.get(round(index));
    if (serving === undefined) throw new Error(`the template of the row ${index} was not planned`);
    return serving;
  });
  return {
    tenant,
    trial,
    asker,
    templates: [...planned.values()],
    rounds,
    accountId,
    replyTo: replyToOf(body),
    now,
    ...times,
  };
}
