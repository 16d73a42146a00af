/** Services and handlers as the admin API shows them: what is in force, from the manifest or by default (HTTP API 2.3); pure. */
import type {
  ManifestHandler,
  ManifestInput,
  ManifestOptions,
  ManifestOutput,
  ManifestService,
} from "../../sdk/protocol/manifest.ts";
import { formatDurationMs } from "../base/duration.ts";
import type { RetryPolicy } from "../machine/policy.ts";
import {
  type Deployment,
  type Registry,
  type ServiceRevision,
  withOverrides,
} from "../machine/registry.ts";
import type { MachineSettings } from "../machine/settings.ts";
import { overridesView } from "./service-overrides.ts";
import type { View } from "./view.ts";

/** What holds where a service says nothing. */
export interface ServiceDefaults {
  readonly inactivityTimeoutMs: number;
  readonly abortTimeoutMs: number;
  readonly settings: MachineSettings;
}

const SERVICE_TYPES = {
  SERVICE: "Service",
  VIRTUAL_OBJECT: "VirtualObject",
  WORKFLOW: "Workflow",
} as const;
const HANDLER_TYPES = { EXCLUSIVE: "Exclusive", SHARED: "Shared", WORKFLOW: "Workflow" } as const;

/** `offered` is the service as its deployment offers it. */
export function serviceView(
  registry: Registry,
  offered: ManifestService,
  revision: ServiceRevision,
  defaults: ServiceDefaults,
): View {
  const service = withOverrides(registry, offered);
  const { name, ty, documentation, metadata } = service;
  const { inactivityTimeoutMs, abortTimeoutMs, settings } = defaults;
  const retentions = retentionsOf(service, settings);
  return {
    name,
    ty: SERVICE_TYPES[ty],
    handlers: service.handlers.map((handler) => handlerView(service, handler)),
    documentation,
    metadata,
    deployment_id: revision.deploymentId,
    revision: revision.revision,
    public: service.ingressPrivate !== true,
    ...Object.fromEntries(
      retentions.map(([field, ms]) => [
        field,
        formatDurationMs(Math.min(ms, settings.retentionMaxMs)),
      ]),
    ),
    inactivity_timeout: formatDurationMs(service.inactivityTimeout ?? inactivityTimeoutMs),
    abort_timeout: formatDurationMs(service.abortTimeout ?? abortTimeoutMs),
    enable_lazy_state: service.enableLazyState ?? false,
    retry_policy: retryPolicyView(service, settings.retryPolicy),
    overrides: overridesView(registry.overrides.get(name)),
    info: unlessEmpty(
      retentions
        .filter(([, ms]) => ms > settings.retentionMaxMs)
        .map(([field]) => clampedNote(field)),
    ),
  };
}

/** As they are set; nothing is kept longer than the server's maximum. */
function retentionsOf(
  service: ManifestService,
  settings: MachineSettings,
): (readonly [field: string, ms: number])[] {
  const run = service.handlers.find((handler) => handler.ty === "WORKFLOW");
  const ofWorkflow = run?.workflowCompletionRetention ?? settings.workflowRetentionMs;
  return [
    ["idempotency_retention", service.idempotencyRetention ?? settings.idempotencyRetentionMs],
    ...(service.ty === "WORKFLOW" ? [["workflow_completion_retention", ofWorkflow] as const] : []),
    ["journal_retention", service.journalRetention ?? settings.journalRetentionMs],
  ];
}

function clampedNote(field: string): View {
  return {
    code: "RT0022",
    message: `${field} is set to more than this server keeps anything; its maximum holds`,
  };
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

function retryPolicyView(options: ManifestOptions, fallback: RetryPolicy): View {
  const maxAttempts = options.retryPolicyMaxAttempts ?? fallback.maxAttempts;
  return {
    initial_interval: formatDurationMs(
      options.retryPolicyInitialInterval ?? fallback.initialIntervalMs,
    ),
    exponentiation_factor: options.retryPolicyExponentiationFactor ?? fallback.factor,
    max_attempts: Number.isFinite(maxAttempts) ? maxAttempts : undefined,
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

function unlessEmpty(notes: readonly View[]): readonly View[] | undefined {
  return notes.length === 0 ? undefined : notes;
}

function onMaxAttempts(value: "PAUSE" | "KILL"): string {
  return value === "PAUSE" ? "Pause" : "Kill";
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDurationMs(ms);
}

/** Settings that a deployment makes without effect. */
export function deploymentWarnings(deployment: Deployment): View[] {
  return [...timeoutWarnings(deployment), ...versionWarnings(deployment)];
}

/** Journals outlive what `$LATEST` meant when they were begun. */
function versionWarnings({ lambda, uri }: Deployment): View[] {
  if (lambda === undefined || !uri.endsWith(":$LATEST")) return [];
  const message =
    "$LATEST moves with each upload of the function: invocations that are under way would go on with other code (RT0016). " +
    "Publish a version and register that";
  return [{ message }];
}

function timeoutWarnings(deployment: Deployment): View[] {
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
