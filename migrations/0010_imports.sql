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
ALTER TABLE "operations" ADD COLUMN "imported" jsonb;--> statement-breakpoint
CREATE INDEX "import_uploads_receiving" ON "import_uploads" USING btree ("seen_at") WHERE "import_uploads"."state" = 'receiving';