-- The deployment itself: its realm and the origin of its log never change.
CREATE TABLE deployment (
  only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
  realm TEXT NOT NULL CHECK (realm IN ('demo', 'production')),
  suite TEXT NOT NULL,
  origin TEXT NOT NULL,
  log_key BLOB NOT NULL,
  created_us BIGINT NOT NULL
);

-- The log. Nothing is trusted between transactions but this row.
CREATE TABLE log_head (
  log_id BIGINT NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL,
  root BLOB NOT NULL,
  frontier BLOB NOT NULL,
  time_us BIGINT NOT NULL
);
CREATE TABLE leaf (
  log_id BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  leaf BLOB NOT NULL,
  PRIMARY KEY (log_id, leaf_index)
) WITHOUT ROWID;
-- A cache of complete tiles; it can be emptied at any time. The root of a tile is its hash in the tile above.
CREATE TABLE tile (
  log_id BIGINT NOT NULL,
  level BIGINT NOT NULL,
  tile_index BIGINT NOT NULL,
  root BLOB NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY (log_id, level, tile_index)
);
-- What outsiders see; advances every minute.
CREATE TABLE published (
  log_id BIGINT NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL,
  frontier BLOB NOT NULL,
  checkpoint TEXT NOT NULL,
  published_us BIGINT NOT NULL
);

-- Subject tables: the primary key contains the subject, and so does every unique constraint.
-- The owner of a chain: a person, an account, or the deployment. `erasing` ends when the keys are destroyed.
-- How far the chain has grown its newest entry says, so that an entry changes no row of another table.
CREATE TABLE subject (
  subject_id BLOB NOT NULL PRIMARY KEY,
  log_id BIGINT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'erasing', 'erased')),
  account_id BLOB,
  profile BLOB,
  created_us BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX subject_erasing ON subject (subject_id) WHERE state = 'erasing';
-- Entries lie in the order of the log. Whose they are, and which number in the chain, they say themselves too.
CREATE TABLE entry (
  log_id BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  subject_id BLOB NOT NULL,
  seq BIGINT NOT NULL,
  time_us BIGINT NOT NULL,
  lookup_id BLOB,
  key_class TEXT NOT NULL,
  shared BLOB NOT NULL,
  chain BLOB NOT NULL,
  PRIMARY KEY (log_id, leaf_index)
);
-- Where in its log each entry of a chain lies. The place of an intent is in its look-up's row and comes here together
-- with that of its outcome: places of one chain share a page, which is changed once for the two.
CREATE TABLE chain_place (
  subject_id BLOB NOT NULL,
  seq BIGINT NOT NULL,
  leaf_index BIGINT NOT NULL,
  PRIMARY KEY (subject_id, seq)
) WITHOUT ROWID;
CREATE TABLE lookup (
  subject_id BLOB NOT NULL,
  lookup_id BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('held', 'intended', 'released', 'refused', 'failed')),
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
CREATE UNIQUE INDEX lookup_repeat ON lookup (subject_id, repeat_key) WHERE repeat_key IS NOT NULL;
CREATE INDEX lookup_repeat_age ON lookup (created_us) WHERE repeat_key IS NOT NULL;
-- Few are open at once, so that this stays small. The end of a chain may be among them.
CREATE UNIQUE INDEX lookup_open ON lookup (subject_id, intent_seq) WHERE state = 'intended';
CREATE INDEX lookup_answer ON lookup (answer_until_us) WHERE answer IS NOT NULL;
CREATE INDEX lookup_answer_of ON lookup (subject_id) WHERE answer IS NOT NULL;

-- Accounts own a chain of their own, and sign in.
CREATE TABLE account (
  account_id BLOB NOT NULL PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('active', 'closed')),
  subject_id BLOB,
  level TEXT NOT NULL,
  profile BLOB NOT NULL,
  created_us BIGINT NOT NULL
) WITHOUT ROWID;

-- Directories: what one arrives with, hashed under a key, to an id of ours. Unique by itself; rows die at erasure.
CREATE TABLE directory (
  kind TEXT NOT NULL,
  digest BLOB NOT NULL,
  key_id BIGINT NOT NULL,
  owner_id BLOB NOT NULL,
  created_us BIGINT NOT NULL,
  PRIMARY KEY (kind, digest)
) WITHOUT ROWID;
CREATE INDEX directory_owner ON directory (owner_id);
CREATE TABLE session (
  token_digest BLOB NOT NULL PRIMARY KEY,
  session_id BLOB NOT NULL,
  account_id BLOB NOT NULL,
  level TEXT NOT NULL,
  created_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL,
  ended_us BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX session_by_id ON session (session_id);
CREATE INDEX session_by_account ON session (account_id);
CREATE INDEX session_by_expiry ON session (expires_us);
-- One pending code per phone: its digest, and how often it may still be tried.
CREATE TABLE code (
  phone_digest BLOB NOT NULL PRIMARY KEY,
  code_digest BLOB NOT NULL,
  tries_left BIGINT NOT NULL,
  sent_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX code_by_expiry ON code (expires_us);
-- Counters of attempts in windows of time; they outlive sessions, restarts and rolled-back work.
CREATE TABLE attempt (
  bucket TEXT NOT NULL,
  about BLOB NOT NULL,
  window_start_us BIGINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (bucket, about)
) WITHOUT ROWID;
CREATE INDEX attempt_by_age ON attempt (window_start_us);

-- What follows from a commit and may come later: read in order, applied once, removed.
CREATE TABLE outbox (
  outbox_id BLOB NOT NULL PRIMARY KEY,
  topic TEXT NOT NULL,
  subject_id BLOB NOT NULL,
  requester_id BLOB NOT NULL,
  lookup_id BLOB NOT NULL
) WITHOUT ROWID;
-- Projection: the look-ups of an account about others. Those about oneself are in one's own chain.
CREATE TABLE requester_lookup (
  requester_id BLOB NOT NULL,
  lookup_id BLOB NOT NULL,
  subject_id BLOB NOT NULL,
  PRIMARY KEY (requester_id, lookup_id)
) WITHOUT ROWID;
