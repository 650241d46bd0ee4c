-- The place of an entry says its leaf's hash, of which the next entry of the chain needs that of the one before it: no
-- old leaf is read for it. What was written before has none, an intent none but in its leaf, and what a node of a version
-- before still writes: then the leaf is read.
ALTER TABLE chain_place ADD COLUMN leaf_hash BYTEA;
