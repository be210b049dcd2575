-- A message moves only along the lifecycle (systems: W). The service guards every move as well; this holds for
-- whoever writes to the table.
CREATE FUNCTION messages_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.status, NEW.status) NOT IN (
    ('E', 'V'), ('E', 'B'), ('E', 'KO'),
    ('V', 'B'), ('V', 'OK'), ('V', 'KO'),
    ('B', 'V'), ('KO', 'V'), ('OK', 'KO'), ('KO', 'OK')
  ) THEN
    RAISE EXCEPTION 'a message cannot move from % to %', OLD.status, NEW.status
      USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_legal_move';
  END IF;
  IF OLD.status = 'KO' AND NEW.status = 'OK' AND OLD.reason IS DISTINCT FROM 'outcome_unknown' THEN
    RAISE EXCEPTION 'a message that failed for a known reason cannot become OK'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_legal_move';
  END IF;
  IF NEW.status = 'B' AND OLD.dispatch_state = 'sending' THEN
    RAISE EXCEPTION 'a message that is being sent cannot be blocked'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_legal_move';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER messages_legal_move BEFORE UPDATE OF status ON messages
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION messages_check_move();
--> statement-breakpoint
CREATE FUNCTION messages_check_birth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a message cannot be born %', NEW.status
    USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_legal_birth';
END $$;
--> statement-breakpoint
CREATE TRIGGER messages_legal_birth BEFORE INSERT ON messages
  FOR EACH ROW WHEN (NEW.status = 'OK') EXECUTE FUNCTION messages_check_birth();
--> statement-breakpoint
-- What was published, and what a sender said, is what messages pin: neither ever changes.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% never changes', TG_ARGV[0] USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0];
END $$;
--> statement-breakpoint
CREATE TRIGGER template_versions_published BEFORE UPDATE ON template_versions
  FOR EACH ROW WHEN (OLD.status = 'published') EXECUTE FUNCTION refuse_change('a published template version');
--> statement-breakpoint
CREATE TRIGGER sender_versions_fixed BEFORE UPDATE ON sender_versions
  FOR EACH ROW EXECUTE FUNCTION refuse_change('a sender version');
