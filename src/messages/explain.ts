/** Why a message is where it is, in sentences for people, with the facts that decided (M8, M9, W11). */
import type { Language } from '../errors.ts';
import { dateTimeFormat } from '../templates/language/intl-formats.ts';
import type { MessageRow } from './content.ts';
import { deliveryOf } from './present.ts';
import { reasonSentence } from './reasons.ts';
import type { RuleFacts } from './rule-facts.ts';
import type { AttemptRow, TransitionRow } from './store.ts';

/** What an explanation is made of. */
export interface Explained {
  row: MessageRow;
  /** The move that brought it to its status; null: it is not known any more. */
  lastMove: TransitionRow | null;
  lastAttempt: AttemptRow | null;
}

/** Why a message is where it is. */
export interface Explanation {
  /** The rule that decided, or null: none did. */
  rule: RuleFacts['rule'] | null;
  /** What it rested on: ids, codes and times. */
  facts: RuleFacts | null;
  sentences: string[];
}

interface Teller {
  /** The sentence of the language. */
  say(en: string, fr: string): string;
  /** A moment by the message's clock on the wall. */
  moment(at: Date | string): string;
  reason(code: string): string;
}

function tellerOf(language: Language, timezone: string): Teller {
  const locale = language === 'fr' ? 'fr-FR' : 'en-GB';
  const format = dateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone: timezone });
  return {
    say: (en, fr) => (language === 'fr' ? fr : en),
    moment: (at) => format.format(new Date(at)),
    reason: (code) => reasonSentence(code, language) ?? code,
  };
}

const levelWords = [
  { en: 'refused', fr: 'refus' },
  { en: 'management only', fr: 'gestion seulement' },
  { en: 'also prospecting', fr: 'aussi la prospection' },
  { en: 'also third parties', fr: 'aussi les tiers' },
] as const;

const causeWords = {
  bounce: { en: 'it does not exist or takes nothing', fr: 'elle n’existe pas ou ne reçoit rien' },
  complaint: { en: 'its owner complained', fr: 'son titulaire s’est plaint' },
  unsubscribed: { en: 'its owner unsubscribed', fr: 'son titulaire s’est désabonné' },
  manual: { en: 'a person decided so', fr: 'une personne l’a décidé' },
} as const;

function tellConsent(facts: Extract<RuleFacts, { rule: 'consent' }>, { say, moment }: Teller): string[] {
  const word = (level: number, language: Language) => `${level} (${levelWords[level]?.[language] ?? ''})`;
  const { level, needed, since, recipientId, heldBy } = facts;
  const levels = say(
    `The consent by mail is ${word(level, 'en')}; this message needs ${word(needed, 'en')}.`,
    `Le consentement par mail est ${word(level, 'fr')} ; ce message demande ${word(needed, 'fr')}.`,
  );
  if (since === null) {
    const nobody = say('Nothing was ever said', 'Rien n’a jamais été dit');
    return [levels, say(`${nobody}: it is the organisation’s default.`, `${nobody} : c’est le niveau par défaut.`)];
  }
  const at = moment(since);
  return recipientId === heldBy
    ? [levels, say(`It holds since ${at}.`, `Il vaut depuis le ${at}.`)]
    : [
        levels,
        say(
          `It is that of the member of the household, since ${at}.`,
          `C’est celui de l’adhérent du foyer, depuis le ${at}.`,
        ),
      ];
}

function tellChoice(facts: Extract<RuleFacts, { rule: 'choice' }>, { say, moment }: Teller): string {
  const type = facts.notificationType;
  if (type === null) return say('This kind of notice no longer exists.', 'Ce type d’avis n’existe plus.');
  if (!facts.active) return say(`The kind of notice ${type} is not active.`, `Le type d’avis ${type} est inactif.`);
  if (!facts.offered) {
    return say(
      `The organisation does not offer ${type} by ${facts.channel}.`,
      `L’organisation ne propose pas ${type} par ${facts.channel}.`,
    );
  }
  if (facts.refusedAt !== null) {
    const at = moment(facts.refusedAt);
    return facts.recipientId === facts.heldBy
      ? say(`${type} by ${facts.channel} was refused on ${at}.`, `${type} par ${facts.channel} a été refusé le ${at}.`)
      : say(
          `${type} by ${facts.channel} was refused by the member of the household on ${at}.`,
          `${type} par ${facts.channel} a été refusé par l’adhérent du foyer le ${at}.`,
        );
  }
  return say(
    `${type} must be chosen, and nobody has chosen it by ${facts.channel}.`,
    `${type} doit être choisi, et ne l’a pas été par ${facts.channel}.`,
  );
}

function tellContact({ toAddress, toHash }: MessageRow, { say }: Teller): string {
  // One that was erased had an address: its hash is left.
  return toAddress === null && toHash === null
    ? say(
        'The record accepts contact by none of the addresses that it could go to.',
        'La fiche n’accepte le contact à aucune des adresses où il pourrait aller.',
      )
    : say(
        'The record says that contact by this address is not accepted.',
        'La fiche indique que le contact par cette adresse n’est pas accepté.',
      );
}

function tellRule(row: MessageRow, facts: RuleFacts, teller: Teller): string[] {
  const { say, moment } = teller;
  switch (facts.rule) {
    case 'contact':
      return [tellContact(row, teller)];
    case 'choice':
      return [tellChoice(facts, teller)];
    case 'consent':
      return tellConsent(facts, teller);
    case 'suppression': {
      const at = moment(facts.since);
      const { en, fr } = causeWords[facts.cause];
      return [
        say(`The address is not used since ${at}: ${en}.`, `L’adresse n’est plus utilisée depuis le ${at} : ${fr}.`),
      ];
    }
  }
}

function tellMove(move: TransitionRow, { say, moment }: Teller): string {
  const at = moment(move.at);
  if (move.actorUser !== null) return say(`${move.actorUser} did it on ${at}.`, `${move.actorUser} l’a fait le ${at}.`);
  return move.actorKind === 'key'
    ? say(`An application did it on ${at}.`, `Une application l’a fait le ${at}.`)
    : say(`The service did it on ${at}.`, `Le service l’a fait le ${at}.`);
}

function tellAttempt({ outcome, reason, code, finishedAt }: AttemptRow, teller: Teller): string[] {
  if (finishedAt === null || outcome === 'accepted' || reason === null) return [];
  const at = teller.moment(finishedAt);
  const answer = code === null ? '' : ` (${code})`;
  return [
    teller.say(
      `The last try ended on ${at}${answer}: ${teller.reason(reason)}`,
      `Le dernier essai s’est terminé le ${at}${answer} : ${teller.reason(reason)}`,
    ),
  ];
}

function tellWaiting(row: MessageRow, { say, moment, reason }: Teller): string[] {
  if (row.reason !== null) return [reason(row.reason)];
  if (deliveryOf(row) === 'sending') return [say('It is being sent.', 'Il est en cours d’envoi.')];
  if (row.sendAt !== null && row.attemptCount === 0) {
    const at = moment(row.sendAt);
    return [say(`It is planned for ${at}.`, `Il est prévu pour le ${at}.`)];
  }
  if (row.attemptCount > 0 && row.releaseAt !== null) {
    const at = moment(row.releaseAt);
    return [say(`It is tried again from ${at} on.`, `Il sera réessayé à partir du ${at}.`)];
  }
  return [say('It waits for its turn.', 'Il attend son tour.')];
}

function tellStatus(row: MessageRow, teller: Teller): string[] {
  const { say, moment, reason } = teller;
  switch (row.status) {
    case 'E':
      return [say('It waits for a person to validate it.', 'Il attend qu’une personne le valide.')];
    case 'V':
      return [say('It is validated.', 'Il est validé.'), ...tellWaiting(row, teller)];
    case 'OK':
      return row.sentAt === null
        ? [say('It was sent.', 'Il a été envoyé.')]
        : [say(`It was sent on ${moment(row.sentAt)}.`, `Il a été envoyé le ${moment(row.sentAt)}.`)];
    case 'KO':
    case 'B': {
      const faults = (row.reasonDetail?.faults ?? []) as { code: string }[];
      const codes = new Set([row.reason, ...faults.map(({ code }) => code)].filter((code) => code !== null));
      return [
        row.status === 'B'
          ? say('It is blocked.', 'Il est bloqué.')
          : say('It was not sent.', 'Il n’a pas été envoyé.'),
        ...[...codes].map(reason),
      ];
    }
  }
}

/** Copies that were left out by themselves, by their place among the message's copies: an address is not told here. */
function tellCopies({ copies }: MessageRow, { say, reason }: Teller): string[] {
  return copies.flatMap((copy, place) => {
    // Without a reason of its own it has that of the message.
    if ((copy.outcome !== 'blocked' && copy.outcome !== 'skipped') || copy.reason === null) return [];
    const [number, why] = [place + 1, reason(copy.reason)];
    return [
      say(
        `Copy ${number} (${copy.kind}) was left out: ${why}`,
        `La copie ${number} (${copy.kind}) a été écartée : ${why}`,
      ),
    ];
  });
}

/**
 * Says why a message is where it is: its status and reason, what the rule that stopped it rested on, who did it, how the
 * last try ended, and which copies were left out. Times by the message's own time zone.
 */
export function explainMessage({ row, lastMove, lastAttempt }: Explained, language: Language): Explanation {
  const teller = tellerOf(language, row.timezone);
  const facts = row.status === 'B' ? ((row.reasonDetail?.facts ?? null) as RuleFacts | null) : null;
  return {
    rule: facts?.rule ?? null,
    facts,
    sentences: [
      ...tellStatus(row, teller),
      ...(facts === null ? [] : tellRule(row, facts, teller)),
      ...(row.status === 'E' || lastMove === null ? [] : [tellMove(lastMove, teller)]),
      ...(lastAttempt === null ? [] : tellAttempt(lastAttempt, teller)),
      ...tellCopies(row, teller),
    ],
  };
}
