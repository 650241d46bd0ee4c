-- A closed account keeps its sealed profile until the key of it is destroyed. Which ones are unfinished is asked at every
-- start and every hour.
CREATE INDEX account_closing ON account (account_id) WHERE state = 'closed' AND length(profile) > 0;
