CREATE TABLE "layouts" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"logo" jsonb,
	"logo_text" text NOT NULL,
	"academic_year" text,
	"identity" text,
	"css" text,
	"html" text,
	"version" integer NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "layouts_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
ALTER TABLE "sender_versions" ADD COLUMN "signature" text;--> statement-breakpoint
ALTER TABLE "sender_versions" ADD COLUMN "signature_text" text;--> statement-breakpoint
ALTER TABLE "senders" ADD COLUMN "user_name" text;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "to_expression" text;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "locales" json DEFAULT '{}'::json NOT NULL;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "written" json;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "layout_id" uuid;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "layout_version" integer;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "inline_images" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "documents" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "consent_purpose" text;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "resend_allowed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN "constants" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "layouts_key" ON "layouts" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE UNIQUE INDEX "senders_user" ON "senders" USING btree ("tenant_id","user_name") WHERE "senders"."user_name" is not null;--> statement-breakpoint
CREATE INDEX "messages_template" ON "messages" USING btree ("tenant_id","template_id","status","test");