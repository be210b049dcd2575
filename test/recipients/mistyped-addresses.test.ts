import fc from 'fast-check';
import t from 'tap';
import { parseAddrSpec } from '../../src/channels/mail/addr-spec.ts';
import { probablyMeant } from '../../src/recipients/addresses/mistyped.ts';
import { startService } from '../support/service.ts';

/** Domains as they are mistyped, by what was meant. */
const typos: Readonly<Record<string, string>> = {
  'gmail.com':
    'gmial.com gmal.com gmai.com gmil.com gamil.com gmaill.com gnail.com gmail.con gmail.cmo gmail.co gmail.cm gmail.om gmail.comm gmial.con',
  'hotmail.fr': 'hotmal.fr hotmil.fr homail.fr hotmaill.fr htomail.fr hormail.fr otmail.fr hotmail.fe hotmail.rf',
  'hotmail.com': 'hotmial.com hotmal.com hotmail.con hotmail.coom hotmail.vom',
  'orange.fr': 'orange.fe orange.rf orange.ft ornage.fr oragne.fr orang.fr ornge.fr orangee.fr',
  'laposte.net': 'laposte.ent laposte.nte laposte.nett lapost.net laoposte.net laposet.net lapsote.net',
  'yahoo.fr': 'yaho.fr yahooo.fr yhaoo.fr yaoo.fr yahoo.ft',
  'yahoo.com': 'yaho.com yahoo.comm yahoo.con',
  'wanadoo.fr': 'wanado.fr wandoo.fr wanadooo.fr wanadoo.rf wnadoo.fr',
  'outlook.fr': 'outlok.fr outllok.fr outlook.fe',
  'outlook.com': 'outloook.com outlook.con otulook.com',
  'icloud.com': 'iclod.com icoud.com icloud.con',
  'free.fr': 'free.ft free.rf fere.fr',
  'sfr.fr': 'sfr.ft sfr.fe sfr.rf',
  'live.fr': 'live.ft live.rf lvie.fr',
  'numericable.fr': 'numricable.fr',
  'protonmail.com': 'protonmial.com',
  'cabinet-dupont.com': 'cabinet-dupont.con',
  'mairie-lyon.fr': 'mairie-lyon.ft',
  'edu.univ-nantes.fr': 'edu.univ-nantes.ffr',
  'asso.org': 'asso.ogr',
};

/** Domains as they are, some near another: none may be doubted. */
const right =
  `gmail.com googlemail.com mail.com email.com ymail.com mail.fr hotmail.fr hotmail.com hotmail.co.uk hotmail.nl
  hotmail.hu outlook.fr outlook.com outlook.cn live.fr live.com live.co.uk live.pt msn.com yahoo.fr yahoo.com yahoo.co.uk
  yahoo.co.jp yahoo.in yahoo.com.mx icloud.com me.com mac.com orange.fr orange.com orange.mc wanadoo.fr laposte.net laposte.fr
  free.fr free.org sfr.fr neuf.fr neufs.fr noos.fr nous.fr bbox.fr numericable.fr club-internet.fr aliceadsl.fr voila.fr gmx.fr
  gmx.de gmx.net web.de t-online.de proton.me protonmail.com bluewin.ch skynet.be telenet.be laporte.fr outdoor.fr grange.fr
  hotel.fr camail.fr srf.ch bbc.co.uk abc.fr fred.fr lives.fr fre.fr clubs.fr airfrance.fr univ-nantes.fr ac-nantes.fr
  interieur.gouv.fr courriel.example people.test xn--t-9fab.example a.b.c.d.example`.split(/\s+/);

t.test('a domain that is nearly a well-known one, or ends as none does, has a suggestion', (t) => {
  for (const [meant, written] of Object.entries(typos)) {
    for (const domain of written.split(' ')) t.equal(probablyMeant(`Anne.L+x@${domain}`), `Anne.L+x@${meant}`, domain);
  }
  t.end();
});

t.test('a domain that is right, or another, has none', (t) => {
  for (const domain of right) t.equal(probablyMeant(`a@${domain}`), null, domain);
  t.end();
});

t.test('a suggestion is an address that needs none itself, whatever is written', (t) => {
  const letters = fc.constantFrom('', 'a', 'm', 'o', '1', '.', '-', 'fr', 'com');
  const domains = fc.oneof(
    fc.domain(),
    fc
      .constantFrom(...right)
      .chain((domain) =>
        fc
          .tuple(fc.nat(domain.length), fc.nat(2), letters)
          .map(([at, cut, put]) => domain.slice(0, at) + put + domain.slice(at + cut)),
      ),
  );
  fc.assert(
    fc.property(domains, (domain) => {
      const parsed = parseAddrSpec(`a@${domain}`);
      if (parsed.kind === 'invalid') return;
      const meant = probablyMeant(parsed.address);
      if (meant === null) return;
      const again = parseAddrSpec(meant);
      if (again.kind === 'invalid') throw new Error(`${meant}, for ${domain}, is no address`);
      if (probablyMeant(meant) !== null) throw new Error(`${meant}, for ${domain}, is not one that is right`);
    }),
    { seed: 20261123, numRuns: 5_000 },
  );
  t.end();
});

t.test('the answers that show a recipient say what looks mistyped, and nothing is stopped', async (t) => {
  const { inject } = await startService(t);
  const path = '/v1/recipients/external:client:C-1';
  const mail = (value: string) => ({ kind: 'mail', value });
  const warning = (index: number, suggestion: string) => ({
    pointer: `/addresses/${index}/value`,
    code: 'address_looks_mistyped',
    suggestion,
  });
  const addresses = [mail('anne@travail.example'), mail('Anne@GMIAL.com'), mail('anne@courriel.été.fe')];
  const expected = [warning(1, 'Anne@gmail.com'), warning(2, 'anne@courriel.xn--t-9fab.fr')];

  const headers = { 'idempotency-key': 'once' };
  const body = { type: 'client', externalId: 'C-1', addresses };
  const made = await inject('POST', '/v1/recipients', { body, headers });
  t.match(made, { status: 201, body: { warnings: expected } });
  t.equal(made.body.warnings.length, 2);
  t.same((await inject('POST', '/v1/recipients', { body, headers })).body, made.body, 'a repeat says the same');
  t.match((await inject('GET', path)).body.warnings, expected);
  t.match((await inject('GET', '/v1/recipients')).body.items[0].warnings, expected);

  const patched = await inject('PATCH', path, {
    body: { addresses: [mail('anne@orange.fe')] },
    headers: { 'if-match': '*' },
  });
  t.match(patched, { status: 200, body: { addresses: [{ value: 'anne@orange.fe' }] } });
  t.match(patched.body.warnings, [warning(0, 'anne@orange.fr')]);
  const put = await inject('PUT', path, { body: { addresses: [mail('anne@laposte.ent')] } });
  t.match(put.body.warnings, [warning(0, 'anne@laposte.net')]);
  t.same((await inject('PUT', path, { body: { addresses: [mail('anne@laposte.net')] } })).body.warnings, []);
});

t.test('internationalised domains are kept in A-labels, and found in either form', async (t) => {
  const { inject } = await startService(t);
  const domains: Record<string, string> = {
    'été.example': 'xn--t-9fab.example',
    'ÉTÉ.example': 'xn--t-9fab.example',
    'e\u0301te\u0301.example': 'xn--t-9fab.example',
    'straße.example': 'xn--strae-oqa.example',
    'bücher。example': 'xn--bcher-kva.example',
    '例え.テスト': 'xn--r8jz45g.xn--zckzah',
  };
  for (const [index, [written, kept]] of Object.entries(domains).entries()) {
    const externalId = `C-${index}`;
    const addresses = [{ kind: 'mail', value: `Anne@${written}` }];
    const made = await inject('POST', '/v1/recipients', { body: { type: 'client', externalId, addresses } });
    t.match(made, { status: 201, body: { addresses: [{ value: `Anne@${kept}` }], warnings: [] } }, written);
    for (const domain of [written, kept, kept.toUpperCase()]) {
      const { body } = await inject('GET', `/v1/recipients?address=${encodeURIComponent(`anne@${domain}`)}`);
      t.ok(
        body.items.some((one: { externalId: string }) => one.externalId === externalId),
        domain,
      );
    }
  }
});
