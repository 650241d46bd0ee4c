-- The states of a look-up are compared one by one: of a list of more than two SQLite makes a table of its own, at each
-- row that is written. The table is made anew, because SQLite cannot change what it checks.
CREATE TABLE lookup_anew (
  subject_id BYTEA NOT NULL,
  lookup_id BYTEA NOT NULL,
  state TEXT NOT NULL CHECK (
    state = 'held' OR state = 'intended' OR state = 'released' OR state = 'refused' OR state = 'failed'
  ),
  requester_id BYTEA NOT NULL,
  session_id BYTEA NOT NULL,
  node_id BYTEA NOT NULL,
  created_us BIGINT NOT NULL,
  deadline_us BIGINT NOT NULL,
  intent_seq BIGINT,
  intent_leaf BIGINT,
  outcome_seq BIGINT,
  repeat_key BYTEA,
  request_hash BYTEA,
  answer BYTEA,
  answer_until_us BIGINT,
  -- Its requester has put it out of sight.
  hidden BIGINT NOT NULL DEFAULT 0,
  -- Ids grow with time: a new row changes the page that the one before it changed.
  PRIMARY KEY (lookup_id, subject_id)
);
INSERT INTO lookup_anew (
  subject_id, lookup_id, state, requester_id, session_id, node_id, created_us, deadline_us, intent_seq,
  intent_leaf, outcome_seq, repeat_key, request_hash, answer, answer_until_us, hidden
) SELECT
  subject_id, lookup_id, state, requester_id, session_id, node_id, created_us, deadline_us, intent_seq,
  intent_leaf, outcome_seq, repeat_key, request_hash, answer, answer_until_us, hidden
FROM lookup;
DROP TABLE lookup;
ALTER TABLE lookup_anew RENAME TO lookup;
CREATE UNIQUE INDEX lookup_repeat ON lookup (subject_id, repeat_key) WHERE repeat_key IS NOT NULL;
CREATE INDEX lookup_repeat_age ON lookup (created_us) WHERE repeat_key IS NOT NULL;
-- Few are open at once, so that this stays small. The end of a chain may be among them.
CREATE UNIQUE INDEX lookup_open ON lookup (subject_id, intent_seq) WHERE state = 'intended';
CREATE INDEX lookup_answer ON lookup (answer_until_us) WHERE answer IS NOT NULL;
CREATE INDEX lookup_answer_of ON lookup (subject_id) WHERE answer IS NOT NULL;
