DROP INDEX "messages_recipient";--> statement-breakpoint
DROP INDEX "messages_context";--> statement-breakpoint
DROP INDEX "messages_requested_by";--> statement-breakpoint
DROP INDEX "messages_sent_at";--> statement-breakpoint
DROP INDEX "messages_edited_at";--> statement-breakpoint
CREATE INDEX "messages_recipient" ON "messages" USING btree ("tenant_id","recipient_id") WHERE "messages"."recipient_id" is not null;--> statement-breakpoint
CREATE INDEX "messages_context" ON "messages" USING btree ("tenant_id","context_ref") WHERE "messages"."context_ref" is not null;--> statement-breakpoint
CREATE INDEX "messages_requested_by" ON "messages" USING btree ("tenant_id","requested_by_user","id") WHERE "messages"."requested_by_user" is not null;--> statement-breakpoint
CREATE INDEX "messages_sent_at" ON "messages" USING btree ("tenant_id","sent_at") WHERE "messages"."sent_at" is not null;--> statement-breakpoint
CREATE INDEX "messages_edited_at" ON "messages" USING btree ("tenant_id","edited_at") WHERE "messages"."edited_at" is not null;