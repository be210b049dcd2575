import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { settingNames } from '../../src/config.ts';

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
