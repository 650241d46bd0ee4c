-- A session names its account's person itself, so that who asks is found without their account. What shows that it is
-- theirs is the person's row, which names the account.
ALTER TABLE session ADD COLUMN subject_id BLOB;
UPDATE session SET subject_id = (SELECT a.subject_id FROM account a WHERE a.account_id = session.account_id);
