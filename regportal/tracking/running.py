"""Up to where the log is whole: before whatever a transaction that still runs may write into it."""

WHOLE_UNTIL = """
SELECT coalesce(min(one), CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint))
  FROM (SELECT CAST(CAST(running AS text) AS bigint) AS one
          FROM pg_snapshot_xip(pg_current_snapshot()) AS running) AS all_of_them
 WHERE one % 4294967296 NOT IN (
       SELECT CAST(CAST(backend_xid AS text) AS bigint)
         FROM pg_stat_get_activity((SELECT CASE WHEN pg_stat_clear_snapshot() IS NULL THEN 0 END))
        WHERE backend_xid IS NOT NULL
          AND datid <> (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
"""
The first transaction on PostgreSQL that may still write into our log; those before it have ended.

One that runs in another database of the server never does. Whoever is not known to be elsewhere
counts: one that is prepared, one that has just ended, a worker of the server's own. That somebody
is elsewhere is true for ever, and is looked up after the snapshot: the place of a transaction that
ran then cannot have been another's, elsewhere, since. Therefore what was looked up before is thrown
away; that comes first, because the list of who runs (NULL: all) is asked for with its result.
"""
