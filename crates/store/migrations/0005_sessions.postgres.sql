-- A session names its account's person itself, so that who asks is found without their account. What shows that it is
-- theirs is the person's row, which names the account.
ALTER TABLE session ADD COLUMN subject_id BYTEA;
UPDATE session SET subject_id = (SELECT a.subject_id FROM account a WHERE a.account_id = session.account_id);
-- Whoever was signing in while their account was closed or erased has a session that was never of any use.
UPDATE session SET ended_us = created_us WHERE ended_us IS NULL
  AND NOT EXISTS (SELECT 1 FROM account a WHERE a.account_id = session.account_id AND a.state = 'active');
