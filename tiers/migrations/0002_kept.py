"""What the database itself keeps: terms and approved agreements, the way of a credit line, a balanced ledger."""

from django.db import migrations

# Only the end of a term is ever written again (R5.2).
TERMS = """
CREATE FUNCTION plimsoll_term_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR to_jsonb(NEW) - 'valid_to' <> to_jsonb(OLD) - 'valid_to' THEN
    RAISE EXCEPTION 'only the end of a row of % may be changed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER subscription_kept BEFORE UPDATE OR DELETE ON tiers_subscription
  FOR EACH ROW EXECUTE FUNCTION plimsoll_term_kept();
CREATE TRIGGER override_kept BEFORE UPDATE OR DELETE ON tiers_entitlementoverride
  FOR EACH ROW EXECUTE FUNCTION plimsoll_term_kept();
CREATE TRIGGER subscription_not_emptied BEFORE TRUNCATE ON tiers_subscription
  FOR EACH STATEMENT EXECUTE FUNCTION plimsoll_append_only();
CREATE TRIGGER override_not_emptied BEFORE TRUNCATE ON tiers_entitlementoverride
  FOR EACH STATEMENT EXECUTE FUNCTION plimsoll_append_only();
"""

# An approved agreement is what months are judged by: nothing of it changes but its end (1.5, R5.5).
AGREEMENTS = """
CREATE FUNCTION plimsoll_agreement_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR (OLD.approved_by <> '' AND to_jsonb(NEW) - 'valid_to' <> to_jsonb(OLD) - 'valid_to') THEN
    RAISE EXCEPTION 'an approved agreement may only be ended' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER agreement_kept BEFORE UPDATE OR DELETE ON tiers_agreement
  FOR EACH ROW EXECUTE FUNCTION plimsoll_agreement_kept();
CREATE TRIGGER agreement_not_emptied BEFORE TRUNCATE ON tiers_agreement
  FOR EACH STATEMENT EXECUTE FUNCTION plimsoll_append_only();
"""

# The arrows of 6.5; figures stay as computed but where a hold is lifted (M7, P31).
CREDITS = """
CREATE FUNCTION plimsoll_credit_may_move(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE
  SET search_path = pg_catalog AS $$
  SELECT ($1, $2) IN (
      ('APPLIED', 'REVERSED'), ('APPROVED', 'DISPUTED'), ('APPROVED', 'ISSUED'),
      ('APPROVED', 'REVERSED'), ('COMPUTED', 'DISPUTED'), ('COMPUTED', 'IN_REVIEW'),
      ('COMPUTED', 'LAPSED'), ('COMPUTED', 'MET'), ('COMPUTED', 'SUPPRESSED'),
      ('DISPUTED', 'APPROVED'), ('DISPUTED', 'COMPUTED'), ('DISPUTED', 'IN_REVIEW'),
      ('DISPUTED', 'ISSUED'), ('DISPUTED', 'REVERSED'), ('HELD_CHARGES', 'COMPUTED'),
      ('HELD_DATA', 'COMPUTED'), ('HELD_DATA', 'NOT_ASSESSED_DATA'), ('HELD_FX', 'COMPUTED'),
      ('IN_REVIEW', 'APPROVED'), ('IN_REVIEW', 'COMPUTED'), ('IN_REVIEW', 'DISPUTED'),
      ('IN_REVIEW', 'REJECTED'), ('ISSUED', 'APPLIED'), ('ISSUED', 'DISPUTED'),
      ('ISSUED', 'REVERSED')
  )
$$;
CREATE FUNCTION plimsoll_credit_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  steps text[] := '{state,prepared_by,prepared_label,approved_by,approved_label,approved_at,reason}';
  figures text[] := '{status,in_breach,num,den,unknown,grade,pct,computed_minor,amount_minor,inputs,steps,held_until,assessed_at}';
BEGIN
  IF TG_OP <> 'UPDATE' THEN
    RAISE EXCEPTION 'a credit line is never removed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.state <> OLD.state AND NOT public.plimsoll_credit_may_move(OLD.state, NEW.state) THEN
    RAISE EXCEPTION 'a credit line does not go from % to %', OLD.state, NEW.state
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.state IN ('HELD_DATA', 'HELD_CHARGES', 'HELD_FX') THEN
    steps := steps || figures;
  END IF;
  IF to_jsonb(NEW) - steps <> to_jsonb(OLD) - steps THEN
    RAISE EXCEPTION 'the figures of a credit line stay as computed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER credit_kept BEFORE UPDATE OR DELETE ON tiers_creditline
  FOR EACH ROW EXECUTE FUNCTION plimsoll_credit_kept();
CREATE TRIGGER credit_not_emptied BEFORE TRUNCATE ON tiers_creditline
  FOR EACH STATEMENT EXECUTE FUNCTION plimsoll_append_only();
"""

# Debits equal credits in every transaction, looked at when the database transaction ends (P26). The check enters
# the row's own tenant: by then the code that wrote it may have left the scope.
LEDGER = """
CREATE FUNCTION plimsoll_ledger_balanced() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  was text := current_setting('app.tenant_id', true);
  posting bigint;
  total numeric;
  legs integer;
  debit numeric;
  head record;
BEGIN
  IF TG_TABLE_NAME = 'tiers_ledgertransaction' THEN posting := NEW.id; ELSE posting := NEW.transaction_id; END IF;
  PERFORM set_config('app.tenant_id', NEW.tenant_id::text, true);
  SELECT minor, currency INTO head FROM public.tiers_ledgertransaction WHERE id = posting;
  SELECT coalesce(sum(minor), 0), count(*), coalesce(sum(minor) FILTER (WHERE minor > 0), 0)
    INTO total, legs, debit FROM public.tiers_ledgerentry
    WHERE tenant_id = NEW.tenant_id AND transaction_id = posting AND currency = head.currency;
  PERFORM set_config('app.tenant_id', coalesce(was, ''), true);
  IF total <> 0 OR legs <> 2 OR debit <> head.minor THEN
    RAISE EXCEPTION 'ledger transaction % does not balance', posting USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balanced_entry AFTER INSERT ON tiers_ledgerentry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION plimsoll_ledger_balanced();
CREATE CONSTRAINT TRIGGER ledger_balanced_head AFTER INSERT ON tiers_ledgertransaction
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION plimsoll_ledger_balanced();
"""


class Migration(migrations.Migration):
    dependencies = [("tiers", "0001_initial"), ("tenancy", "0001_initial")]

    operations = [migrations.RunSQL(sql) for sql in (TERMS, AGREEMENTS, CREDITS, LEDGER)]
