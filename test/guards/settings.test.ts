import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { readConfig, settingNames } from '../../src/config.ts';

const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').split('\n');
const settingLine = /^#? ?([A-Z][A-Z0-9_]*)=/;

test('.env.example lists exactly the settings that config.ts reads', async (t) => {
  const listed = example.flatMap((line) => settingLine.exec(line)?.[1] ?? []);
  t.strictSame([...listed].sort(), [...settingNames].sort());
});

test('every setting of .env.example is explained above it', async (t) => {
  const bare = example.filter((line, index) => {
    if (!settingLine.test(line)) return false;
    const before = example[index - 1] ?? '';
    return !before.startsWith('#') && !settingLine.test(before);
  });
  t.strictSame(bare, []);
});

test('PUBLIC_URL is an address that paths can be put behind', async (t) => {
  const read = (url: string) => readConfig({ PUBLIC_URL: url }).publicUrl;
  t.equal(read('https://avis.example'), 'https://avis.example');
  t.equal(read('https://avis.example/notifications//'), 'https://avis.example/notifications');
  for (const wrong of [
    'ftp://avis.example',
    'avis',
    'https://a.example/?x=1',
    'https://a.example/#',
    'https://u:p@a.example',
  ]) {
    t.throws(() => read(wrong), /^Setting PUBLIC_URL: must /, wrong);
  }
});
