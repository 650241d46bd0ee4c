-- Record reviews: what a person asked the record holder to look at again. `content` and the pictures are encrypted
-- under the subject's key of the class `record`; `next_us` is when the job goes on with it, null where nothing follows.
CREATE TABLE review (
  subject_id BYTEA NOT NULL,
  review_id BYTEA NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('submitted', 'received', 'answered', 'closed')),
  requester_id BYTEA NOT NULL,
  lookup_id BYTEA NOT NULL,
  created_us BIGINT NOT NULL,
  due_us BIGINT NOT NULL,
  next_us BIGINT,
  tries BIGINT NOT NULL,
  repeat_key BYTEA NOT NULL,
  request_hash BYTEA NOT NULL,
  revision BIGINT NOT NULL,
  content BYTEA NOT NULL,
  PRIMARY KEY (subject_id, review_id)
);
CREATE UNIQUE INDEX review_repeat ON review (subject_id, repeat_key);
CREATE INDEX review_next ON review (next_us) WHERE next_us IS NOT NULL;
CREATE INDEX review_age ON review (created_us) WHERE next_us IS NULL;
CREATE TABLE review_picture (
  subject_id BYTEA NOT NULL,
  review_id BYTEA NOT NULL,
  place BIGINT NOT NULL,
  bytes BYTEA NOT NULL,
  PRIMARY KEY (subject_id, review_id, place)
);
-- When a review came into each state.
CREATE TABLE review_step (
  subject_id BYTEA NOT NULL,
  review_id BYTEA NOT NULL,
  state TEXT NOT NULL,
  time_us BIGINT NOT NULL,
  PRIMARY KEY (subject_id, review_id, state)
);
