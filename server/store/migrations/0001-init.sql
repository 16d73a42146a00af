-- The first schema of a Holdfast database. Immutable once released: a change is the next numbered file.
--
-- Legend
--   seq, invocation, caller_seq   internal number of an invocation, rising, never used twice
--   idx                           place of an entry in its journal, from 0
--   *_ms                          milliseconds since the Unix epoch; *_retention_ms are durations in milliseconds
--   type, message_type            type number of a protocol message, such as 1025 (0x0401, OutputCommand)
--   status                        0 scheduled, 1 running, 2 suspended, 3 backing off, 4 paused, 5 completed, 6 queued
--   invocation.kind               0 plain, 1 exclusive, 2 shared, 3 run, 4 workflow-shared
--   timer.kind                    0 start, 1 sleep, 2 retry, 3 purge, 4 purge-journal
--   journal_event.kind            0 attempt-failed, 1 suspended, 2 paused, 3 resumed
--   service, key                  together an instance of an object or a workflow
--   awaiting                      JSON: {"completions":[],"signals":[],"namedSignals":[],"nested":[],"combinator":1}
--   NULL                          the state has no such field
-- Hot tables are keyed so that what is written together lies together and new rows go to the end.

-- One row an invocation.
CREATE TABLE invocation (
  seq                          INTEGER PRIMARY KEY,
  partition_key                BLOB    NOT NULL CHECK (length(partition_key) = 8),
  uuid                         BLOB    NOT NULL CHECK (length(uuid) = 16),
  status                       INTEGER NOT NULL,
  service                      TEXT    NOT NULL,
  handler                      TEXT    NOT NULL,
  key                          TEXT,
  kind                         INTEGER NOT NULL,
  idempotency_key              TEXT,
  caller_seq                   INTEGER,
  caller_completion_id         INTEGER,
  restarted_from               BLOB,
  traceparent                  TEXT,
  tracestate                   TEXT,
  created_at_ms                INTEGER NOT NULL,
  start_at_ms                  INTEGER,
  completion_retention_ms      INTEGER NOT NULL,
  journal_retention_ms         INTEGER NOT NULL,
  modified_at_ms               INTEGER NOT NULL,
  queued_at_ms                 INTEGER,
  running_at_ms                INTEGER,
  last_start_at_ms             INTEGER,
  epoch                        INTEGER NOT NULL,
  queue_position               INTEGER,
  is_pausing                   INTEGER,
  awaiting                     TEXT,
  retry_at_ms                  INTEGER,
  pause_reason                 TEXT,
  completed_at_ms              INTEGER,
  output_index                 INTEGER,
  pin_deployment_id            TEXT,
  pin_protocol_version         INTEGER,
  retry_count                  INTEGER NOT NULL,
  retry_count_since_last_entry INTEGER NOT NULL,
  failure_at_ms                INTEGER,
  failure_code                 INTEGER,
  failure_error_code           TEXT,
  failure_message              TEXT,
  failure_stacktrace           TEXT,
  failure_command_index        INTEGER,
  failure_command_name         TEXT,
  failure_command_type         INTEGER,
  failure_mismatch             TEXT,
  is_journal_purged            INTEGER NOT NULL
) STRICT;

-- Minted uuids rise with time, so this index grows at its end too; the partition key in front would scatter it.
CREATE UNIQUE INDEX invocation_by_uuid ON invocation (uuid, partition_key);

-- What is not over: small however many completed invocations are kept.
CREATE INDEX invocation_open ON invocation (status, seq) WHERE status <> 5;

-- Which deployments are still needed.
CREATE INDEX invocation_pinned ON invocation (pin_deployment_id) WHERE status <> 5 AND pin_deployment_id IS NOT NULL;

-- One row an entry: a command or a notification, its body as it came off the wire. The body stands last, so that a scan over
-- types does not read the pages that long bodies overflow to.
CREATE TABLE journal (
  invocation INTEGER NOT NULL,
  idx        INTEGER NOT NULL,
  type       INTEGER NOT NULL,
  at_ms      INTEGER NOT NULL,
  body       BLOB    NOT NULL,
  PRIMARY KEY (invocation, idx)
) STRICT, WITHOUT ROWID;

-- What happened to an invocation between two entries, for people. number: from 1, rising; after_idx: the entry before it;
-- body: JSON, such as {"kind":"paused","reason":"operator","lastFailure":null}.
CREATE TABLE journal_event (
  invocation INTEGER NOT NULL,
  number     INTEGER NOT NULL,
  after_idx  INTEGER NOT NULL,
  at_ms      INTEGER NOT NULL,
  kind       INTEGER NOT NULL,
  body       TEXT    NOT NULL,
  PRIMARY KEY (invocation, number)
) STRICT, WITHOUT ROWID;

-- What happens at a due time. Timers of an invocation that is gone vanish when due.
CREATE TABLE timer (
  due_ms INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  kind   INTEGER NOT NULL,
  arg    INTEGER NOT NULL,
  PRIMARY KEY (due_ms, seq, kind, arg)
) STRICT, WITHOUT ROWID;

-- Handlers that wait for the result of an invocation they did not start themselves.
CREATE TABLE listener (
  seq           INTEGER NOT NULL,
  caller_seq    INTEGER NOT NULL,
  completion_id INTEGER NOT NULL,
  message_type  INTEGER NOT NULL,
  PRIMARY KEY (seq, caller_seq, completion_id)
) STRICT, WITHOUT ROWID;

-- What objects and workflows remember.
CREATE TABLE state (
  service TEXT NOT NULL,
  key     TEXT NOT NULL,
  name    BLOB NOT NULL,
  value   BLOB NOT NULL,
  PRIMARY KEY (service, key, name)
) STRICT, WITHOUT ROWID;

-- Which invocation runs alone on its key.
CREATE TABLE lock (
  service TEXT    NOT NULL,
  key     TEXT    NOT NULL,
  seq     INTEGER NOT NULL,
  PRIMARY KEY (service, key)
) STRICT, WITHOUT ROWID;

-- What waits for a key, in the order of position: an invocation (seq), or a mutation of the state, as JSON with base64:
-- {"version":null,"entries":[{"name":"bg==","value":"MQ=="}]}.
CREATE TABLE queue (
  position INTEGER PRIMARY KEY,
  service  TEXT    NOT NULL,
  key      TEXT    NOT NULL,
  seq      INTEGER,
  mutation TEXT
) STRICT;

CREATE INDEX queue_by_key ON queue (service, key, position);

-- Durable promises that are completed: a value, or a failure as JSON.
CREATE TABLE promise (
  service TEXT NOT NULL,
  key     TEXT NOT NULL,
  name    TEXT NOT NULL,
  value   BLOB,
  failure TEXT,
  PRIMARY KEY (service, key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE promise_listener (
  service       TEXT    NOT NULL,
  key           TEXT    NOT NULL,
  name          TEXT    NOT NULL,
  seq           INTEGER NOT NULL,
  completion_id INTEGER NOT NULL,
  PRIMARY KEY (service, key, name, seq, completion_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment (
  id                   TEXT PRIMARY KEY,
  uri                  TEXT    NOT NULL,
  protocol_mode        TEXT    NOT NULL,
  http_version         TEXT    NOT NULL,
  min_protocol_version INTEGER NOT NULL,
  max_protocol_version INTEGER NOT NULL,
  sdk_version          TEXT,
  additional_headers   TEXT    NOT NULL,
  metadata             TEXT    NOT NULL,
  created_at_ms        INTEGER NOT NULL,
  services             TEXT    NOT NULL,
  draining_since_ms    INTEGER
) STRICT, WITHOUT ROWID;

-- Every revision of a service; the highest whose deployment is not draining is the one that new invocations go to.
CREATE TABLE service_revision (
  service       TEXT    NOT NULL,
  revision      INTEGER NOT NULL,
  deployment_id TEXT    NOT NULL,
  PRIMARY KEY (service, revision)
) STRICT, WITHOUT ROWID;

-- What operators set over the options of a service, as JSON.
CREATE TABLE service_override (
  service TEXT PRIMARY KEY,
  options TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- next_seq: the first seq that no process has reserved yet.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('next_seq', 1);
