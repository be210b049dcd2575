import t from 'tap';
import { startService } from '../../support/service.ts';
import { addTemplate, must } from '../../support/templates.ts';

type Found = { code: string; severity: string; part: string; line: number; column: number; subject: string };

/** What a check finds in these texts of what people must not type in, as `code part:line:column subject`. */
async function typedIn(t: Parameters<typeof startService>[0], texts: object): Promise<string[]> {
  const service = await startService(t);
  const path = await addTemplate(service, { key: 'avis' }, { text: 'Bonjour', html: '<p>Bonjour</p>', ...texts });
  const { problems } = must(await service.inject('POST', `${path}/check`, { body: {} }), 200);
  return (problems as Found[])
    .filter(({ code }) => code.startsWith('typed_in'))
    .map(
      ({ code, severity, part, line, column, subject }) => `${severity} ${code} ${part}:${line}:${column} ${subject}`,
    );
}

t.test(
  'J14 · a typed-in mail address, telephone, social security number or IBAN is warned about, with its place',
  async (t) => {
    t.same(
      await typedIn(t, {
        subject: 'Dossier de jean.dupont@courriel.example',
        text: 'Bonjour {{ nom }},\nappelez le 01 42 68 53 00 ou le +33 6 12 34 56 78.\nIBAN FR76 3000 6000 0112 3456 7890 189\nBE68 5390 0754 7034 BIC',
        html: '<p>N° 2 69 05 49 588 157 80</p>\n<a href="mailto:anna@courriel.example">Écrire</a>',
      }),
      [
        'warning typed_in_mail_address subject:1:12 jean.dupont@courriel.example',
        'warning typed_in_phone_number text:2:12 01 42 68 53 00',
        'warning typed_in_phone_number text:2:33 +33 6 12 34 56 78',
        'warning typed_in_iban text:3:6 FR76 3000 6000 0112 3456 7890 189',
        'warning typed_in_iban text:4:1 BE68 5390 0754 7034 BIC',
        'warning typed_in_social_security_number html:1:7 2 69 05 49 588 157 80',
        'warning typed_in_mail_address html:2:17 anna@courriel.example',
      ],
    );
  },
);

t.test('J14 · fields, and numbers that are none of these, are not warned about', async (t) => {
  t.same(
    await typedIn(t, {
      subject: 'Dossier {{ dossier }} du 05/03/2022',
      text: [
        '{{ client.mail }} {{ "jean@courriel.example" | upcase }} {{ telephone }}',
        'Contrat 2026-000123, dossier 12345678901234567890, montant 1 234 567,89 €',
        'IBAN FR76 3000 6000 0112 3456 7890 188, n° 2 69 05 49 588 157 81, SIRET 732 829 320 00074',
        'Article L. 113-15-1, @réseau, 10 000 000 habitants, version 1.2.3.4',
      ].join('\n'),
      html: '<img src="cid:logo" width="0142685300px"><p style="color:#0142685300">{{ client.mail }}</p>',
    }),
    [],
  );
});

t.test('J14 · it is a warning: a published version may keep the address of the office', async (t) => {
  const service = await startService(t);
  const path = await addTemplate(service, { key: 'avis' }, { text: 'Écrivez à contact@reseau.example' });
  t.match(must(await service.inject('GET', path), 200), { currentVersion: 1 });
  const other = await service.addTenant('Autre');
  t.equal((await service.inject('POST', `${path}/check`, { body: {}, key: other.key })).status, 404);
});
