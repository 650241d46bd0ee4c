-- A session has the profile of its person beside it, so that who asks for their own records is found by one row; and it
-- is found by a number, the first eight bytes of its token's digest: a table in the order of numbers has twenty times as
-- many of them in a page that leads to others as one in the order of digests, so that nearly all such pages are in memory
-- (docs/decisions/0041-a-session-has-its-persons-profile.md). The table is made anew, because the order of a table cannot
-- be changed.
CREATE TABLE session_anew (
  token_number INTEGER NOT NULL PRIMARY KEY,
  token_digest BLOB NOT NULL,
  session_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  level TEXT NOT NULL,
  created_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL,
  ended_us BIGINT,
  subject_id BLOB,
  profile BLOB
);
INSERT INTO session_anew (
  token_number, token_digest, session_id, account_id, level, created_us, expires_us, ended_us, subject_id, profile
) SELECT
  -- SQLite reads no number out of bytes, so that each of its sixteen digits is put in its place.
  ((instr('0123456789ABCDEF', substr(hex(token_digest), 1, 1)) - 1) << 60)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 2, 1)) - 1) << 56)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 3, 1)) - 1) << 52)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 4, 1)) - 1) << 48)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 5, 1)) - 1) << 44)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 6, 1)) - 1) << 40)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 7, 1)) - 1) << 36)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 8, 1)) - 1) << 32)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 9, 1)) - 1) << 28)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 10, 1)) - 1) << 24)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 11, 1)) - 1) << 20)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 12, 1)) - 1) << 16)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 13, 1)) - 1) << 12)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 14, 1)) - 1) << 8)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 15, 1)) - 1) << 4)
  | ((instr('0123456789ABCDEF', substr(hex(token_digest), 16, 1)) - 1) << 0),
  token_digest, session_id, account_id, level, created_us, expires_us, ended_us, subject_id,
  CASE WHEN ended_us IS NULL THEN (
    SELECT p.profile FROM subject p
    WHERE p.subject_id = session.subject_id AND p.account_id = session.account_id AND p.state = 'active'
  ) END
FROM session;
-- Emptied first: each page that a table loses by being dropped is kept in memory until then.
DELETE FROM session;
DROP TABLE session;
ALTER TABLE session_anew RENAME TO session;
CREATE UNIQUE INDEX session_by_id ON session (session_id);
CREATE INDEX session_by_account ON session (account_id);
CREATE INDEX session_by_expiry ON session (expires_us);
