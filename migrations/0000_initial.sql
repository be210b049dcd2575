CREATE TABLE "document_contents" (
	"tenant_id" uuid NOT NULL,
	"sha256" text NOT NULL,
	"content" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "document_contents_tenant_id_sha256_pk" PRIMARY KEY("tenant_id","sha256")
);
--> statement-breakpoint
CREATE TABLE "documents" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"filename" text NOT NULL,
	"media_type" text NOT NULL,
	"size" integer NOT NULL,
	"sha256" text NOT NULL,
	"used_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "documents_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "sender_versions" (
	"tenant_id" uuid NOT NULL,
	"sender_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"from_address" text NOT NULL,
	"from_name" text,
	"reply_to" text,
	"archive_bcc" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "sender_versions_tenant_id_sender_id_version_pk" PRIMARY KEY("tenant_id","sender_id","version")
);
--> statement-breakpoint
CREATE TABLE "senders" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"is_default" boolean NOT NULL,
	"current_version" integer NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "senders_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "template_versions" (
	"tenant_id" uuid NOT NULL,
	"template_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"status" text NOT NULL,
	"subject" text NOT NULL,
	"text" text NOT NULL,
	"html" text NOT NULL,
	"fields" jsonb NOT NULL,
	"sender_id" uuid,
	"published_at" timestamp (3) with time zone,
	"published_by" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "template_versions_tenant_id_template_id_version_pk" PRIMARY KEY("tenant_id","template_id","version"),
	CONSTRAINT "template_versions_status" CHECK ("template_versions"."status" in ('draft', 'published'))
);
--> statement-breakpoint
CREATE TABLE "templates" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"description" text,
	"family" text,
	"channel" text NOT NULL,
	"category" text NOT NULL,
	"recipient_types" text[] NOT NULL,
	"document_types" text[] NOT NULL,
	"notification_type_id" uuid,
	"validation" text,
	"active" boolean NOT NULL,
	"current_version" integer,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "templates_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "account_leases" (
	"channel_account_id" uuid NOT NULL,
	"worker_id" uuid NOT NULL,
	"connections" integer NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "account_leases_channel_account_id_worker_id_pk" PRIMARY KEY("channel_account_id","worker_id")
);
--> statement-breakpoint
CREATE TABLE "channel_accounts" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"channel" text NOT NULL,
	"driver" text NOT NULL,
	"settings" jsonb NOT NULL,
	"sealed_secrets" text,
	"is_default" boolean NOT NULL,
	"test" boolean NOT NULL,
	"wait_after_send_ms" integer NOT NULL,
	"wait_when_idle_ms" integer NOT NULL,
	"wait_after_error_ms" integer NOT NULL,
	"max_per_minute" integer,
	"concurrency" integer NOT NULL,
	"on_uncertain" text NOT NULL,
	"paused_at" timestamp (3) with time zone,
	"pause_reason" text,
	"next_slot_at" timestamp (3) with time zone,
	"idle_until" timestamp (3) with time zone,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "channel_accounts_tenant_id_id_pk" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "channel_accounts_on_uncertain" CHECK ("channel_accounts"."on_uncertain" in ('resend', 'hold'))
);
--> statement-breakpoint
CREATE TABLE "dispatch_lanes" (
	"tenant_id" uuid NOT NULL,
	"channel_account_id" uuid NOT NULL,
	"send_request_id" uuid NOT NULL,
	"priority" smallint NOT NULL,
	"next_release_at" timestamp (3) with time zone NOT NULL,
	"last_served_at" timestamp (3) with time zone,
	"revision" bigint NOT NULL,
	CONSTRAINT "dispatch_lanes_channel_account_id_send_request_id_priority_pk" PRIMARY KEY("channel_account_id","send_request_id","priority")
);
--> statement-breakpoint
CREATE TABLE "export_chunks" (
	"tenant_id" uuid NOT NULL,
	"operation_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"content" "bytea" NOT NULL,
	CONSTRAINT "export_chunks_tenant_id_operation_id_number_pk" PRIMARY KEY("tenant_id","operation_id","number")
);
--> statement-breakpoint
CREATE TABLE "operations" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"test" boolean NOT NULL,
	"parameters" jsonb NOT NULL,
	"actor" jsonb NOT NULL,
	"cursor" text,
	"total" integer NOT NULL,
	"done" integer NOT NULL,
	"succeeded" integer NOT NULL,
	"refused" jsonb NOT NULL,
	"refused_count" integer NOT NULL,
	"finished_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "operations_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "event_counters" (
	"tenant_id" uuid PRIMARY KEY NOT NULL,
	"last_sequence" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"sequence" bigint,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"test" boolean NOT NULL,
	"resource_id" uuid NOT NULL,
	"data" jsonb NOT NULL,
	CONSTRAINT "events_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attempts" (
	"tenant_id" uuid NOT NULL,
	"message_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"number" integer NOT NULL,
	"channel_account_id" uuid NOT NULL,
	"worker_id" uuid NOT NULL,
	"content_revision" integer NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"finished_at" timestamp (3) with time zone,
	"outcome" text,
	"reason" text,
	"step" text,
	"code" integer,
	"enhanced_code" text,
	"answer" text,
	"duration_ms" integer,
	"copies" jsonb,
	"late_outcome" text,
	CONSTRAINT "attempts_tenant_id_message_id_id_pk" PRIMARY KEY("tenant_id","message_id","id")
);
--> statement-breakpoint
CREATE TABLE "dedupe_keys" (
	"tenant_id" uuid NOT NULL,
	"template_id" uuid NOT NULL,
	"test" boolean NOT NULL,
	"key" text NOT NULL,
	"message_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "dedupe_keys_tenant_id_template_id_test_key_pk" PRIMARY KEY("tenant_id","template_id","test","key")
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"send_request_id" uuid NOT NULL,
	"row_index" integer NOT NULL,
	"test" boolean NOT NULL,
	"channel" text NOT NULL,
	"status" text NOT NULL,
	"dispatch_state" text NOT NULL,
	"delivery" text NOT NULL,
	"reason" text,
	"reason_detail" jsonb,
	"remark" text,
	"template_id" uuid NOT NULL,
	"template_version" integer NOT NULL,
	"notification_type_id" uuid,
	"sender_id" uuid,
	"sender_version" integer,
	"recipient_id" uuid,
	"to_name" text,
	"to_address" text,
	"to_normalized" text,
	"reply_to" text,
	"copies" jsonb NOT NULL,
	"data" json NOT NULL,
	"overrides" jsonb NOT NULL,
	"documents" jsonb NOT NULL,
	"high_priority" boolean NOT NULL,
	"subject" text,
	"content_hash" text,
	"content_revision" integer NOT NULL,
	"clock_at" timestamp (3) with time zone NOT NULL,
	"timezone" text NOT NULL,
	"locale" text NOT NULL,
	"priority" smallint NOT NULL,
	"validation" text NOT NULL,
	"validated_by_person" boolean NOT NULL,
	"send_at" timestamp (3) with time zone,
	"not_after" timestamp (3) with time zone,
	"release_at" timestamp (3) with time zone,
	"channel_account_id" uuid,
	"job_id" uuid,
	"attempt_count" integer NOT NULL,
	"first_tried_at" timestamp (3) with time zone,
	"sent_at" timestamp (3) with time zone,
	"provider_reference" text,
	"origin" text NOT NULL,
	"context_type" text,
	"context_ref" text,
	"requested_by_user" text,
	"requested_by_os_user" text,
	"requested_by_workstation" text,
	"edited_at" timestamp (3) with time zone,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "messages_tenant_id_id_pk" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "messages_status_known" CHECK ("messages"."status" in ('E', 'V', 'OK', 'KO', 'B')),
	CONSTRAINT "messages_valid_is_on_its_way" CHECK ("messages"."status" <> 'V' or "messages"."dispatch_state" <> 'idle'),
	CONSTRAINT "messages_only_valid_leaves" CHECK ("messages"."dispatch_state" = 'idle' or "messages"."status" in ('V', 'OK')),
	CONSTRAINT "messages_failure_has_reason" CHECK ("messages"."status" not in ('KO', 'B') or "messages"."reason" is not null),
	CONSTRAINT "messages_job_while_queued" CHECK (("messages"."dispatch_state" in ('queued', 'sending')) = ("messages"."job_id" is not null))
);
--> statement-breakpoint
CREATE TABLE "send_request_drafts" (
	"tenant_id" uuid NOT NULL,
	"send_request_id" uuid NOT NULL,
	"body" json NOT NULL,
	CONSTRAINT "send_request_drafts_tenant_id_send_request_id_pk" PRIMARY KEY("tenant_id","send_request_id")
);
--> statement-breakpoint
CREATE TABLE "send_requests" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"test" boolean NOT NULL,
	"status" text NOT NULL,
	"templates" jsonb NOT NULL,
	"document_type" text,
	"mode" text NOT NULL,
	"validation" text NOT NULL,
	"send_at" timestamp (3) with time zone,
	"not_after" timestamp (3) with time zone,
	"edited_at" timestamp (3) with time zone,
	"priority" text NOT NULL,
	"high_priority" boolean NOT NULL,
	"origin" text NOT NULL,
	"context_type" text,
	"context_ref" text,
	"requested_by_user" text,
	"requested_by_os_user" text,
	"requested_by_workstation" text,
	"record_event" boolean NOT NULL,
	"recipient_count" integer NOT NULL,
	"created_count" integer NOT NULL,
	"api_key_id" uuid NOT NULL,
	"confirmed_at" timestamp (3) with time zone,
	"cancelled_at" timestamp (3) with time zone,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "send_requests_tenant_id_id_pk" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "send_requests_status" CHECK ("send_requests"."status" in ('draft', 'accepted', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "transitions" (
	"tenant_id" uuid NOT NULL,
	"message_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"from_status" text,
	"to_status" text NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_key_id" uuid,
	"actor_user" text,
	"reason" text,
	"remark" text,
	CONSTRAINT "transitions_tenant_id_message_id_id_pk" PRIMARY KEY("tenant_id","message_id","id")
);
--> statement-breakpoint
CREATE TABLE "choices" (
	"tenant_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"notification_type_id" uuid NOT NULL,
	"channel" text NOT NULL,
	"accepted" boolean NOT NULL,
	"source" text,
	"author" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "choices_tenant_id_recipient_id_notification_type_id_channel_pk" PRIMARY KEY("tenant_id","recipient_id","notification_type_id","channel")
);
--> statement-breakpoint
CREATE TABLE "notification_types" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"active" boolean NOT NULL,
	"channels" text[] NOT NULL,
	"default_choice" text NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "notification_types_tenant_id_id_pk" PRIMARY KEY("tenant_id","id"),
	CONSTRAINT "notification_types_default_choice" CHECK ("notification_types"."default_choice" in ('on', 'off'))
);
--> statement-breakpoint
CREATE TABLE "recipient_addresses" (
	"tenant_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"kind" text NOT NULL,
	"value" text NOT NULL,
	"normalized" text NOT NULL,
	"role" text,
	"preferred" boolean NOT NULL,
	"accepts_contact" boolean NOT NULL,
	CONSTRAINT "recipient_addresses_tenant_id_recipient_id_position_pk" PRIMARY KEY("tenant_id","recipient_id","position")
);
--> statement-breakpoint
CREATE TABLE "recipients" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"type" text NOT NULL,
	"external_id" text NOT NULL,
	"display_name" text,
	"locale" text,
	"preferred_channel" text,
	"attributes" json NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "recipients_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"public_part" text NOT NULL,
	"secret_hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"unit" text,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "api_keys_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "audit_entries" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"action" text NOT NULL,
	"resource_type" text NOT NULL,
	"resource_id" uuid NOT NULL,
	"actor_key_id" uuid,
	"actor_user" text,
	"fields" jsonb NOT NULL,
	CONSTRAINT "audit_entries_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"tenant_id" uuid NOT NULL,
	"key" text NOT NULL,
	"test" boolean NOT NULL,
	"fingerprint" text NOT NULL,
	"status" integer,
	"answer" jsonb,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_tenant_id_test_key_pk" PRIMARY KEY("tenant_id","test","key")
);
--> statement-breakpoint
CREATE TABLE "tenants" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"timezone" text NOT NULL,
	"locale" text NOT NULL,
	"default_validation" text NOT NULL,
	"test_redirect" text,
	"default_template" text,
	"document_max_bytes" integer NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "tenants_validation" CHECK ("tenants"."default_validation" in ('manual', 'automatic'))
);
--> statement-breakpoint
CREATE INDEX "documents_sha256" ON "documents" USING btree ("tenant_id","sha256");--> statement-breakpoint
CREATE INDEX "documents_unused" ON "documents" USING btree ("created_at") WHERE "documents"."used_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "senders_key" ON "senders" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE UNIQUE INDEX "senders_one_default" ON "senders" USING btree ("tenant_id") WHERE "senders"."is_default";--> statement-breakpoint
CREATE UNIQUE INDEX "templates_key" ON "templates" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE INDEX "templates_document_types" ON "templates" USING gin ("document_types");--> statement-breakpoint
CREATE UNIQUE INDEX "channel_accounts_id" ON "channel_accounts" USING btree ("id");--> statement-breakpoint
CREATE UNIQUE INDEX "channel_accounts_one_default" ON "channel_accounts" USING btree ("tenant_id","channel","test") WHERE "channel_accounts"."is_default";--> statement-breakpoint
CREATE INDEX "dispatch_lanes_due" ON "dispatch_lanes" USING btree ("channel_account_id","priority","next_release_at");--> statement-breakpoint
CREATE INDEX "operations_unfinished" ON "operations" USING btree ("created_at") WHERE "operations"."finished_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "events_sequence" ON "events" USING btree ("tenant_id","sequence");--> statement-breakpoint
CREATE INDEX "events_unnumbered" ON "events" USING btree ("tenant_id","id") WHERE "events"."sequence" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "attempts_one_open" ON "attempts" USING btree ("tenant_id","message_id") WHERE "attempts"."finished_at" is null;--> statement-breakpoint
CREATE INDEX "messages_send_request" ON "messages" USING btree ("tenant_id","send_request_id","row_index");--> statement-breakpoint
CREATE INDEX "messages_status" ON "messages" USING btree ("tenant_id","status","id");--> statement-breakpoint
CREATE INDEX "messages_address" ON "messages" USING btree ("tenant_id","to_normalized");--> statement-breakpoint
CREATE INDEX "messages_recipient" ON "messages" USING btree ("tenant_id","recipient_id");--> statement-breakpoint
CREATE INDEX "messages_context" ON "messages" USING btree ("tenant_id","context_ref");--> statement-breakpoint
CREATE INDEX "messages_requested_by" ON "messages" USING btree ("tenant_id","requested_by_user","id");--> statement-breakpoint
CREATE INDEX "messages_sent_at" ON "messages" USING btree ("tenant_id","sent_at");--> statement-breakpoint
CREATE INDEX "messages_edited_at" ON "messages" USING btree ("tenant_id","edited_at");--> statement-breakpoint
CREATE INDEX "messages_waiting" ON "messages" USING btree ("channel_account_id","send_request_id","priority","release_at") WHERE "messages"."dispatch_state" = 'waiting';--> statement-breakpoint
CREATE INDEX "messages_homeless" ON "messages" USING btree ("tenant_id") WHERE "messages"."dispatch_state" = 'waiting' and "messages"."channel_account_id" is null;--> statement-breakpoint
CREATE INDEX "messages_expiring" ON "messages" USING btree ("not_after") WHERE "messages"."status" in ('E', 'V') and "messages"."not_after" is not null;--> statement-breakpoint
CREATE INDEX "messages_in_queue" ON "messages" USING btree ("channel_account_id") WHERE "messages"."dispatch_state" in ('queued', 'sending');--> statement-breakpoint
CREATE UNIQUE INDEX "notification_types_key" ON "notification_types" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE INDEX "recipient_addresses_normalized" ON "recipient_addresses" USING btree ("tenant_id","kind","normalized");--> statement-breakpoint
CREATE UNIQUE INDEX "recipients_external_id" ON "recipients" USING btree ("tenant_id","type","external_id");--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_public_part" ON "api_keys" USING btree ("public_part");--> statement-breakpoint
CREATE INDEX "audit_entries_resource" ON "audit_entries" USING btree ("tenant_id","resource_type","resource_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at" ON "idempotency_keys" USING btree ("created_at");