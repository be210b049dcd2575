CREATE TABLE "template_incidents" (
	"tenant_id" uuid NOT NULL,
	"template_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"version" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "template_incidents_tenant_id_template_id_id_pk" PRIMARY KEY("tenant_id","template_id","id")
);
--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "disabled_reason" text;--> statement-breakpoint
ALTER TABLE "templates" ADD CONSTRAINT "templates_disabled_is_inactive" CHECK ("templates"."disabled_reason" is null or not "templates"."active");