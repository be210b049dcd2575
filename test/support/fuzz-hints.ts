import type { Hints } from './arbitraries.ts';
import { noticeData } from './seeds.ts';

const mail = [
  'jean.noel@courriel.example',
  'Marie.Curie+avis@courriel.example',
  "o'neil@sub.courriel.example",
  'x@exämple.fr',
  'hélène@courriel.example',
  '"a b"@courriel.example',
  'x@[127.0.0.1]',
];

/** Values that a seeded organisation is likely to accept, by the name of their member; `§{name}` stands for an id. */
export const hints: Hints = {
  template: ['avis-echeance', '§{template}', 'inutile'],
  templates: ['avis-echeance', 'inutile', '§{template}'],
  documentType: ['avis-echeance', 'autre'],
  templateVersion: [1, 2],
  version: [1, 2],
  recipient: ['external:client:C-1001', '§{recipient}', 'external:client:nobody'],
  documents: ['§{document}'],
  sender: ['accueil', '§{sender}'],
  notificationType: ['ae-par-mail', 'avis-echeance', '§{notificationType}'],
  ids: ['§{E}', '§{B}', '§{OK}', '§{planned}', '§{failed}', '§{unknown}'],
  sendRequest: ['§{sendRequest}', '§{draft}'],
  resourceId: ['§{template}'],
  address: mail,
  fromAddress: mail,
  replyTo: mail,
  archiveBcc: mail,
  testRedirect: [...mail, null],
  value: [...mail, '06 12 34 56 78'],
  timezone: ['Europe/Paris', 'UTC'],
  channel: ['mail'],
  cause: ['bounce', 'complaint', 'unsubscribed', 'manual'],
  since: ['2026-03-02T08:00:00+01:00'],
  driver: ['outbox'],
  settings: [{}],
  secrets: [{}],
  data: [noticeData],
  subject: ['Avis {{ contrat }}', 'Avis'],
  text: ['Bonjour {{ Adr_Nom }}', 'Bonjour {Adr_Nom}'],
  html: ['<p>{{ Adr_Nom | escape }}</p>', '<p>Bonjour</p>'],
  sendAt: ['2027-01-04T08:00:00+01:00'],
  notAfter: ['2028-01-04T08:00:00+01:00'],
  syntax: ['liquid', 'braces'],
  defaultTemplate: ['avis-echeance', null],
};
