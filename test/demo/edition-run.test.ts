import { createHash } from 'node:crypto';
import t from 'tap';
import {
  editionRun,
  type Fault,
  frenchAmount,
  frenchDate,
  mergeFields,
  minimumCount,
  type NoticeRow,
} from '../../demo/edition-run.ts';
import { noticePdf } from '../../demo/notice-pdf.ts';

const rows = editionRun();

t.test('500 rows, the same for the same seed, others for another', async (t) => {
  t.equal(rows.length, 500);
  t.strictSame(editionRun({ count: 500, seed: 1 }), rows);
  t.not(editionRun({ seed: 2 })[0]?.contractNumber, rows[0]?.contractNumber);
  t.throws(() => editionRun({ count: minimumCount - 1 }), RangeError);
});

t.test('ten rows are broken, two of each kind, whatever the count', async (t) => {
  const kinds: Fault[] = ['bad-address', 'missing-address', 'box-not-ticked', 'missing-field', 'duplicate-file-number'];
  for (const run of [rows, editionRun({ count: minimumCount }), editionRun({ count: 1_234 })]) {
    const broken = run.filter((row) => row.fault !== null);
    t.equal(broken.length, 10);
    for (const kind of kinds) t.equal(broken.filter((row) => row.fault === kind).length, 2, kind);
    t.ok(run.every((row) => (row.fault === null) === (row.expected === 'E')));
  }
});

t.test('each broken row is broken in its way only', async (t) => {
  const faulty = (fault: Fault) => rows.filter((row) => row.fault === fault);
  t.strictSame(
    faulty('bad-address').map((row) => row.mailAddress),
    ['jean.dupont@', 'a@b.example, c@d.example'],
  );
  t.ok(faulty('missing-address').every((row) => row.mailAddress === null));
  t.ok(faulty('missing-field').every((row) => !('montant' in mergeFields(row))));
  t.strictSame(
    rows.filter((row) => !row.noticeByMail),
    faulty('box-not-ticked'),
  );
  for (const row of faulty('duplicate-file-number')) {
    const [first] = rows.filter(({ fileNumber }) => fileNumber === row.fileNumber);
    t.equal(first?.fault, null);
    t.ok(
      rows.findIndex(({ fileNumber }) => fileNumber === row.fileNumber) < rows.indexOf(row),
      'the good one comes first',
    );
  }
  const others = rows.filter((row) => row.fault !== 'duplicate-file-number');
  t.equal(new Set(others.map((row) => row.fileNumber)).size, others.length);
});

t.test('good rows hold what French records hold', async (t) => {
  const good = rows.filter((row) => row.fault === null);
  for (const row of good) {
    t.match(row.fileNumber, /^D-2026-\d{6}$/);
    t.match(row.mailAddress, /^[a-z0-9.-]{3,64}@[a-z]+\.example$/);
    t.match(row.total, /^(\d{1,3}\u202f)?\d{1,3},\d\d\u00a0€$/);
    t.match(row.dueDate, /^(1er|\d\d) (janvier|février|mars) 2027$/);
  }
  t.equal(new Set(good.map((row) => row.mailAddress)).size, good.length, 'no address twice');
  const names = new Set(good.flatMap((row) => [row.firstName, row.lastName]));
  for (const name of ['Lœtitia', 'Noël', "D'Hérouville", 'Müller-Brézé', 'de La Rochebriand'])
    t.ok(names.has(name), name);
  t.ok(
    good.some((row) => row.address.some((line) => line.length > 110)),
    'some addresses are very long',
  );
});

t.test('amounts and dates as French letters write them', async (t) => {
  t.equal(frenchAmount(123_456), '1\u202f234,56\u00a0€');
  t.equal(frenchAmount(5), '0,05\u00a0€');
  t.equal(frenchAmount(123_456_700), '1\u202f234\u202f567,00\u00a0€');
  t.equal(frenchDate(new Date('2027-01-01T00:00:00Z')), '1er janvier 2027');
  t.equal(frenchDate(new Date('2027-08-31T23:59:59Z')), '31 août 2027');
});

t.test('a notice is a valid one-page PDF of 20 to 80 kB with its fonts inside', async (t) => {
  const longest = rows
    .toSorted((left, right) => right.address.join('').length - left.address.join('').length)
    .slice(0, 5);
  for (const row of [...rows.filter((_, index) => index % 50 === 0), ...longest]) {
    const pdf = await noticePdf(row);
    const text = pdf.toString('latin1');
    t.ok(text.startsWith('%PDF-1.'), row.fileNumber);
    t.ok(text.endsWith('%%EOF\n') || text.endsWith('%%EOF'));
    t.ok(pdf.length > 20_000 && pdf.length < 80_000, `${pdf.length} bytes`);
    t.equal(text.match(/\/Type \/Page\b(?!s)/g)?.length, 1, 'one page');
    t.equal(text.match(/\/FontFile2 /g)?.length, 3, 'three fonts embedded');
    const [, offset] = /startxref\n(\d+)/.exec(text) ?? [];
    t.equal(
      text.slice(Number(offset), Number(offset) + 4),
      'xref',
      'the cross-reference table is where it is said to be',
    );
  }
});

t.test('the same row gives the same bytes, whatever was made before it', async (t) => {
  const some = editionRun({ count: 40 });
  const hashes = async (order: number[]) => {
    // A module of its own each time, so that no font was used yet.
    const fresh: typeof import('../../demo/notice-pdf.ts') = await import(`../../demo/notice-pdf.ts?order=${order[0]}`);
    const made: string[] = [];
    for (const index of order) {
      made[index] = createHash('sha256')
        .update(await fresh.noticePdf(some[index] as NoticeRow))
        .digest('hex');
    }
    return made;
  };
  const forward = [...some.keys()];
  const made = await hashes(forward);
  t.strictSame(await hashes(forward.toReversed()), made);
  // The two rows that came twice have the notice of the good one.
  t.equal(new Set(made).size, 38);
});
