/** Where root keeps clusters that the server's user could not reach. Nothing is started. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { choosePlace } from '../../src/db/embedded/place.ts';

const skip = process.getuid?.() === 0 ? false : 'only root keeps clusters elsewhere';

t.test('a cluster whose temporary data folder is gone is removed by the next one that is made', { skip }, async (t) => {
  const folders = await Promise.all([1, 2, 3].map(() => mkdtemp(join(tmpdir(), 'notifications-place-'))));
  const [kept = '', gone = '', later = ''] = folders;
  const places = [await choosePlace(kept), await choosePlace(gone)];
  t.teardown(async () => {
    for (const folder of [...folders, ...places.map((place) => place.folder)]) {
      await rm(folder, { recursive: true, force: true });
    }
  });
  t.ok(places.every(({ folder }) => existsSync(folder)));
  await rm(gone, { recursive: true });
  places.push(await choosePlace(later));
  t.same(
    places.map(({ folder }) => existsSync(folder)),
    [true, false, true],
  );
  t.equal((await choosePlace(kept)).folder, places[0]?.folder, 'what is there stays where it was');
});
