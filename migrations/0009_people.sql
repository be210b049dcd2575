CREATE TABLE "import_chunks" (
	"tenant_id" uuid NOT NULL,
	"operation_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"content" "bytea" NOT NULL,
	CONSTRAINT "import_chunks_tenant_id_operation_id_number_pk" PRIMARY KEY("tenant_id","operation_id","number")
);
--> statement-breakpoint
CREATE TABLE "import_uploads" (
	"tenant_id" uuid NOT NULL,
	"operation_id" uuid NOT NULL,
	"state" text NOT NULL,
	"received_bytes" bigint NOT NULL,
	"waiting" boolean NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "import_uploads_tenant_id_operation_id_pk" PRIMARY KEY("tenant_id","operation_id"),
	CONSTRAINT "import_uploads_state" CHECK ("import_uploads"."state" in ('receiving', 'complete', 'cut'))
);
--> statement-breakpoint
CREATE TABLE "recipient_types" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"reached_through" text NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "recipient_types_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "responses" (
	"tenant_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"context_type" text NOT NULL,
	"context_ref" text NOT NULL,
	"answered_at" timestamp (3) with time zone NOT NULL,
	"source" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "responses_tenant_id_recipient_id_id_pk" PRIMARY KEY("tenant_id","recipient_id","id")
);
--> statement-breakpoint
CREATE TABLE "choice_changes" (
	"tenant_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"notification_type_id" uuid NOT NULL,
	"channel" text NOT NULL,
	"accepted" boolean NOT NULL,
	"source" text,
	"author" text,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "choice_changes_tenant_id_recipient_id_id_pk" PRIMARY KEY("tenant_id","recipient_id","id")
);
--> statement-breakpoint
CREATE TABLE "consents" (
	"tenant_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"address_kind" text NOT NULL,
	"level" smallint NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"source" text,
	"author" text,
	"proof" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "consents_tenant_id_recipient_id_id_pk" PRIMARY KEY("tenant_id","recipient_id","id"),
	CONSTRAINT "consents_level" CHECK ("consents"."level" between 0 and 3)
);
--> statement-breakpoint
ALTER TABLE "recipients" ALTER COLUMN "attributes" SET DATA TYPE jsonb;--> statement-breakpoint
ALTER TABLE "documents" ADD COLUMN "erasure_id" uuid;--> statement-breakpoint
ALTER TABLE "operations" ADD COLUMN "imported" jsonb;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "consent_level" smallint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "subscription" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "to_hash" text;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "erased_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "notification_types" ADD COLUMN "subscription" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "recipients" ADD COLUMN "household_of" uuid;--> statement-breakpoint
ALTER TABLE "recipients" ADD COLUMN "reference_contact_of" uuid;--> statement-breakpoint
ALTER TABLE "recipients" ADD COLUMN "part_of" uuid;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "address_policy" text;--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "address_policy" text DEFAULT 'preferred' NOT NULL;--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "default_consent_level" smallint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "retention_days" integer;--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "retention_days_by_category" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
CREATE INDEX "import_uploads_receiving" ON "import_uploads" USING btree ("seen_at") WHERE "import_uploads"."state" = 'receiving';--> statement-breakpoint
CREATE UNIQUE INDEX "recipient_types_key" ON "recipient_types" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE UNIQUE INDEX "responses_context" ON "responses" USING btree ("tenant_id","context_type","context_ref","recipient_id");--> statement-breakpoint
CREATE INDEX "consents_held" ON "consents" USING btree ("tenant_id","recipient_id","address_kind","since","id");--> statement-breakpoint
CREATE INDEX "documents_erasure" ON "documents" USING btree ("tenant_id","erasure_id") WHERE "documents"."erasure_id" is not null;--> statement-breakpoint
CREATE INDEX "dedupe_keys_message" ON "dedupe_keys" USING btree ("tenant_id","message_id");--> statement-breakpoint
CREATE INDEX "recipients_type" ON "recipients" USING btree ("tenant_id","type","id");--> statement-breakpoint
CREATE INDEX "recipients_attributes" ON "recipients" USING gin ("attributes" jsonb_path_ops);--> statement-breakpoint
CREATE INDEX "recipients_household" ON "recipients" USING btree ("tenant_id","household_of") WHERE "recipients"."household_of" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "recipients_reference_contact" ON "recipients" USING btree ("tenant_id","reference_contact_of") WHERE "recipients"."reference_contact_of" is not null;--> statement-breakpoint
CREATE INDEX "recipients_part" ON "recipients" USING btree ("tenant_id","part_of") WHERE "recipients"."part_of" is not null;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_erased_is_empty" CHECK ("messages"."erased_at" is null or ("messages"."status" not in ('E', 'V') and "messages"."dispatch_state" = 'idle'
        and coalesce("messages"."to_address", "messages"."to_normalized", "messages"."to_name", "messages"."subject") is null));--> statement-breakpoint
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_default_consent_level" CHECK ("tenants"."default_consent_level" between 0 and 3);--> statement-breakpoint
INSERT INTO "recipient_types" ("tenant_id", "id", "key", "title", "reached_through", "created_at", "updated_at")
SELECT "tenant_id", gen_random_uuid(), "type", "type", 'own', now(), now() FROM "recipients" GROUP BY "tenant_id", "type";--> statement-breakpoint
INSERT INTO "recipient_types" ("tenant_id", "id", "key", "title", "reached_through", "created_at", "updated_at")
SELECT "tenants"."id", gen_random_uuid(), "first"."key", "first"."title", "first"."reached_through", now(), now()
FROM "tenants" CROSS JOIN (VALUES
	('client', 'Client', 'own'), ('student', 'Étudiant', 'own'), ('member', 'Adhérent', 'own'),
	('dependant', 'Ayant droit', 'own'), ('provider', 'Prestataire', 'own'), ('structure', 'Structure', 'own'),
	('company', 'Entreprise', 'contact-first'), ('contact', 'Contact', 'own')
) AS "first" ("key", "title", "reached_through")
ON CONFLICT DO NOTHING;
--> statement-breakpoint
UPDATE "messages" SET
	"consent_level" = CASE "templates"."consent_purpose" WHEN 'prospecting' THEN 2 WHEN 'third-party' THEN 3 ELSE 1 END,
	"subscription" = "templates"."category" = 'marketing' OR coalesce("templates"."consent_purpose", 'management') <> 'management'
FROM "templates"
WHERE "templates"."tenant_id" = "messages"."tenant_id" AND "templates"."id" = "messages"."template_id"
	AND ("messages"."status" <> 'OK' OR "messages"."dispatch_state" <> 'idle')
	AND ("templates"."category" = 'marketing' OR coalesce("templates"."consent_purpose", 'management') <> 'management');--> statement-breakpoint
INSERT INTO "choice_changes" ("tenant_id", "recipient_id", "id", "notification_type_id", "channel", "accepted", "source", "author", "at")
SELECT "tenant_id", "recipient_id", gen_random_uuid(), "notification_type_id", "channel", "accepted", "source", "author", "updated_at" FROM "choices";
