/** Every reason a hand-over can end with, short of being accepted. Codes are stable; sentences are for people. */

/** The closed list of reason codes that drivers answer with, each with an English and a French sentence. */
export const deliveryReasons = [
  {
    code: 'address_invalid',
    en: 'The address is not written as a mail address.',
    fr: "L'adresse n'est pas une adresse de courriel valable.",
  },
  {
    code: 'authentication_failed',
    en: 'The provider refused the user or password of the account.',
    fr: "Le fournisseur a refusé l'identifiant ou le mot de passe du compte.",
  },
  {
    code: 'client_blocked',
    en: 'The provider refuses to talk to our server, for example because of a block list.',
    fr: 'Le fournisseur refuse de parler à notre serveur, par exemple à cause d’une liste noire.',
  },
  { code: 'connection_failed', en: 'The provider could not be reached.', fr: "Le fournisseur n'a pas pu être joint." },
  {
    code: 'connection_lost',
    en: 'The connection was lost before the message was handed over.',
    fr: 'La connexion a été perdue avant la remise du message.',
  },
  {
    code: 'content_refused',
    en: 'The content of the message was refused, for example as spam or for an attachment.',
    fr: 'Le contenu du message a été refusé, par exemple comme indésirable ou pour une pièce jointe.',
  },
  {
    code: 'domain_unknown',
    en: 'The domain of the address does not exist or takes no mail.',
    fr: "Le domaine de l'adresse n'existe pas ou n'accepte pas de courriel.",
  },
  {
    code: 'greylisted',
    en: 'The recipient’s server asks to try again later (greylisting).',
    fr: 'Le serveur du destinataire demande de réessayer plus tard (liste grise).',
  },
  {
    code: 'host_not_allowed',
    en: 'The server of the account has a private or reserved network address that is not allowed.',
    fr: "Le serveur du compte a une adresse réseau privée ou réservée qui n'est pas autorisée.",
  },
  {
    code: 'mailbox_disabled',
    en: 'The mailbox exists but is disabled.',
    fr: 'La boîte aux lettres existe mais elle est désactivée.',
  },
  { code: 'mailbox_full', en: 'The mailbox is full.', fr: 'La boîte aux lettres est pleine.' },
  { code: 'mailbox_unknown', en: 'The mailbox does not exist.', fr: "La boîte aux lettres n'existe pas." },
  {
    code: 'message_too_large',
    en: 'The message is too large for the provider or the mailbox.',
    fr: 'Le message est trop gros pour le fournisseur ou la boîte aux lettres.',
  },
  {
    code: 'outbox_unwritable',
    en: 'The file of the message could not be written.',
    fr: "Le fichier du message n'a pas pu être écrit.",
  },
  {
    code: 'outcome_unknown',
    en: 'The content was handed over but the provider never answered: it may or may not have the message.',
    fr: "Le contenu a été remis mais le fournisseur n'a pas répondu : il a peut-être le message, peut-être pas.",
  },
  {
    code: 'policy_refused',
    en: 'The message was refused by a rule of the provider or the recipient.',
    fr: 'Le message a été refusé par une règle du fournisseur ou du destinataire.',
  },
  {
    code: 'provider_unavailable',
    en: 'The provider is unavailable for the moment.',
    fr: 'Le fournisseur est momentanément indisponible.',
  },
  {
    code: 'rate_limited',
    en: 'Too many messages were sent for the provider’s liking.',
    fr: 'Trop de messages ont été envoyés au goût du fournisseur.',
  },
  {
    code: 'refused',
    en: 'The provider refused the message without a reason we know.',
    fr: 'Le fournisseur a refusé le message sans raison connue de nous.',
  },
  {
    code: 'refused_temporarily',
    en: 'The provider refused the message for now, without a reason we know.',
    fr: 'Le fournisseur a refusé le message pour le moment, sans raison connue de nous.',
  },
  {
    code: 'relay_denied',
    en: 'The provider does not let the account send to other domains.',
    fr: "Le fournisseur n'autorise pas le compte à envoyer vers d'autres domaines.",
  },
  { code: 'sender_refused', en: 'The sender address was refused.', fr: "L'adresse de l'expéditeur a été refusée." },
  { code: 'timed_out', en: 'The provider did not answer in time.', fr: "Le fournisseur n'a pas répondu à temps." },
  {
    code: 'tls_failed',
    en: 'A secure connection to the provider could not be made.',
    fr: "Une connexion sécurisée avec le fournisseur n'a pas pu être établie.",
  },
  {
    code: 'too_many_recipients',
    en: 'The provider takes no more recipients for the moment.',
    fr: "Le fournisseur n'accepte plus de destinataires pour le moment.",
  },
] as const;

/** A code of `deliveryReasons`. */
export type DeliveryReason = (typeof deliveryReasons)[number]['code'];
