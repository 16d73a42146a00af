/** Services and handlers as the admin API shows them: what is in force, from the manifest or by default (HTTP API 2.3); pure. */
import type {
  ManifestHandler,
  ManifestInput,
  ManifestOptions,
  ManifestOutput,
  ManifestService,
} from "../../sdk/protocol/manifest.ts";
import { formatDurationMs } from "../base/duration.ts";
import { DEFAULT_RETRY_POLICY } from "../machine/policy.ts";
import type { Deployment, ServiceRevision } from "../machine/registry.ts";

/** Settings of the server that hold where a service says nothing. */
export interface ServiceDefaults {
  readonly inactivityTimeoutMs: number;
  readonly abortTimeoutMs: number;
}

/** Fields that are undefined are left out of the JSON. */
export type View = Record<string, unknown>;

const DAY_MS = 24 * 60 * 60 * 1000;
const RETENTION_MS = DAY_MS;

const SERVICE_TYPES = {
  SERVICE: "Service",
  VIRTUAL_OBJECT: "VirtualObject",
  WORKFLOW: "Workflow",
} as const;
const HANDLER_TYPES = { EXCLUSIVE: "Exclusive", SHARED: "Shared", WORKFLOW: "Workflow" } as const;

export function serviceView(
  service: ManifestService,
  revision: ServiceRevision,
  defaults: ServiceDefaults,
): View {
  const { name, ty, documentation, metadata } = service;
  return {
    name,
    ty: SERVICE_TYPES[ty],
    handlers: service.handlers.map((handler) => handlerView(service, handler)),
    documentation,
    metadata,
    deployment_id: revision.deploymentId,
    revision: revision.revision,
    public: service.ingressPrivate !== true,
    idempotency_retention: formatDurationMs(service.idempotencyRetention ?? RETENTION_MS),
    workflow_completion_retention: duration(completionRetention(service)),
    journal_retention: formatDurationMs(service.journalRetention ?? RETENTION_MS),
    inactivity_timeout: formatDurationMs(service.inactivityTimeout ?? defaults.inactivityTimeoutMs),
    abort_timeout: formatDurationMs(service.abortTimeout ?? defaults.abortTimeoutMs),
    enable_lazy_state: service.enableLazyState ?? false,
    retry_policy: retryPolicyView(service),
  };
}

/** Of a workflow's run handler; undefined where there is none. */
function completionRetention(service: ManifestService): number | undefined {
  if (service.ty !== "WORKFLOW") return undefined;
  const run = service.handlers.find((handler) => handler.ty === "WORKFLOW");
  return run?.workflowCompletionRetention ?? RETENTION_MS;
}

export function handlerView(service: ManifestService, handler: ManifestHandler): View {
  return {
    name: handler.name,
    ty: handlerType(service, handler),
    documentation: handler.documentation,
    metadata: handler.metadata,
    idempotency_retention: duration(handler.idempotencyRetention),
    journal_retention: duration(handler.journalRetention),
    inactivity_timeout: duration(handler.inactivityTimeout),
    abort_timeout: duration(handler.abortTimeout),
    enable_lazy_state: handler.enableLazyState,
    public: service.ingressPrivate !== true && handler.ingressPrivate !== true,
    input_description: inputDescription(handler.input),
    output_description: outputDescription(handler.output),
    input_json_schema: handler.input?.jsonSchema,
    output_json_schema: handler.output?.jsonSchema,
    retry_policy: retryOverrides(handler),
  };
}

/** Handlers of plain services have no type. */
function handlerType(service: ManifestService, handler: ManifestHandler): string | undefined {
  if (service.ty === "SERVICE") return undefined;
  return HANDLER_TYPES[handler.ty ?? (service.ty === "WORKFLOW" ? "SHARED" : "EXCLUSIVE")];
}

function inputDescription(input: ManifestInput | undefined): string {
  if (input === undefined) return "*/*";
  return input.contentType ?? (input.jsonSchema === undefined ? "none" : "application/json");
}

function outputDescription(output: ManifestOutput | undefined): string {
  return output === undefined ? "application/json" : (output.contentType ?? "none");
}

function retryPolicyView(options: ManifestOptions): View {
  const fallback = DEFAULT_RETRY_POLICY;
  return {
    ...retryOverrides(options),
    initial_interval: formatDurationMs(
      options.retryPolicyInitialInterval ?? fallback.initialIntervalMs,
    ),
    exponentiation_factor: options.retryPolicyExponentiationFactor ?? fallback.factor,
    max_attempts: options.retryPolicyMaxAttempts ?? fallback.maxAttempts,
    max_interval: formatDurationMs(options.retryPolicyMaxInterval ?? fallback.maxIntervalMs),
    on_max_attempts: onMaxAttempts(options.retryPolicyOnMaxAttempts ?? fallback.onMaxAttempts),
  };
}

/** What is set here; the rest is inherited. */
function retryOverrides(options: ManifestOptions): View {
  const last = options.retryPolicyOnMaxAttempts;
  return {
    initial_interval: duration(options.retryPolicyInitialInterval),
    exponentiation_factor: options.retryPolicyExponentiationFactor,
    max_attempts: options.retryPolicyMaxAttempts ?? null,
    max_interval: duration(options.retryPolicyMaxInterval),
    on_max_attempts: last === undefined ? undefined : onMaxAttempts(last),
  };
}

function onMaxAttempts(value: "PAUSE" | "KILL"): string {
  return value === "PAUSE" ? "Pause" : "Kill";
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDurationMs(ms);
}

/** Settings that a deployment makes without effect. */
export function deploymentWarnings(deployment: Deployment): View[] {
  if (deployment.protocolMode !== "REQUEST_RESPONSE") return [];
  const deaf = deployment.services.filter(({ inactivityTimeout, handlers }) =>
    [inactivityTimeout, ...handlers.map((each) => each.inactivityTimeout)].some(
      (timeout) => timeout !== undefined,
    ),
  );
  return deaf.map(({ name }) => ({
    code: "RT0021",
    message: `the inactivity timeout of ${name} has no effect: a request/response deployment suspends at once`,
  }));
}
