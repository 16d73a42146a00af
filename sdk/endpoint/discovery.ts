/** The manifest: what the endpoint offers, as the server asks for it (service protocol 2). */
import { type Duration, durationToMs } from "../define/duration.ts";
import type { Serde } from "../define/serde.ts";
import type { Any } from "../define/any.ts";
import type { HandlerModel, RetryPolicy, ServiceModel, ServiceOptions } from "../define/service.ts";
import type {
  Manifest,
  ManifestHandler,
  ManifestService,
  ProtocolMode,
} from "../protocol/manifest.ts";
import { MIN_PROTOCOL_VERSION, type ManifestVersion } from "../protocol/version.ts";
import type { ServedServices } from "./served-services.ts";

/** The highest version of the service protocol that this SDK speaks. */
const MAX_SPOKEN_VERSION = 6;

/** The fields that came with each version of the manifest. */
const NEW_FIELDS: Readonly<Record<3 | 4, readonly string[]>> = {
  3: [
    "inactivityTimeout",
    "abortTimeout",
    "journalRetention",
    "idempotencyRetention",
    "ingressPrivate",
  ],
  4: [
    "retryPolicyInitialInterval",
    "retryPolicyMaxInterval",
    "retryPolicyExponentiationFactor",
    "retryPolicyMaxAttempts",
    "retryPolicyOnMaxAttempts",
  ],
};

export function manifestOf(services: ServedServices, protocolMode: ProtocolMode): Manifest {
  return {
    protocolMode,
    minProtocolVersion: MIN_PROTOCOL_VERSION,
    maxProtocolVersion: MAX_SPOKEN_VERSION,
    services: services.models.map((model) => serviceManifest(model, services.defaults)),
  };
}

/** Why the manifest cannot be told in this version: a server that old would ignore what was asked for. */
export function versionProblem(manifest: Manifest, version: ManifestVersion): string | undefined {
  for (const introduced of [3, 4] as const) {
    if (version >= introduced) continue;
    for (const service of manifest.services) {
      for (const part of [service, ...service.handlers]) {
        const field = NEW_FIELDS[introduced].find((name) => name in part);
        if (field !== undefined) {
          return `${service.name}: ${field} needs manifest version ${introduced}; update the server`;
        }
      }
    }
  }
  return undefined;
}

function serviceManifest(model: ServiceModel, defaults: ServiceOptions): ManifestService {
  const options = { ...defaults, ...model.options };
  const { name, description, metadata } = model;
  return {
    name,
    ty: "SERVICE",
    ...(description !== undefined && { documentation: description }),
    ...(metadata !== undefined && { metadata }),
    ...optionFields(options),
    handlers: [...model.handlers.values()].map((handler) => handlerManifest(handler, options)),
  };
}

function handlerManifest(handler: HandlerModel, service: ServiceOptions): ManifestHandler {
  const { options, name } = handler;
  const serde = options.serde ?? service.serde ?? JSON_DEFAULT;
  const { accept, description, metadata, setOutputContentTypeIfEmpty = false } = options;
  const { input = serde, output = serde } = options;
  return {
    name,
    input: { required: false, ...mediaFields(input, accept) },
    output: { setContentTypeIfEmpty: setOutputContentTypeIfEmpty, ...mediaFields(output) },
    ...(description !== undefined && { documentation: description }),
    ...(metadata !== undefined && { metadata }),
    ...optionFields(options),
  };
}

/** What the manifest says of the default serde. */
const JSON_DEFAULT: Pick<Serde<Any>, "contentType" | "jsonSchema"> = {
  contentType: "application/json",
};

function mediaFields(
  serde: Pick<Serde<Any>, "contentType" | "jsonSchema">,
  accept?: string,
): { contentType?: string; jsonSchema?: object } {
  const contentType = accept ?? serde.contentType;
  const { jsonSchema } = serde;
  return {
    ...(contentType !== undefined && { contentType }),
    ...(jsonSchema !== undefined && { jsonSchema }),
  };
}

function optionFields(options: ServiceOptions): Partial<ManifestService> {
  const { ingressPrivate, retryPolicy = {} } = options;
  return {
    ...durationField("inactivityTimeout", options.inactivityTimeout),
    ...durationField("abortTimeout", options.abortTimeout),
    ...durationField("journalRetention", options.journalRetention),
    ...durationField("idempotencyRetention", options.idempotencyRetention),
    ...(ingressPrivate !== undefined && { ingressPrivate }),
    ...retryFields(retryPolicy),
  };
}

function retryFields(policy: RetryPolicy): Partial<ManifestService> {
  const { exponentiationFactor, maxAttempts, onMaxAttempts } = policy;
  return {
    ...durationField("retryPolicyInitialInterval", policy.initialInterval),
    ...durationField("retryPolicyMaxInterval", policy.maxInterval),
    ...(exponentiationFactor !== undefined && {
      retryPolicyExponentiationFactor: exponentiationFactor,
    }),
    ...(maxAttempts !== undefined && { retryPolicyMaxAttempts: maxAttempts }),
    ...(onMaxAttempts !== undefined && {
      retryPolicyOnMaxAttempts: onMaxAttempts === "pause" ? "PAUSE" : "KILL",
    }),
  };
}

function durationField<K extends string>(
  name: K,
  duration: Duration | number | undefined,
): { readonly [P in K]?: number } {
  return duration === undefined ? {} : ({ [name]: durationToMs(duration) } as { [P in K]: number });
}
