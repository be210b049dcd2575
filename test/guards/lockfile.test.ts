import { readFileSync } from 'node:fs';
import { test } from 'tap';

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  inBundle?: boolean;
}

const root = new URL('../../', import.meta.url);
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
  lockfileVersion: number;
  packages: Record<string, Locked>;
};
const dependencies = Object.entries(lock.packages).filter(([path]) => path !== '');

function versionsOf(name: string): string[] {
  return dependencies
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([, locked]) => locked.version ?? '');
}

function isAtLeast(version: string, minimum: string): boolean {
  const [have, need] = [version.split('.').map(Number), minimum.split('.').map(Number)];
  for (const [index, wanted] of need.entries()) {
    const found = have[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

// Below these, there is a known hole or a known fault. Nobody answers `npm audit` behind some mirrors: this test does.
const minimums: Record<string, string> = {
  liquidjs: '10.30.1',
  nodemailer: '10.6.0',
  fastify: '5.12.0',
  postgres: '3.4.9',
  'drizzle-orm': '0.45.0',
};

for (const [name, minimum] of Object.entries(minimums)) {
  test(`${name} is ${minimum} or newer, wherever it is installed`, async (t) => {
    const versions = versionsOf(name);
    t.ok(versions.length > 0, 'is locked');
    t.strictSame(
      versions.filter((version) => !isAtLeast(version, minimum)),
      [],
    );
  });
}

// Other versions of these do not install, or do not do what this code needs.
const pinned: Record<string, RegExp> = {
  'drizzle-orm': /^0\.45\.\d+$/,
  'pg-boss': /^12\.35\.0$/,
  '@biomejs/biome': /^2\.5\.15$/,
  typescript: /^6\.0\.\d+$/,
};

for (const [name, pattern] of Object.entries(pinned)) {
  test(`${name} is a version known to work`, async (t) => {
    const locked = lock.packages[`node_modules/${name}`]?.version ?? 'missing';
    t.match(locked, pattern);
  });
}

test('the lock file names no registry, so that it serves behind any mirror', async (t) => {
  const named = dependencies.filter(([, locked]) => locked.resolved !== undefined && locked.link !== true);
  t.strictSame(
    named.map(([path]) => path),
    [],
  );
});

test('every package is locked with its hash', async (t) => {
  const unlocked = dependencies.filter(
    ([, locked]) => locked.integrity === undefined && locked.link !== true && locked.inBundle !== true,
  );
  t.strictSame(
    unlocked.map(([path]) => path),
    [],
  );
});

test('package.json and package-lock.json agree, so that npm ci installs', async (t) => {
  const own = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Record<string, unknown>;
  const locked = lock.packages[''] as Record<string, unknown>;
  t.strictSame(locked.dependencies, own.dependencies);
  t.strictSame(locked.devDependencies, own.devDependencies);
});
