CREATE TABLE "data_sources" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"kind" text NOT NULL,
	"settings" jsonb NOT NULL,
	"sealed_secrets" text,
	"statement_timeout_ms" integer NOT NULL,
	"maximum_rows" integer NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "data_sources_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "extractions" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"description" text,
	"data_source_id" uuid NOT NULL,
	"query" text NOT NULL,
	"key_column" text NOT NULL,
	"key_type" text NOT NULL,
	"list_field" text,
	"trigger" text,
	"pages" text[] NOT NULL,
	"fields" json,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "extractions_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "extraction_id" uuid;--> statement-breakpoint
CREATE UNIQUE INDEX "data_sources_key" ON "data_sources" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE UNIQUE INDEX "extractions_key" ON "extractions" USING btree ("tenant_id","key");--> statement-breakpoint
CREATE INDEX "extractions_data_source" ON "extractions" USING btree ("tenant_id","data_source_id");