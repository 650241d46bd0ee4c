-- From which entry on the places of look-ups' ends may still be missing in `chain_place`: SQLite's are written behind
-- (docs/decisions/0040). All that was sealed before has its places.
ALTER TABLE log_head ADD COLUMN placed BIGINT NOT NULL DEFAULT 0;
UPDATE log_head SET placed = size;
