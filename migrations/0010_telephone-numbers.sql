-- Telephone numbers are compared as E.164 now. Those of organisations that dial within the French plan are brought to it;
-- the others keep their digits, by which they are still found.
UPDATE "recipient_addresses" SET "normalized" = CASE
	WHEN "normalized" ~ '^0(590|690|691)' THEN '+590' || substr("normalized", 2)
	WHEN "normalized" ~ '^0(594|694)' THEN '+594' || substr("normalized", 2)
	WHEN "normalized" ~ '^0(596|696|697)' THEN '+596' || substr("normalized", 2)
	WHEN "normalized" ~ '^0(262|263|269|639|692|693)' THEN '+262' || substr("normalized", 2)
	WHEN "normalized" ~ '^0[1-9]' THEN '+33' || substr("normalized", 2)
	WHEN "normalized" ~ '^00' THEN regexp_replace("normalized", '^00(330)?', CASE WHEN "normalized" ~ '^00330' THEN '+33' ELSE '+' END)
	ELSE regexp_replace("normalized", '^\+330', '+33')
END
FROM "tenants"
WHERE "tenants"."id" = "recipient_addresses"."tenant_id"
	AND "kind" IN ('mobile', 'landline')
	AND ("tenants"."locale" !~ '-[A-Z]{2}' OR "tenants"."locale" ~ '-(FR|GP|BL|MF|GF|MQ|RE|YT|PM)')
	AND "normalized" ~ '^(0[1-9][0-9]{8}|00[1-9][0-9]{6,13}|\+330[1-9][0-9]{8})$';
