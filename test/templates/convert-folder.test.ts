/** `npm run convert`: a folder of texts in an old syntax. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const tool = fileURLToPath(new URL('../../tools/convert-folder.ts', import.meta.url));

function run(...options: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [tool, ...options], (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

t.test('every text of a folder becomes Liquid beside it, with a report', async (t) => {
  const folder = t.testdir({
    old: {
      'avis.txt': 'Bonjour {Adr_Nom}\nle ${date# j F Y}',
      relances: { 'dossier.html': '<p>Élève ${prénom}, ${a+b} [URL_PJ_WEB]</p>' },
      'logo.png': 'not a text',
    },
  });
  // As Windows wrote it before UTF-8.
  await writeFile(join(folder, 'old', 'ancien.TXT'), Buffer.from('Reçu par ${nom}', 'latin1'));
  const { code, out, err } = await run(join(folder, 'old'), '--into', join(folder, 'new'));
  t.equal(code, 1, 'one field is not understood');
  t.equal(err, '');
  t.match(
    out,
    '3 files, 4 fields converted, 1 renamed, 1 not understood, 0 files that are no sound Liquid, 0 places to look at.',
  );
  const read = (...path: string[]) => readFile(join(folder, ...path), 'utf8');
  t.equal(await read('new', 'avis.txt'), "Bonjour {{ Adr_Nom }}\nle {{ date | php_date: 'j F Y' }}");
  t.equal(await read('new', 'relances', 'dossier.html'), '<p>Élève {{ prenom }}, ${a+b} {{ URL_PJ_WEB }}</p>');
  t.equal(await read('new', 'ancien.TXT'), 'Reçu par {{ nom }}');
  t.equal(await read('old', 'avis.txt'), 'Bonjour {Adr_Nom}\nle ${date# j F Y}', 'the old one is as it was');
  const report = (await read('new', 'report.csv')).split('\r\n');
  t.equal(report[0], '\ufeff"file";"line";"field";"liquid";"outcome";"count"');
  t.ok(report.includes(`"avis.txt";"2";"\${date# j F Y}";"{{ date | php_date: 'j F Y' }}";"converted";"1"`));
  t.ok(report.includes(`"${join('relances', 'dossier.html')}";"1";"\${a+b}";"";"not_understood";"1"`));
});

t.test('the texts of the demo are converted without a remainder', async (t) => {
  const demo = fileURLToPath(new URL('../../demo/templates', import.meta.url));
  const { code, out, err } = await run(demo, '--into', join(t.testdir({}), 'new'));
  t.equal(code, 0);
  t.equal(err, '');
  t.match(out, / 0 not understood, 0 files that are no sound Liquid/);
});

t.test('only the syntaxes asked for; a text that is no sound Liquid is told', async (t) => {
  const folder = t.testdir({ old: { 'a.txt': '{b} ${c}', 'z.txt': 'x\n{% if %}' } });
  const { code, out, err } = await run(join(folder, 'old'), '--syntax', 'dollar');
  t.equal(code, 1);
  t.match(err, /^z\.txt: line 2: /);
  t.match(out, '1 files that are no sound Liquid');
  t.equal(await readFile(join(folder, 'old-liquid', 'a.txt'), 'utf8'), '{b} {{ c }}');
});

t.test(
  'what came of each text is checked: personal data, risky markup, fields where they must not stand',
  async (t) => {
    const folder = t.testdir({
      old: {
        'a.html': '<p>Bonjour {Adr_Nom},</p>\n<p>appelez le +33 1 42 34 56 78 ou jean@courtage.example</p>',
        'b.html': '<script>x</script><a href="${lien}">ici</a><img src="http://a.example/l.png">',
        'c.html': '<p>Bonjour</p>\n<td {couleur}>{Adr_Nom}</td><p class=${classe}>x</p>',
        'd.txt': 'Numéro 1 85 05 78 006 084 91, dossier ${n}',
      },
    });
    const { code, out, err } = await run(join(folder, 'old'));
    t.equal(code, 1, 'one could not be saved');
    t.match(out, '1 files that are no sound Liquid, 5 places to look at.');
    t.match(out, 'Converted and checked 4/4');
    t.same(err.trim().split('\n'), [
      'c.html: line 2: a field is in a tag, outside an attribute’s value',
      'c.html: line 2: the value of class has a field and needs quotes',
    ]);
    const report = await readFile(join(folder, 'old-liquid', 'report.csv'), 'utf8');
    for (const line of [
      '"a.html";"2";"\'+33 1 42 34 56 78";"";"typed_in_phone_number";"1"',
      '"a.html";"2";"jean@courtage.example";"";"typed_in_mail_address";"1"',
      '"b.html";"1";"script";"";"risky_element";"1"',
      '"b.html";"1";"a href";"";"field_as_link";"1"',
      '"c.html";"2";"the value of class has a field and needs quotes";"";"field_in_markup";"1"',
      '"d.txt";"1";"1 85 05 78 006 084 91";"";"typed_in_social_security_number";"1"',
    ]) {
      t.ok(report.includes(`${line}\r\n`), line);
    }
  },
);

t.test('a command line that means nothing is refused in a line', async (t) => {
  const folder = t.testdir({});
  await mkdir(join(folder, 'old'));
  for (const [options, told] of [
    [[], 'npm run convert'],
    [[join(folder, 'old'), '--syntax', 'percent'], 'npm run convert'],
    [[join(folder, 'nowhere')], 'ENOENT'],
    [[join(folder, 'old'), '--into', join(folder, 'old', 'new')], '--into'],
  ] as const) {
    const { code, err } = await run(...options);
    t.equal(code, 2);
    t.match(err, told);
    t.equal(err.trim().split('\n').length, 1);
  }
});
