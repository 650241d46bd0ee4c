-- Wrapped keys, apart from the data that they open and from its backups. Destroying a row is what erasure is.
CREATE TABLE wrapped_key (
  subject_id BYTEA NOT NULL,
  class TEXT NOT NULL,
  key_version BIGINT NOT NULL,
  wrapped BYTEA NOT NULL,
  created_us BIGINT NOT NULL,
  PRIMARY KEY (subject_id, class)
);
CREATE INDEX wrapped_key_by_class ON wrapped_key (class);
-- Keys that were destroyed: never made again for the same subject and class. The subject of zeros stands for
-- everybody: all evidence of years before that class is gone.
CREATE TABLE destroyed_key (
  subject_id BYTEA NOT NULL,
  class TEXT NOT NULL,
  destroyed_us BIGINT NOT NULL,
  PRIMARY KEY (subject_id, class)
);
