ALTER TABLE "dedupe_keys" ADD COLUMN "hidden" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "operations_refused_rows" ON "operations" USING btree ("finished_at") WHERE "operations"."kind" = 'import' and "operations"."refused_count" > 0 and "operations"."parameters" -> 'rowsForgotten' is null;--> statement-breakpoint
UPDATE "dedupe_keys" SET "hidden" = true FROM "messages"
WHERE "dedupe_keys"."key" ~ '^erased:[A-Za-z0-9_-]{43}$' AND "messages"."tenant_id" = "dedupe_keys"."tenant_id"
	AND "messages"."id" = "dedupe_keys"."message_id" AND "messages"."erased_at" IS NOT NULL;
