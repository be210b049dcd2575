import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.ts';
import { idList } from '../../db/rows.ts';
import type { AddressHashes } from '../../suppressions/address-hashes.ts';

/**
 * What dedupe keys are kept as when their messages were erased: a repeat still answers the message that exists. Null
 * when the tenant has no key for hashes: then nothing was ever erased.
 */
export async function erasedDedupeKeys(
  { addressHashes }: { addressHashes: AddressHashes },
  db: Parameters<AddressHashes['of']>[0],
  tenantId: string,
  keys: readonly string[],
): Promise<string[] | null> {
  const hashes = await addressHashes.of(db, tenantId, 'dedupe-key', keys);
  return hashes?.map((hash) => `erased:${hash}`) ?? null;
}

/** Hides the texts of the dedupe keys of messages. */
export async function hideDedupeKeys(
  deps: { addressHashes: AddressHashes },
  tx: Tx,
  tenantId: string,
  messageIds: readonly string[],
): Promise<void> {
  const kept = await tx.execute<{ template_id: string; test: boolean; key: string }>(sql`
    select template_id, test, key from dedupe_keys
    where tenant_id = ${tenantId} and message_id = any(${idList(messageIds)}) and not hidden
    order by template_id, key for update`);
  if (kept.length === 0) return;
  const rows = [...kept];
  const names = rows.map(({ key }) => key);
  const hashes = (await erasedDedupeKeys(deps, tx, tenantId, names)) ?? [];
  const changes = rows.map((row, place) => ({ ...row, hash: hashes[place] }));
  await tx.execute(sql`
    update dedupe_keys set key = done.hash, hidden = true
    from json_to_recordset(${JSON.stringify(changes)}::json)
      as done(template_id uuid, test boolean, key text, hash text)
    where dedupe_keys.tenant_id = ${tenantId} and dedupe_keys.template_id = done.template_id
      and dedupe_keys.test = done.test and dedupe_keys.key = done.key`);
}
