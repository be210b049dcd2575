/**
 * What SMTP answers mean, as data: the first rule that fits wins. Read by `outcomes.ts`.
 *
 * Order: what the step alone decides; words that overrule any code (rate, greylisting); exact
 * enhanced codes (RFC 3463, RFC 5248, Exchange); the words of big providers, for the codes that say
 * nothing (5.7.1, 5.0.0, none); subjects of enhanced codes; basic codes (RFC 5321 §4.2.3).
 */
import type { DeliveryStep } from '../channel.ts';
import type { DeliveryReason } from '../delivery-reasons.ts';

/** One line of the table. All given conditions must hold. */
export interface OutcomeRule {
  steps?: readonly DeliveryStep[];
  /** Over the basic code in digits. */
  code?: RegExp;
  /** Over the enhanced code. No enhanced code, no fit. */
  enhanced?: RegExp;
  /** Over the text in lower case. */
  text?: RegExp;
  /** `by_code`: 4xx transient, 5xx permanent. `account_if_5xx`: 4xx transient, 5xx the account's fault. */
  kind: 'by_code' | 'transient' | 'permanent' | 'account_fault' | 'account_if_5xx';
  reason: DeliveryReason;
  /** The address is dead (only with a permanent end). */
  suppress?: true;
}

const TO: readonly DeliveryStep[] = ['recipient', 'body'];

const byStep: OutcomeRule[] = [
  { steps: ['auth'], text: /too many|rate.?limit/, code: /^4/, kind: 'transient', reason: 'rate_limited' },
  { steps: ['auth'], code: /^432/, kind: 'account_fault', reason: 'authentication_failed' },
  { steps: ['auth'], code: /^(523|538)/, kind: 'account_fault', reason: 'tls_failed' },
  { steps: ['auth'], code: /^5/, kind: 'account_fault', reason: 'authentication_failed' },
  { steps: ['auth'], code: /^4/, kind: 'transient', reason: 'provider_unavailable' },
  { steps: ['tls'], code: /^5/, kind: 'account_fault', reason: 'tls_failed' },
  { steps: ['tls'], code: /^4/, kind: 'transient', reason: 'provider_unavailable' },
  // Before any message was named, a refusal says nothing of the message.
  { steps: ['connect'], code: /^5/, kind: 'account_fault', reason: 'client_blocked' },
];

const overrulingText: OutcomeRule[] = [
  { text: /gr[ea]y[- ]?list|postgrey|liste grise/, kind: 'transient', reason: 'greylisted' },
  { text: /too many (\w+ )?recipients/, kind: 'transient', reason: 'too_many_recipients' },
  { text: /too many hops|\bloop(s|ed|ing)?\b/, kind: 'by_code', reason: 'refused' },
  { code: /^(452|552)/, text: /too many/, kind: 'transient', reason: 'too_many_recipients' },
  {
    text: /submission ?quota|sending (limit|quota)|daily (user |message )?(sending|quota|limit)|rate.?limit|throttl|slow down|too fast|at a rate/,
    kind: 'transient',
    reason: 'rate_limited',
  },
  {
    text: /too many (\w+ )?(messages|mails|emails|connections|sessions|errors|requests|login)|too much mail|trop de (connexions|messages|mails)/,
    kind: 'transient',
    reason: 'rate_limited',
  },
  {
    text: /\[tss\d+\]|deferred due to (user complaints|unexpected volume|excessive)/,
    kind: 'transient',
    reason: 'rate_limited',
  },
];

const exactEnhanced: OutcomeRule[] = [
  { enhanced: /^5\.1\.10$/, text: /null ?mx/, kind: 'permanent', reason: 'domain_unknown' },
  { enhanced: /^5\.1\.(1|10)$/, steps: TO, kind: 'permanent', reason: 'mailbox_unknown', suppress: true },
  { enhanced: /^4\.1\.1$/, steps: TO, kind: 'transient', reason: 'mailbox_unknown' },
  { enhanced: /^[45]\.1\.2$/, steps: TO, kind: 'by_code', reason: 'domain_unknown' },
  { enhanced: /^5\.1\.3$/, steps: TO, kind: 'permanent', reason: 'address_invalid' },
  { enhanced: /^5\.1\.6$/, kind: 'permanent', reason: 'mailbox_disabled' },
  { enhanced: /^[45]\.1\.[78]$/, kind: 'by_code', reason: 'sender_refused' },
  // Any x.1.x given to MAIL FROM is about the sender, whatever its last number.
  { enhanced: /^[45]\.1\./, steps: ['sender'], kind: 'by_code', reason: 'sender_refused' },
  { enhanced: /^[45]\.2\.1$/, kind: 'by_code', reason: 'mailbox_disabled' },
  // A full mailbox is emptied some day: soft whatever the basic code says.
  { enhanced: /^[45]\.2\.2$/, kind: 'transient', reason: 'mailbox_full' },
  { enhanced: /^[45]\.(2\.3|3\.4)$/, kind: 'by_code', reason: 'message_too_large' },
  { enhanced: /^4\.3\.[0125]$/, kind: 'transient', reason: 'provider_unavailable' },
  // Exchange: "Recipient address rejected: Access denied" is its word for an unknown recipient.
  {
    enhanced: /^5\.4\.1$/,
    text: /access denied|recipient address rejected/,
    kind: 'permanent',
    reason: 'mailbox_unknown',
  },
  { enhanced: /^[45]\.4\.4$/, kind: 'by_code', reason: 'domain_unknown' },
  { enhanced: /^5\.4\.5$/, kind: 'transient', reason: 'rate_limited' },
  { enhanced: /^[45]\.5\.3$/, kind: 'transient', reason: 'too_many_recipients' },
  { enhanced: /^[45]\.6\.\d+$/, kind: 'by_code', reason: 'content_refused' },
  { enhanced: /^[45]\.7\.28$/, kind: 'transient', reason: 'rate_limited' },
  { enhanced: /^[45]\.7\.(2[0-46-9]|30|509|512)$/, kind: 'by_code', reason: 'policy_refused' },
  // No reverse DNS, and Exchange's lists of banned senders: our server, not this message.
  { enhanced: /^[45]\.7\.(25|511|60[6-9]|6[1-4]\d|708)$/, kind: 'account_if_5xx', reason: 'client_blocked' },
  { enhanced: /^5\.7\.705$/, kind: 'transient', reason: 'rate_limited' },
  { enhanced: /^5\.7\.(54|64)$/, kind: 'account_fault', reason: 'relay_denied' },
  { enhanced: /^5\.7\.60$/, kind: 'permanent', reason: 'sender_refused' },
  { enhanced: /^5\.7\.(57|13|14|139)$/, kind: 'account_fault', reason: 'authentication_failed' },
  { enhanced: /^5\.7\.(10|11)$/, kind: 'account_fault', reason: 'tls_failed' },
  { enhanced: /^5\.7\.(124|13[0-68]|750)$/, kind: 'permanent', reason: 'policy_refused' },
];

const access: OutcomeRule[] = [
  { code: /^530/, text: /tls|ssl|encrypt/, kind: 'account_fault', reason: 'tls_failed' },
  { code: /^(523|538)/, kind: 'account_fault', reason: 'tls_failed' },
  { code: /^(525|530|534|535)/, kind: 'account_fault', reason: 'authentication_failed' },
  // Exchange groups that take mail from inside only: about the recipient, not our log-in.
  { text: /resolver\.rst|delivery restriction/, kind: 'by_code', reason: 'policy_refused' },
  { code: /^5/, text: /must issue a starttls|requires? (tls|encryption)/, kind: 'account_fault', reason: 'tls_failed' },
  {
    code: /^5/,
    text: /client (was |is )?not authenticated|(smtp )?authentication (is )?required|(must|please) (first )?authenticate|not logged in/,
    kind: 'account_fault',
    reason: 'authentication_failed',
  },
  // Relaying refused is the account's fault, although it answers one recipient: the server does not
  // know us (no log-in, wrong network), so every other recipient would get the same, and a whole
  // campaign would end as permanently failed for one wrong setting. Also in Postfix's soft form, 454.
  {
    text: /relay(ing)?( access)? (was )?(denied|not (allowed|permitted)|prohibited)|unable to relay|not permitted to relay|tenantattribution/,
    kind: 'account_fault',
    reason: 'relay_denied',
  },
];

const words: OutcomeRule[] = [
  { text: /null ?mx/, kind: 'by_code', reason: 'domain_unknown' },
  {
    text: /(recipient|user|destinataire).{0,30}block(ed)? ?(list|sender|you)|blocked by (the )?recipient/,
    kind: 'by_code',
    reason: 'policy_refused',
  },
  {
    text: /virus|malware|infected|phish|attachment|piece jointe|pièce jointe|file type|potential security issue/,
    kind: 'by_code',
    reason: 'content_refused',
  },
  // Block lists of links in the text, before the block lists of servers.
  {
    text: /(contain|body|message|mail).{0,40}\b(url|link|hyperlink)s?\b|dbl\.spamhaus|surbl|uribl/,
    kind: 'by_code',
    reason: 'content_refused',
  },
  { text: /dmarc|\bspf\b|\bdkim\b|unauthenticated/, kind: 'by_code', reason: 'policy_refused' },
  {
    text: /spamhaus|spamcop|barracuda|sorbs|uceprotect|\brbl\b|rbl\+|dnsbl|\bs31[45]0\b|\[bl\d+\]|client host.{0,60}(blocked|rejected|denied)|reverse (dns|hostname)|\bptr\b|too much spam/,
    kind: 'account_if_5xx',
    reason: 'client_blocked',
  },
  {
    text: /(your|sending|connecting|source) (ip|server|host|network).{0,60}(block|black|banned|listed|denied|refus|reject)|\bip\b.{0,40}(blocked|blacklist|banned|listed)|(blocked|blacklisted|banned).{0,20}\bip\b/,
    kind: 'account_if_5xx',
    reason: 'client_blocked',
  },
  // The sender is each message's own (many senders share an account), so it must not pause the account.
  {
    text: /sender.{0,60}(reject|refus|denied|not (allowed|owned|verified|authorized)|unknown|invalid)|not owned by user|send as this sender|address is not verified|sender verify fail|from (address|header).{0,40}(invalid|reject|not)/,
    kind: 'by_code',
    reason: 'sender_refused',
  },
  {
    text: /unknown domain|domain.{0,30}(not found|does ?n.t exist|does not exist|unknown)|host( or domain name)? not found|unrouteable|domaine.{0,20}(inconnu|invalide)/,
    kind: 'by_code',
    reason: 'domain_unknown',
  },
  {
    text: /(mailbox|account|user|recipient|destinataire).{0,60}(disabled|deactivated|inactive|suspended|archiv|locked|closed|no longer)|boite.{0,40}(archiv|desactiv|ferm)/,
    kind: 'by_code',
    reason: 'mailbox_disabled',
  },
  {
    text: /over ?quota|quota exceeded|(mailbox|inbox|mail box).{0,30}(is )?full|boite.{0,40}pleine|boîte.{0,40}pleine|insufficient.{0,20}mailbox/,
    kind: 'transient',
    reason: 'mailbox_full',
  },
  {
    steps: TO,
    text: /user unknown|unknown (local )?(user|recipient|mailbox)|no such (user|mailbox|recipient|account|person|address)|invalid recipient|not a valid (recipient|mailbox)|does ?n.t have an? .{0,40}account|no mailbox here/,
    kind: 'by_code',
    reason: 'mailbox_unknown',
    suppress: true,
  },
  {
    steps: TO,
    text: /(mailbox|user|recipient|account|address)[^.;]{0,60}(does not exist|does ?n.t exist|not found|unknown)|adresse.{0,60}(invalide|inconnue)|utilisateur inconnu/,
    kind: 'by_code',
    reason: 'mailbox_unknown',
    suppress: true,
  },
  // Used for policy as well, so it ends the message but not the address.
  {
    code: /^5/,
    steps: TO,
    text: /mailbox unavailable|mailbox not (available|allowed)/,
    kind: 'permanent',
    reason: 'mailbox_unknown',
  },
  {
    text: /too (large|big)|(message|mail) size|size (limit|exceed)|exceeds?.{0,40}size|trop (gros|volumineux)/,
    kind: 'by_code',
    reason: 'message_too_large',
  },
  {
    text: /spam|unsolicited|junk|indesirable|indésirable|content|mail reje|ofr_?50\d|suspicious/,
    kind: 'by_code',
    reason: 'content_refused',
  },
  { text: /polic(y|ies)|not accepted|blocked|blacklist|block ?list|banned/, kind: 'by_code', reason: 'policy_refused' },
];

const subjects: OutcomeRule[] = [
  { enhanced: /^4\.[34]\./, kind: 'transient', reason: 'provider_unavailable' },
  { enhanced: /^5\.7\.8$/, kind: 'account_fault', reason: 'authentication_failed' },
  { enhanced: /^[45]\.7\./, kind: 'by_code', reason: 'policy_refused' },
];

const basic: OutcomeRule[] = [
  { code: /^421/, kind: 'transient', reason: 'provider_unavailable' },
  // Wrong order of commands is the session's trouble: the same message may pass on a new connection.
  { code: /^503/, kind: 'transient', reason: 'refused_temporarily' },
  { steps: ['connect'], code: /^4/, kind: 'transient', reason: 'provider_unavailable' },
  { code: /^452/, kind: 'transient', reason: 'provider_unavailable' },
  // 552 is "exceeded storage": of the mailbox when said to RCPT, of the message otherwise (SIZE, body).
  { code: /^552/, steps: ['recipient'], kind: 'transient', reason: 'mailbox_full' },
  { code: /^552/, kind: 'permanent', reason: 'message_too_large' },
  { code: /^(521|556)/, steps: TO, kind: 'permanent', reason: 'domain_unknown' },
  { code: /^(551|553)/, steps: TO, kind: 'permanent', reason: 'mailbox_unknown' },
  { code: /^(550|553)/, steps: ['sender'], kind: 'permanent', reason: 'sender_refused' },
  { code: /^571/, kind: 'permanent', reason: 'policy_refused' },
  { code: /^5/, kind: 'permanent', reason: 'refused' },
  { code: /^4/, kind: 'transient', reason: 'refused_temporarily' },
];

/** All rules, in the order in which they are tried. The last two take every 5xx and 4xx. */
export const outcomeRules: readonly OutcomeRule[] = [
  ...byStep,
  ...overrulingText,
  ...exactEnhanced,
  ...access,
  ...words,
  ...subjects,
  ...basic,
];
