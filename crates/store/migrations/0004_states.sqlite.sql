-- The states of a look-up are compared one by one: for a list of more than two SQLite makes a table of its own, at each
-- row that is written. The table is made anew, because a check without a name cannot be changed; now it has one.
CREATE TABLE lookup_anew (
  subject_id BLOB NOT NULL,
  lookup_id BLOB NOT NULL,
  state TEXT NOT NULL CONSTRAINT lookup_state CHECK (
    state = 'held' OR state = 'intended' OR state = 'released' OR state = 'refused' OR state = 'failed'
  ),
  requester_id BLOB NOT NULL,
  session_id BLOB NOT NULL,
  node_id BLOB NOT NULL,
  created_us BIGINT NOT NULL,
  deadline_us BIGINT NOT NULL,
  intent_seq BIGINT,
  intent_leaf BIGINT,
  outcome_seq BIGINT,
  repeat_key BLOB,
  request_hash BLOB,
  answer BLOB,
  answer_until_us BIGINT,
  -- Its requester has put it out of sight.
  hidden BIGINT NOT NULL DEFAULT 0,
  -- Ids grow with time: a new row changes the page that the one before it changed.
  PRIMARY KEY (lookup_id, subject_id)
) WITHOUT ROWID;
INSERT INTO lookup_anew (
  subject_id, lookup_id, state, requester_id, session_id, node_id, created_us, deadline_us, intent_seq,
  intent_leaf, outcome_seq, repeat_key, request_hash, answer, answer_until_us, hidden
) SELECT
  subject_id, lookup_id, state, requester_id, session_id, node_id, created_us, deadline_us, intent_seq,
  intent_leaf, outcome_seq, repeat_key, request_hash, answer, answer_until_us, hidden
FROM lookup;
-- Emptied first: each page that a table loses by being dropped is kept in memory until then.
DELETE FROM lookup;
DROP TABLE lookup;
ALTER TABLE lookup_anew RENAME TO lookup;
CREATE UNIQUE INDEX lookup_repeat ON lookup (subject_id, repeat_key) WHERE repeat_key IS NOT NULL;
CREATE INDEX lookup_repeat_age ON lookup (created_us) WHERE repeat_key IS NOT NULL;
-- Few are open at once, so that this stays small. The end of a chain may be among them.
CREATE UNIQUE INDEX lookup_open ON lookup (subject_id, intent_seq) WHERE state = 'intended';
CREATE INDEX lookup_answer ON lookup (answer_until_us) WHERE answer IS NOT NULL;
CREATE INDEX lookup_answer_of ON lookup (subject_id) WHERE answer IS NOT NULL;
