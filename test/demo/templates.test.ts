/** The texts of `demo/templates/`: from the old syntax to the mail that arrives. */
import { decodeHTML } from 'entities';
import t, { type Test } from 'tap';
import { type Api, change, done, mailsTo, opened } from '../support/broker.ts';
import {
  addApogeeOffice,
  apogeeConstants,
  type ConvertedTemplate,
  convertDemoTemplate,
  type DemoTemplate,
  demoLogo,
  readDemoTemplates,
} from '../support/demo-templates.ts';
import { type Sending, startSending } from '../support/sending.ts';
import type { SinkMail } from '../support/smtp-sink.ts';

const signature = '<p><strong>Service des prestations</strong><br>Mutuelle des Deux Caps</p>';

/** Whom each writes to, its subject, and what text and HTML say of the dates, amounts and constants of its sample. */
const expected: Record<string, { to: string; subject: string; said: string[] }> = {
  'correcteurs-notes-manquantes': {
    to: 'gaetan.kerbrat@universite-estuaire.example',
    subject: 'Notes à saisir : 3 évaluations en attente',
    said: [
      'Il vous reste 3 évaluations à compléter',
      '4 décembre 2026',
      '11 décembre 2026',
      apogeeConstants.URL_NOTES_WEB,
    ],
  },
  'inscrits-sans-inscription-pedagogique': {
    to: 'maelys@etudiants.example',
    subject: 'Inscription pédagogique à faire avant le 1er décembre 2026',
    said: ['1er décembre 2026 à 17:00', 'Date de naissance : 1er mars 2006', apogeeConstants.URL_IP_WEB],
  },
  'relance-paiement': {
    to: 'maelys.paiement@etudiants.example',
    subject: 'Votre inscription L2DRO1 : paiement de 1 178,50 € attendu',
    said: ['la somme de 1 178,50 €', '1 075,50 €', '103,00 €', apogeeConstants.URL_PAIEMENT_WEB],
  },
  'relance-pieces-justificatives': {
    to: 'maelys.pieces@etudiants.example',
    subject: 'Votre inscription L2DRO1 : pièces justificatives à fournir',
    said: ['Pièce refusée : photographie floue', 'Date de naissance : 1er mars 2006', apogeeConstants.URL_PJ_WEB],
  },
  'action-collective-participant': {
    to: 'theo@entreprendre.example',
    subject: 'Journée « Trouver ses premiers clients » : votre table est la n° 7',
    said: ['lundi 1er février 2027 à 09h00', 'Vous serez 24 autour des tables'],
  },
  'convocation-rendez-vous': {
    to: 'aicha@entreprendre.example',
    subject: 'Convocation : rendez-vous du jeudi 14 janvier 2027 à 09:30',
    said: ['Le jeudi 14 janvier 2027 à 09:30 (fin prévue à 12:00)'],
  },
  'lettre-du-reseau': {
    to: 'aicha.lettre@entreprendre.example',
    subject: 'La lettre du réseau n° 38 : créer en Vallée de l’Aubière',
    said: ['janvier 2027', '112 entreprises'],
  },
  'documents-demandes-adherent': {
    to: 'elodie.lhostis@courriel.example',
    subject: 'Votre dossier n° 0048127 : documents à nous transmettre',
    said: ['avant le vendredi 18 décembre 2026', '0048127', 'Service des prestations'],
  },
  'documents-demandes-praticien': {
    to: 'secretariat@cabinet-embruns.example',
    subject: 'Adhérent n° 0048127 : pièces justificatives pour les soins du 05/11/2026',
    said: ['né(e) le 2 avril 1987', 'Date des soins : 5 novembre 2026', '0048127', 'Service des prestations'],
  },
  'avis-echeance': {
    to: 'noel@courriel.example',
    subject: 'Avis d’échéance MRH-2026-000418 du 1er janvier 2027',
    said: ['du 1er janvier 2027 au 31 décembre 2027', '1 234,56 €'],
  },
};

/** One blank where there are some, of whatever kind: what a reader sees. */
const plain = (text = '') => text.replace(/\s+/g, ' ');
const readable = (html = '') => plain(decodeHTML(html.replace(/<style[\s\S]*?<\/style>|<[^>]*>/g, ' ')));
/** Words without what stands between them: HTML has tags there. */
const words = (text: string) => text.replace(/\s/g, '');

/** What a sample gives that is shown as it is: no dates, numbers, addresses and references. */
function* shownValues(value: unknown): Generator<string> {
  if (typeof value === 'string') {
    if (!/^[\d.]+$|^\d{4}-\d\d-\d\d|@|^P-\d+$/.test(value)) yield value;
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) yield* shownValues(inner);
  }
}

const oldOrLiquid = /\{\{|\}\}|\{%|\$\{|\$\(|\[URL_|\{(?:Adr|Ctr|Ech|Per)_/;

async function save(api: Api, { key, about }: DemoTemplate, { version }: ConvertedTemplate): Promise<string> {
  const body = { key, channel: 'mail', ...about };
  const path = `/v1/templates/${(await done(api.inject('POST', '/v1/templates', { body }))).id}`;
  await done(api.inject('POST', `${path}/versions`, { body: version }));
  return path;
}

async function send(service: Sending, { key, texts, sample: data }: DemoTemplate): Promise<SinkMail | undefined> {
  const { to = '' } = expected[key] ?? {};
  await service.send([texts.to === undefined ? { to: { address: to }, data } : { data }], { template: key });
  await service.work();
  const [mail] = mailsTo(service.sink, to);
  return mail;
}

/** The logo travels in the mail, beside the HTML that shows it. */
async function hasLogo(t: Test, mail: SinkMail | undefined): Promise<void> {
  const { html, attachments } = await opened(mail);
  const [logo] = attachments;
  t.equal(attachments.length, 1);
  t.match(logo, { mimeType: 'image/png', disposition: 'inline', related: true });
  t.same(Buffer.from(logo?.content as ArrayBuffer), demoLogo().content, 'byte for byte');
  t.match(html, `src="cid:${logo?.contentId?.replace(/[<>]/g, '')}"`);
  t.match(html, 'alt="Université de l’Estuaire"');
  const raw = String(mail?.raw);
  t.match(raw, /^Content-Type: multipart\/related;/m);
  t.ok(raw.indexOf('multipart/related') < raw.indexOf('text/html'), 'which holds the HTML');
}

t.test('every text of the demo is converted, checked, published, previewed, sent and received', async (t) => {
  const service = await startSending(t);
  const [sender] = (await done(service.inject('GET', '/v1/senders'))).items;
  await change(service, `/v1/senders/${sender.id}`, { signature });
  // One of them is advertising, which people who are not known must be taken to allow.
  await change(service, '/v1/tenant', { defaultConsentLevel: 2 });
  await addApogeeOffice(service);
  const all = readDemoTemplates();
  t.same(new Set(all.map(({ key }) => key)), new Set(Object.keys(expected)), 'each has what is expected of it');
  for (const template of all) {
    await t.test(`${template.system}: ${template.key}`, async (t) => {
      const { sample: data, layout } = template;
      const { to, subject, said } = expected[template.key] ?? { to: '', subject: '', said: [] };
      const converted = await convertDemoTemplate(service, template);
      t.ok(converted.fields.length > 0);
      t.same(
        converted.fields.filter(({ outcome }) => outcome === 'not_understood'),
        [],
      );
      const path = await save(service, template, converted);
      const { problems } = await done(service.inject('POST', `${path}/check`, { body: { data } }));
      t.same(
        problems.filter(({ severity }: { severity: string }) => severity !== 'note'),
        [],
      );
      await done(service.inject('POST', `${path}/versions/1/publish`));
      const preview = await done(service.inject('POST', `${path}/preview`, { body: { data } }));
      const mail = await send(service, template);
      const seen = await opened(mail);
      t.same(mail?.envelope.to, [to]);
      t.equal(preview.to, template.texts.to === undefined ? null : to);
      t.equal(plain(seen.subject), subject);
      t.equal(preview.subject, seen.subject);
      const parts = { text: plain(seen.text), html: readable(seen.html) };
      for (const value of [...shownValues(data), ...said]) {
        for (const [part, shown] of Object.entries(parts)) {
          t.ok(words(`${seen.subject} ${shown}`).includes(words(value)), `${part}: ${value}`);
        }
      }
      t.notMatch(`${seen.subject} ${seen.text} ${seen.html}`, oldOrLiquid, 'no mark is left');
      t.equal(seen.html?.replaceAll('\r\n', '\n').trimEnd(), preview.html.trimEnd(), 'the preview told the truth');
      t.equal(seen.text?.replaceAll('\r\n', '\n').trimEnd(), preview.text.trimEnd());
      if (layout !== null) await hasLogo(t, mail);
      else t.same(seen.attachments, []);
    });
  }
});

t.test('braces of style sheets stay; rules stand on their elements', async (t) => {
  const service = await startSending(t);
  for (const template of readDemoTemplates().filter(({ texts }) => texts.html?.includes('<style'))) {
    const path = await save(service, template, await convertDemoTemplate(service, template));
    const { html } = await done(service.inject('POST', `${path}/preview`, { body: { data: template.sample } }));
    t.match(html, /@media [^{]+\{\s*\S+( h1)?\s*\{/, `${template.key}: what only a sheet can say`);
    t.match(html, /<(?:td|h1)[^>]* style="[^"]*(?:padding|margin)/, `${template.key}: and what elements can`);
  }
});
