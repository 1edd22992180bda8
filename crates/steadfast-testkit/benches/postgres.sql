-- What a record takes in PostgreSQL: `psql -v users=100000 -v campaigns=5 -f postgres.sql DATABASE`, on an empty database
-- of a server that does nothing else. The table and the statements are the backend's, written once more by hand; users
-- come in no order, 200 records a statement, as a busy client writes them. Needs the right to CREATE, and to CHECKPOINT.

\set ON_ERROR_STOP on
\set QUIET on
DROP TABLE IF EXISTS size_record CASCADE;
CREATE TABLE size_record (user_id text COLLATE "C" NOT NULL, campaign_key text COLLATE "C" NOT NULL,
  variation_name text COLLATE "C" NOT NULL, goals text COLLATE "C" NOT NULL, activated bool NOT NULL,
  meta_data text COLLATE "C", long_user_id text COLLATE "C", long_campaign_key text COLLATE "C",
  PRIMARY KEY (user_id, campaign_key)) PARTITION BY HASH (user_id);
SELECT format('CREATE TABLE size_record_%s PARTITION OF size_record FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n)
FROM generate_series(0, 15) AS n \gexec

CREATE OR REPLACE PROCEDURE size_fill(first int, users int, campaigns int) LANGUAGE plpgsql AS $$
BEGIN
  FOR start IN 0 .. users - 1 BY 200 / campaigns LOOP
    INSERT INTO size_record (user_id, campaign_key, variation_name, goals, activated)
    SELECT left(md5((first + start + number)::text), 20), 'checkout-but-' || lpad(campaign::text, 2, '0'),
      'Variation-1', 'bought-it-00', true
    FROM generate_series(0, least(200 / campaigns, users - start) - 1) AS number, generate_series(0, campaigns - 1) AS campaign
    ORDER BY 1, 2 ON CONFLICT (user_id, campaign_key) DO NOTHING;
    COMMIT;
  END LOOP;
END $$;

SELECT pg_current_wal_lsn() AS before \gset
CALL size_fill(0, :users, :campaigns);
SELECT pg_current_wal_lsn() AS after \gset
VACUUM ANALYZE size_record;
\echo what                                        bytes a record
\pset tuples_only on
SELECT 'heap', round(sum(pg_relation_size(relid)) / (:users * :campaigns), 1) FROM pg_partition_tree('size_record') WHERE isleaf;
SELECT 'primary key', round(sum(pg_indexes_size(relid)) / (:users * :campaigns), 1) FROM pg_partition_tree('size_record') WHERE isleaf;
SELECT 'all, pg_total_relation_size', round(sum(pg_total_relation_size(relid)) / (:users * :campaigns), 1) FROM pg_partition_tree('size_record') WHERE isleaf;
SELECT 'WAL while filling', round(pg_wal_lsn_diff(:'after', :'before') / (:users * :campaigns), 1);

-- New users, each the first to touch its page of the index after a checkpoint.
CHECKPOINT;
SELECT pg_current_wal_lsn() AS before \gset
CALL size_fill(:users, 1000, :campaigns);
SELECT pg_current_wal_lsn() AS after \gset
SELECT 'WAL of the first 1,000 users after a checkpoint', round(pg_wal_lsn_diff(:'after', :'before') / (1000 * :campaigns), 1);

-- Merges that add a goal: a row is written anew, and the old one stays until it is vacuumed.
CHECKPOINT;
SELECT pg_current_wal_lsn() AS before \gset
UPDATE size_record SET goals = goals || '_vwo_signed-up-1';
SELECT pg_current_wal_lsn() AS after \gset
SELECT 'WAL of a goal more, everybody', round(pg_wal_lsn_diff(:'after', :'before') / (:users * :campaigns), 1);
SELECT 'all after a goal more for everybody, before vacuum', round(sum(pg_total_relation_size(relid)) / (:users * :campaigns), 1) FROM pg_partition_tree('size_record') WHERE isleaf;
SELECT 'of these, kept in the page of the old row (HOT)', round(100.0 * sum(pg_stat_get_tuples_hot_updated(relid)) / greatest(sum(pg_stat_get_tuples_updated(relid)), 1)) || ' %' FROM pg_partition_tree('size_record') WHERE isleaf;
DROP TABLE size_record CASCADE;
DROP PROCEDURE size_fill;
