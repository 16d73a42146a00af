/** The shapes of bodies, for the OpenAPI document; pure. */
import { HELD_SCHEMAS } from "./document-held.ts";
import { JOURNAL_FILE_SCHEMAS } from "./document-journal-file.ts";
import { schemaRef } from "./document-parts.ts";
import type { View } from "./view.ts";

const string = { type: "string" };
const boolean = { type: "boolean" };
const count = { type: "integer", minimum: 0 };
const duration = { type: "string", description: "Such as `1m 30s`; in also as `PT90S`" };
const time = { type: "string", format: "date-time" };
const strings = { type: "object", additionalProperties: { type: "string" } };
const list = (items: View): View => ({ type: "array", items });
const oneOf = (...values: readonly string[]): View => ({ type: "string", enum: values });
const orNull = (schema: View): View => ({ anyOf: [schema, { type: "null" }] });
const object = (properties: View, ...required: readonly string[]): View => ({
  type: "object",
  properties,
  required: required.length === 0 ? undefined : required,
});

const info = list(object({ code: string, message: string }, "message"));
const DEPLOYMENT_FIELDS = {
  id: string,
  uri: string,
  arn: { ...string, description: "In place of `uri` and `http_version`: a function on AWS Lambda" },
  assume_role_arn: string,
  compression: oneOf("zstd"),
  protocol_type: oneOf("BidiStream", "RequestResponse"),
  http_version: oneOf("HTTP/1.1", "HTTP/2.0"),
  additional_headers: strings,
  metadata: strings,
  created_at: time,
  min_protocol_version: count,
  max_protocol_version: count,
  sdk_version: string,
  status: {
    ...oneOf("active", "draining", "drained"),
    description:
      "active: new invocations go to it; draining: some are pinned to it; drained: nothing needs it",
  },
  active_invocations: {
    ...orNull(count),
    description: "Pinned to it and not completed; null when not counted",
  },
  draining_since: time,
  info,
};

const RETRY_POLICY = object({
  initial_interval: duration,
  exponentiation_factor: { type: "number" },
  max_attempts: orNull(count),
  max_interval: duration,
  on_max_attempts: oneOf("Pause", "Kill"),
});

const SETTABLE = {
  public: boolean,
  idempotency_retention: duration,
  workflow_completion_retention: duration,
  journal_retention: duration,
  inactivity_timeout: duration,
  abort_timeout: duration,
};

const FAILURE_FIELDS = {
  code: { type: "integer", description: "HTTP-like, or 570 to 573" },
  error_code: { ...string, description: "Stable, such as RT0010" },
  message: string,
  at: time,
  stacktrace: string,
  related_command_index: count,
  related_command_name: string,
  related_command_type: string,
  mismatch: object({
    entry_index: count,
    command_index: count,
    recorded: object({ type: string, name: string }),
    attempted: object({ type: string, name: string }),
  }),
};

const STATUS = oneOf(
  "scheduled",
  "queued",
  "running",
  "suspended",
  "backing-off",
  "paused",
  "completed",
);

const REGISTRY_SCHEMAS = {
  RegisterDeployment: object({
    uri: { ...orNull(string), description: "Either this or `arn`" },
    arn: { ...orNull(string), description: "A function on AWS Lambda, with its version" },
    assume_role_arn: { ...orNull(string), description: "Else the server's own credentials" },
    use_http_11: orNull(boolean),
    additional_headers: orNull(strings),
    metadata: orNull(strings),
    force: orNull(boolean),
    breaking: orNull(boolean),
    dry_run: orNull(boolean),
  }),
  RegisterDeploymentResponse: object(
    {
      id: string,
      services: list(schemaRef("Service")),
      min_protocol_version: count,
      max_protocol_version: count,
      sdk_version: string,
      info,
    },
    "id",
    "services",
    "min_protocol_version",
    "max_protocol_version",
  ),
  UpdateDeployment: object({
    uri: orNull(string),
    arn: orNull(string),
    assume_role_arn: orNull(string),
    use_http_11: orNull(boolean),
    additional_headers: { ...orNull(strings), description: "Replaces all of them" },
    overwrite: orNull(boolean),
    dry_run: orNull(boolean),
  }),
  Deployment: object(
    { ...DEPLOYMENT_FIELDS, services: list(schemaRef("Service")) },
    "id",
    "services",
  ),
  ListedDeployment: object(
    { ...DEPLOYMENT_FIELDS, services: list(object({ name: string, revision: count })) },
    "id",
    "services",
  ),
  Service: object(
    {
      name: string,
      ty: oneOf("Service", "VirtualObject", "Workflow"),
      handlers: list(schemaRef("Handler")),
      documentation: string,
      metadata: strings,
      deployment_id: string,
      revision: count,
      ...SETTABLE,
      enable_lazy_state: boolean,
      retry_policy: RETRY_POLICY,
      overrides: {
        ...object(SETTABLE),
        description: "What was set by PATCH; the values beside it are those in force",
      },
      info,
    },
    "name",
    "ty",
    "handlers",
    "deployment_id",
    "revision",
    "public",
  ),
  Handler: object(
    {
      name: string,
      ty: oneOf("Exclusive", "Shared", "Workflow"),
      documentation: string,
      metadata: strings,
      idempotency_retention: duration,
      journal_retention: duration,
      inactivity_timeout: duration,
      abort_timeout: duration,
      enable_lazy_state: boolean,
      public: boolean,
      input_description: string,
      output_description: string,
      input_json_schema: {},
      output_json_schema: {},
      retry_policy: RETRY_POLICY,
    },
    "name",
    "public",
    "input_description",
    "output_description",
    "retry_policy",
  ),
  ModifyService: object({
    ...Object.fromEntries(Object.entries(SETTABLE).map(([name, schema]) => [name, orNull(schema)])),
    public: { anyOf: [boolean, { const: "default" }, { type: "null" }] },
  }),
  ModifyServiceState: object(
    {
      object_key: string,
      version: {
        ...orNull(string),
        description: "Only if the state is still of this version",
      },
      new_state: {
        type: "object",
        additionalProperties: {
          anyOf: [list({ type: "integer", minimum: 0, maximum: 255 }), string],
        },
      },
    },
    "object_key",
    "new_state",
  ),
};

const INVOCATION_SCHEMAS = {
  Failure: object(FAILURE_FIELDS, "code", "error_code", "message"),
  AwaitTree: object({
    combinator: oneOf(
      "unknown",
      "first-completed",
      "all-completed",
      "first-succeeded-or-all-failed",
      "all-succeeded-or-first-failed",
    ),
    completions: list(count),
    signals: list(string),
    named_signals: list(string),
    nested: list(schemaRef("AwaitTree")),
    truncated: boolean,
  }),
  Cause: {
    ...object(
      {
        kind: string,
        explanation: string,
        since: time,
        is_certain: boolean,
        why: schemaRef("Why"),
      },
      "kind",
      "explanation",
    ),
    description: "With fields of its kind",
    additionalProperties: true,
  },
  Why: object(
    {
      id: string,
      target: string,
      status: STATUS,
      since: time,
      explanation: string,
      causes: list(schemaRef("Cause")),
      await_tree: schemaRef("AwaitTree"),
      in_cycle: boolean,
      cycles: list(
        object({
          is_deadlock: boolean,
          is_certain: boolean,
          invocations: list(
            object({ id: string, target: string, status: STATUS, waits_by: string }),
          ),
        }),
      ),
    },
    "id",
    "target",
    "status",
  ),
  Invocation: {
    ...object(
      {
        id: string,
        status: STATUS,
        explanation: string,
        target: string,
        target_service_name: string,
        target_handler_name: string,
        target_service_key: string,
        kind: oneOf("plain", "exclusive", "shared", "run", "workflow-shared"),
        created_at: time,
        modified_at: time,
        retry_count: count,
        last_failure: schemaRef("Failure"),
        waiting_for: list(schemaRef("Cause")),
        events: list(schemaRef("Event")),
        journal_size: count,
        journal_commands_size: count,
      },
      "id",
      "status",
      "explanation",
      "target",
    ),
    additionalProperties: true,
  },
  Event: {
    ...object(
      {
        kind: oneOf("attempt-failed", "suspended", "paused", "resumed"),
        at: time,
        after_index: count,
      },
      "kind",
      "at",
      "after_index",
    ),
    additionalProperties: true,
  },
  Entry: {
    ...object(
      {
        index: count,
        kind: oneOf("command", "notification"),
        type: string,
        at: time,
        bytes: count,
      },
      "index",
      "kind",
      "type",
      "bytes",
    ),
    additionalProperties: true,
  },
  Journal: object(
    {
      entries: list(schemaRef("Entry")),
      events: list(schemaRef("Event")),
      next: { ...orNull(count), description: "Where the next page begins" },
    },
    "entries",
    "events",
    "next",
  ),
  RestartedInvocation: object({ new_invocation_id: string }, "new_invocation_id"),
  BatchRequest: object(
    { invocation_ids: { ...list(string), maxItems: 1000 }, deployment: orNull(string) },
    "invocation_ids",
  ),
  BatchResult: object(
    {
      succeeded: {
        ...list({
          anyOf: [string, object({ old_invocation_id: string, new_invocation_id: string })],
        }),
        description: "Ids; of a restart both",
      },
      failed: list(object({ invocation_id: string, error: string })),
    },
    "succeeded",
    "failed",
  ),
};

export const SCHEMAS = {
  Error: object(
    {
      message: string,
      restate_code: { ...orNull(string), description: "Such as META0006" },
    },
    "message",
  ),
  VersionInformation: object(
    {
      version: string,
      min_admin_api_version: count,
      max_admin_api_version: count,
      ingress_endpoint: string,
      features: { type: "object", additionalProperties: boolean },
    },
    "version",
    "min_admin_api_version",
    "max_admin_api_version",
  ),
  Health: object(
    {
      status: oneOf("ok", "degraded"),
      held: {
        ...boolean,
        description: "Restored to an earlier moment: nothing goes out until it is released",
      },
      replica: object(
        {
          state: oneOf("shipping", "behind", "unreachable"),
          epoch: count,
          accepted_segment: count,
          unshipped_bytes: count,
          lag_ms: count,
          trouble: orNull(string),
        },
        "state",
      ),
    },
    "status",
  ),
  ...HELD_SCHEMAS,
  ClusterHealth: object({ cluster_name: string }, "cluster_name"),
  QueryRequest: object({ query: string }, "query"),
  QueryRows: object({ rows: list({ type: "object", additionalProperties: true }) }, "rows"),
  ...REGISTRY_SCHEMAS,
  ...INVOCATION_SCHEMAS,
  ...JOURNAL_FILE_SCHEMAS,
};
