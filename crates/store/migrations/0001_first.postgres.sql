-- The deployment itself: its realm and the origin of its log never change.
CREATE TABLE deployment (
  only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
  realm TEXT NOT NULL CHECK (realm IN ('demo', 'production')),
  suite TEXT NOT NULL,
  origin TEXT NOT NULL,
  log_key BYTEA NOT NULL,
  created_us BIGINT NOT NULL
);

-- The log. Nothing is trusted between transactions but this row.
CREATE TABLE log_head (
  log_id BIGINT NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL,
  root BYTEA NOT NULL,
  frontier BYTEA NOT NULL,
  time_us BIGINT NOT NULL
);
CREATE TABLE leaf (
  log_id BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  leaf BYTEA NOT NULL,
  PRIMARY KEY (log_id, leaf_index)
);
-- A cache of complete tiles; it can be emptied at any time. The root of a tile is its hash in the tile above.
CREATE TABLE tile (
  log_id BIGINT NOT NULL,
  level BIGINT NOT NULL,
  tile_index BIGINT NOT NULL,
  root BYTEA NOT NULL,
  hashes BYTEA NOT NULL,
  PRIMARY KEY (log_id, level, tile_index)
);
-- What outsiders see; advances every minute.
CREATE TABLE published (
  log_id BIGINT NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL,
  frontier BYTEA NOT NULL,
  checkpoint TEXT NOT NULL,
  published_us BIGINT NOT NULL
);

-- Subject tables: the primary key contains the subject, and so does every unique constraint.
-- The owner of a chain: a person, an account, or the deployment. `erasing` ends when the keys are destroyed.
-- How far the chain has grown its newest entry says, so that an entry changes no row of another table.
CREATE TABLE subject (
  subject_id BYTEA NOT NULL PRIMARY KEY,
  log_id BIGINT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'erasing', 'erased')),
  account_id BYTEA,
  profile BYTEA,
  created_us BIGINT NOT NULL
);
CREATE INDEX subject_erasing ON subject (subject_id) WHERE state = 'erasing';
-- Entries lie in the order of the log. Whose they are, and which number in the chain, they say themselves too.
CREATE TABLE entry (
  log_id BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  subject_id BYTEA NOT NULL,
  seq BIGINT NOT NULL,
  time_us BIGINT NOT NULL,
  lookup_id BYTEA,
  key_class TEXT NOT NULL,
  shared BYTEA NOT NULL,
  chain BYTEA NOT NULL,
  PRIMARY KEY (log_id, leaf_index)
);
-- Where in its log each entry of a chain lies. The place of an intent is in its look-up's row and comes here together
-- with that of its outcome: places of one chain share a page, which is changed once for the two.
CREATE TABLE chain_place (
  subject_id BYTEA NOT NULL,
  seq BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  PRIMARY KEY (subject_id, seq)
);
CREATE TABLE lookup (
  subject_id BYTEA NOT NULL,
  lookup_id BYTEA NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('held', 'intended', 'released', 'refused', 'failed')),
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
CREATE UNIQUE INDEX lookup_repeat ON lookup (subject_id, repeat_key) WHERE repeat_key IS NOT NULL;
CREATE INDEX lookup_repeat_age ON lookup (created_us) WHERE repeat_key IS NOT NULL;
-- Few are open at once, so that this stays small. The end of a chain may be among them.
CREATE UNIQUE INDEX lookup_open ON lookup (subject_id, intent_seq) WHERE state = 'intended';
CREATE INDEX lookup_answer ON lookup (answer_until_us) WHERE answer IS NOT NULL;
CREATE INDEX lookup_answer_of ON lookup (subject_id) WHERE answer IS NOT NULL;

-- Accounts own a chain of their own, and sign in.
CREATE TABLE account (
  account_id BYTEA NOT NULL PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('active', 'closed')),
  subject_id BYTEA,
  level TEXT NOT NULL,
  profile BYTEA NOT NULL,
  created_us BIGINT NOT NULL
);

-- Directories: what one arrives with, hashed under a key, to an id of ours. Unique by itself; rows die at erasure.
CREATE TABLE directory (
  kind TEXT NOT NULL,
  digest BYTEA NOT NULL,
  key_id BIGINT NOT NULL,
  owner_id BYTEA NOT NULL,
  created_us BIGINT NOT NULL,
  PRIMARY KEY (kind, digest)
);
CREATE INDEX directory_owner ON directory (owner_id);
CREATE TABLE session (
  token_digest BYTEA NOT NULL PRIMARY KEY,
  session_id BYTEA NOT NULL,
  account_id BYTEA NOT NULL,
  level TEXT NOT NULL,
  created_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL,
  ended_us BIGINT
);
CREATE UNIQUE INDEX session_by_id ON session (session_id);
CREATE INDEX session_by_account ON session (account_id);
CREATE INDEX session_by_expiry ON session (expires_us);
-- One pending code per phone: its digest, and how often it may still be tried.
CREATE TABLE code (
  phone_digest BYTEA NOT NULL PRIMARY KEY,
  code_digest BYTEA NOT NULL,
  tries_left BIGINT NOT NULL,
  sent_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL
);
CREATE INDEX code_by_expiry ON code (expires_us);
-- Counters of attempts in windows of time; they outlive sessions, restarts and rolled-back work.
CREATE TABLE attempt (
  bucket TEXT NOT NULL,
  about BYTEA NOT NULL,
  window_start_us BIGINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (bucket, about)
);
CREATE INDEX attempt_by_age ON attempt (window_start_us);

-- What follows from a commit and may come later: read in order, applied once, removed.
CREATE TABLE outbox (
  outbox_id BYTEA NOT NULL PRIMARY KEY,
  topic TEXT NOT NULL,
  subject_id BYTEA NOT NULL,
  requester_id BYTEA NOT NULL,
  lookup_id BYTEA NOT NULL
);
-- Projection: the look-ups of an account about others. Those about oneself are in one's own chain.
CREATE TABLE requester_lookup (
  requester_id BYTEA NOT NULL,
  lookup_id BYTEA NOT NULL,
  subject_id BYTEA NOT NULL,
  PRIMARY KEY (requester_id, lookup_id)
);
