CREATE TABLE "import_waiting_rows" (
	"tenant_id" uuid NOT NULL,
	"operation_id" uuid NOT NULL,
	"row" integer NOT NULL,
	"line" integer NOT NULL,
	"type" text NOT NULL,
	"external_id" text NOT NULL,
	"given" jsonb NOT NULL,
	CONSTRAINT "import_waiting_rows_tenant_id_operation_id_row_pk" PRIMARY KEY("tenant_id","operation_id","row")
);
--> statement-breakpoint
CREATE INDEX "import_waiting_rows_recipient" ON "import_waiting_rows" USING btree ("tenant_id","operation_id","type","external_id");