ALTER TABLE "documents" ADD COLUMN "erasure_id" uuid;--> statement-breakpoint
CREATE INDEX "documents_erasure" ON "documents" USING btree ("tenant_id","erasure_id") WHERE "documents"."erasure_id" is not null;--> statement-breakpoint
CREATE INDEX "dedupe_keys_message" ON "dedupe_keys" USING btree ("tenant_id","message_id");--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_erased_is_empty" CHECK ("messages"."erased_at" is null or ("messages"."status" not in ('E', 'V') and "messages"."dispatch_state" = 'idle'
        and coalesce("messages"."to_address", "messages"."to_normalized", "messages"."to_name", "messages"."subject") is null));