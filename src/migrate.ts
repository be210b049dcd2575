import { fileURLToPath } from 'node:url';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import { namingSetting, readConfig, SettingError } from './config.ts';
import { connectDatabase } from './db/client.ts';
import { migrateQueues } from './queue/boss.ts';

const migrationsFolder = fileURLToPath(new URL('../migrations', import.meta.url));

/** Brings a database to what this code needs, queues included. Safe to run again; the only place that migrates. */
export async function migrate({ databaseUrl }: { databaseUrl: string }): Promise<void> {
  const client = connectDatabase({ url: databaseUrl, connections: 1, name: 'migrate', statementMs: null });
  try {
    await applyMigrations(client.db, { migrationsFolder });
  } finally {
    await client.close();
  }
  await migrateQueues(databaseUrl);
}

if (import.meta.main) {
  const { databaseUrl } = readConfig();
  if (databaseUrl === null) {
    console.error('Setting DATABASE_URL: is needed to migrate (the embedded database is migrated at its start)');
    process.exit(1);
  }
  await namingSetting('DATABASE_URL', migrate({ databaseUrl })).catch((error: unknown) => {
    console.error(error instanceof SettingError ? error.message : error);
    process.exit(1);
  });
  console.log('The database is ready.');
}
