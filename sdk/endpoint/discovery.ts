/** The manifest: what the endpoint offers, as the server asks for it (service protocol section 2). */
import type { Any } from "../define/any.ts";
import { durationField } from "../define/duration.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import { inputSerde, outputSerde } from "../define/payload.ts";
import type {
  HandlerKind,
  HandlerModel,
  ModelOptions,
  ServiceKind,
  ServiceModel,
} from "../define/model.ts";
import type {
  HandlerType,
  Manifest,
  ManifestHandler,
  ManifestOptions,
  ManifestService,
  ServiceType,
} from "../protocol/manifest.ts";
import {
  MIN_PROTOCOL_VERSION,
  type ManifestVersion,
  type ProtocolVersion,
} from "../protocol/version.ts";

/** The highest version of the service protocol that this SDK speaks. */
export const MAX_SPOKEN_VERSION: ProtocolVersion = 7;

/** The fields that came with each version of the manifest. */
const NEW_FIELDS = {
  3: [
    "inactivityTimeout",
    "abortTimeout",
    "journalRetention",
    "idempotencyRetention",
    "workflowCompletionRetention",
    "enableLazyState",
    "ingressPrivate",
  ],
  4: [
    "retryPolicyInitialInterval",
    "retryPolicyMaxInterval",
    "retryPolicyExponentiationFactor",
    "retryPolicyMaxAttempts",
    "retryPolicyOnMaxAttempts",
  ],
} as const;

const SERVICE_TYPES: Readonly<Record<ServiceKind, ServiceType>> = {
  service: "SERVICE",
  object: "VIRTUAL_OBJECT",
  workflow: "WORKFLOW",
};

const HANDLER_TYPES: Readonly<Record<HandlerKind, HandlerType | undefined>> = {
  plain: undefined,
  exclusive: "EXCLUSIVE",
  shared: "SHARED",
  run: "WORKFLOW",
};

export function makeManifest(
  services: readonly ServiceModel[],
  form: Pick<Manifest, "protocolMode" | "lambdaCompression">,
): Manifest {
  return {
    ...form,
    minProtocolVersion: MIN_PROTOCOL_VERSION,
    maxProtocolVersion: MAX_SPOKEN_VERSION,
    services: services.map((model) => serviceManifest(model)),
  };
}

/** Why the manifest cannot be told in this version; left out, an option would silently not apply. */
export function versionProblem(manifest: Manifest, version: ManifestVersion): string | undefined {
  for (const introduced of [3, 4] as const) {
    if (version >= introduced) continue;
    for (const service of manifest.services) {
      for (const part of [service, ...service.handlers]) {
        const field = NEW_FIELDS[introduced].find((name) => name in part);
        if (field === undefined) continue;
        return `${field} of ${service.name} needs manifest version ${introduced}, and the server accepts no more than ${version}`;
      }
    }
  }
  return undefined;
}

function serviceManifest(model: ServiceModel): ManifestService {
  const { kind, name, options, handlers } = model;
  return {
    name,
    ty: SERVICE_TYPES[kind],
    ...textFields(model),
    ...optionFields(options),
    handlers: [...handlers.values()].map((handler) => handlerManifest(handler, options)),
  };
}

function handlerManifest(handler: HandlerModel, service: ModelOptions): ManifestHandler {
  const { kind, name, options } = handler;
  const ty = HANDLER_TYPES[kind];
  const { accept, setOutputContentTypeIfEmpty = false } = options;
  const fallback = options.serde ?? service.serde ?? serdes.json;
  const { input = fallback, output = fallback } = options;
  return {
    name,
    ...(ty !== undefined && { ty }),
    input: { required: false, ...payloadFields(inputSerde(input), accept) },
    output: {
      setContentTypeIfEmpty: setOutputContentTypeIfEmpty,
      ...payloadFields(outputSerde(output)),
    },
    ...textFields(options),
    ...optionFields(options),
    ...(kind === "run" && durationField("workflowCompletionRetention", service.workflowRetention)),
  };
}

function payloadFields(
  { contentType, jsonSchema }: Serde<Any>,
  accept = contentType,
): { contentType?: string; jsonSchema?: object } {
  return {
    ...(accept !== undefined && { contentType: accept }),
    ...(jsonSchema !== undefined && { jsonSchema }),
  };
}

function textFields(part: {
  readonly description?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}): ManifestOptions {
  const { description, metadata } = part;
  return {
    ...(description !== undefined && { documentation: description }),
    ...(metadata !== undefined && { metadata }),
  };
}

function optionFields(options: ModelOptions): ManifestOptions {
  const { enableLazyState, ingressPrivate, retryPolicy = {} } = options;
  const { exponentiationFactor, maxAttempts, onMaxAttempts } = retryPolicy;
  return {
    ...durationField("inactivityTimeout", options.inactivityTimeout),
    ...durationField("abortTimeout", options.abortTimeout),
    ...durationField("journalRetention", options.journalRetention),
    ...durationField("idempotencyRetention", options.idempotencyRetention),
    ...(enableLazyState !== undefined && { enableLazyState }),
    ...(ingressPrivate !== undefined && { ingressPrivate }),
    ...durationField("retryPolicyInitialInterval", retryPolicy.initialInterval),
    ...durationField("retryPolicyMaxInterval", retryPolicy.maxInterval),
    ...(exponentiationFactor !== undefined && {
      retryPolicyExponentiationFactor: exponentiationFactor,
    }),
    ...(maxAttempts !== undefined && { retryPolicyMaxAttempts: maxAttempts }),
    ...(onMaxAttempts !== undefined && {
      retryPolicyOnMaxAttempts: onMaxAttempts === "pause" ? "PAUSE" : "KILL",
    }),
  };
}
