import { deliveryReasons } from '../channels/delivery-reasons.ts';
import type { Language } from '../errors.ts';

/** Reasons that the service itself gives; those of a hand-over come from the channels. */
const ownReasons = [
  { code: 'address_missing', en: 'There is no address to write to.', fr: 'Il n’y a pas d’adresse où écrire.' },
  { code: 'recipient_unknown', en: 'The recipient does not exist.', fr: 'Le destinataire n’existe pas.' },
  {
    code: 'contact_missing',
    en: 'The structure is reached through its reference contact, and has none.',
    fr: 'La structure est jointe par son contact de référence, et n’en a pas.',
  },
  {
    code: 'recipient_type_refused',
    en: 'The template is not for this type of recipient.',
    fr: 'Le modèle n’est pas prévu pour ce type de destinataire.',
  },
  {
    code: 'field_missing',
    en: 'A merge field of the template has no value.',
    fr: 'Un champ de fusion du modèle n’a pas de valeur.',
  },
  {
    code: 'extraction_missing',
    en: 'The extraction has nothing for the key.',
    fr: 'L’extraction ne donne rien pour la clé.',
  },
  {
    code: 'extraction_ambiguous',
    en: 'The extraction has several rows for the key, where one is wanted.',
    fr: 'L’extraction donne plusieurs lignes pour la clé, là où une seule est attendue.',
  },
  {
    code: 'document_invalid',
    en: 'A document does not exist, or the documents are too large.',
    fr: 'Un document n’existe pas, ou les documents sont trop volumineux.',
  },
  { code: 'sender_missing', en: 'There is no sender to write from.', fr: 'Il n’y a pas d’expéditeur.' },
  {
    code: 'template_error',
    en: 'The template could not be rendered with this data.',
    fr: 'Le modèle n’a pas pu être rendu avec ces données.',
  },
  { code: 'template_timeout', en: 'The template took too long.', fr: 'Le modèle a pris trop de temps.' },
  {
    code: 'content_changed',
    en: 'The content is no longer the one a person approved.',
    fr: 'Le contenu n’est plus celui qu’une personne a approuvé.',
  },
  {
    code: 'content_gone',
    en: 'A text or a document that it is made of no longer exists.',
    fr: 'Un texte ou un document dont il est fait n’existe plus.',
  },
  {
    code: 'unsubscribe_link_missing',
    en: 'It needs a link to unsubscribe, and the service has no public https address (PUBLIC_URL).',
    fr: 'Il lui faut un lien de désabonnement, et le service n’a pas d’adresse publique en https (PUBLIC_URL).',
  },
  { code: 'expired', en: 'Its time has passed.', fr: 'Sa date limite est passée.' },
  {
    code: 'no_channel_account',
    en: 'There is no channel account yet: it waits.',
    fr: 'Il n’y a pas encore de compte d’envoi : il attend.',
  },
  {
    code: 'choice_off',
    en: 'The recipient has not chosen this kind of notice by this channel.',
    fr: 'Le destinataire n’a pas choisi ce type d’avis par ce canal.',
  },
  {
    code: 'contact_refused',
    en: 'The recipient does not accept contact this way.',
    fr: 'Le destinataire n’accepte pas d’être contacté ainsi.',
  },
  {
    code: 'consent_refused',
    en: 'The consent that is held does not go as far as this message.',
    fr: 'Le consentement recueilli ne va pas jusqu’à ce message.',
  },
  {
    code: 'suppressed',
    en: 'The address is not to be written to any more.',
    fr: 'Il ne faut plus écrire à cette adresse.',
  },
  { code: 'erased', en: 'The person was erased.', fr: 'La personne a été effacée.' },
  { code: 'cancelled', en: 'The send request was cancelled.', fr: 'La demande d’envoi a été annulée.' },
  { code: 'blocked_by_user', en: 'A person blocked it.', fr: 'Une personne l’a bloqué.' },
  {
    code: 'not_sent',
    en: 'A person said that it was not sent.',
    fr: 'Une personne a indiqué qu’il n’était pas parti.',
  },
] as const;

const all: readonly { code: string; en: string; fr: string }[] = [...ownReasons, ...deliveryReasons];

/** Why a message is where it is: the one closed list. */
export type Reason = (typeof ownReasons)[number]['code'] | (typeof deliveryReasons)[number]['code'];

/** Codes of all reasons, for the API document. */
export const reasonCodes: readonly string[] = [...new Set(all.map(({ code }) => code))];

const sentences = new Map(all.map((reason) => [reason.code, reason]));

/** A reason as a sentence for people; null without a reason. */
export function reasonSentence(code: string | null, language: Language): string | null {
  return code === null ? null : (sentences.get(code)?.[language] ?? code);
}
