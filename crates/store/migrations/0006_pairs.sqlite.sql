-- An outcome that stands right behind its intent in the chain says where both lie: the two share a row. What was written
-- before, and where other entries came between, has a row for each. A node of a version before would not find those
-- intents, so that all such nodes stop first.
ALTER TABLE chain_place ADD COLUMN intent_leaf BIGINT;
