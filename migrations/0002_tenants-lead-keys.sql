DROP INDEX "dispatch_lanes_due";--> statement-breakpoint
DROP INDEX "messages_waiting";--> statement-breakpoint
DROP INDEX "messages_in_queue";--> statement-breakpoint
-- Leases last fifteen seconds: workers take them again.
DELETE FROM "account_leases";--> statement-breakpoint
ALTER TABLE "account_leases" ADD COLUMN "tenant_id" uuid NOT NULL;--> statement-breakpoint
ALTER TABLE "account_leases" DROP CONSTRAINT "account_leases_channel_account_id_worker_id_pk";--> statement-breakpoint
ALTER TABLE "dispatch_lanes" DROP CONSTRAINT "dispatch_lanes_channel_account_id_send_request_id_priority_pk";--> statement-breakpoint
ALTER TABLE "account_leases" ADD CONSTRAINT "account_leases_pk" PRIMARY KEY("tenant_id","channel_account_id","worker_id");--> statement-breakpoint
ALTER TABLE "dispatch_lanes" ADD CONSTRAINT "dispatch_lanes_pk" PRIMARY KEY("tenant_id","channel_account_id","send_request_id","priority");--> statement-breakpoint
CREATE INDEX "messages_os_user" ON "messages" USING btree ("tenant_id","requested_by_os_user","id") WHERE "messages"."requested_by_os_user" is not null;--> statement-breakpoint
CREATE INDEX "messages_workstation" ON "messages" USING btree ("tenant_id","requested_by_workstation","id") WHERE "messages"."requested_by_workstation" is not null;--> statement-breakpoint
CREATE INDEX "messages_reason" ON "messages" USING btree ("tenant_id","reason","id") WHERE "messages"."reason" is not null;--> statement-breakpoint
CREATE INDEX "dispatch_lanes_due" ON "dispatch_lanes" USING btree ("tenant_id","channel_account_id","priority","next_release_at");--> statement-breakpoint
CREATE INDEX "messages_waiting" ON "messages" USING btree ("tenant_id","channel_account_id","send_request_id","priority","release_at") WHERE "messages"."dispatch_state" = 'waiting';--> statement-breakpoint
CREATE INDEX "messages_in_queue" ON "messages" USING btree ("tenant_id","channel_account_id") WHERE "messages"."dispatch_state" in ('queued', 'sending');
