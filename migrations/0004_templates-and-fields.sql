CREATE TABLE "field_lists" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"trigger" text,
	"pages" text[] NOT NULL,
	"fields" json NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "field_lists_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
DROP INDEX "templates_key";--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "declared_fields" json;--> statement-breakpoint
ALTER TABLE "template_versions" ADD COLUMN "allow_unknown" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "pages" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "trigger" text;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "created_by" text;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "updated_by" text;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "deleted_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "field_lists_key" ON "field_lists" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE UNIQUE INDEX "templates_key" ON "templates" USING btree ("tenant_id","key") WHERE "templates"."deleted_at" is null;