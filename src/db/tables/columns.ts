import { customType, timestamp, uuid } from 'drizzle-orm/pg-core';

/** Every row has its tenant (design: data rules). */
export const tenantId = () => uuid('tenant_id').notNull();

/** An instant, kept to the millisecond that JavaScript can hold. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });

/** When the row was made and last changed; the values come from the service's clock, never from the database's. */
export const lifetime = () => ({
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
});

/** Raw bytes. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });
