-- A session has the profile of its person beside it, so that who asks for their own records is found by one row; and it
-- is found by a number, the first eight bytes of its token's digest, as it is on SQLite
-- (docs/decisions/0041-a-session-has-its-persons-profile.md).
ALTER TABLE session ADD COLUMN token_number BIGINT;
ALTER TABLE session ADD COLUMN profile BYTEA;
UPDATE session SET
  token_number = ('x' || encode(substring(token_digest FROM 1 FOR 8), 'hex'))::bit(64)::bigint,
  profile = CASE WHEN ended_us IS NULL THEN (
    SELECT p.profile FROM subject p
    WHERE p.subject_id = session.subject_id AND p.account_id = session.account_id AND p.state = 'active'
  ) END;
ALTER TABLE session DROP CONSTRAINT session_pkey;
ALTER TABLE session ADD PRIMARY KEY (token_number);
