/**
 * The manifest: what an endpoint answers on discovery. Versions 2 to 4 differ only in which optional fields exist; one
 * schema reads them all, strictly: an unknown field is an error, because it is most often a misspelt option that would
 * silently not apply.
 */
import { JsonObject, ManifestError } from "./json-shape.ts";

export { ManifestError };

/** A service has a name that the server keeps for itself. */
export class ReservedNameError extends ManifestError {}

export type ProtocolMode = "BIDI_STREAM" | "REQUEST_RESPONSE";
export type ServiceType = "SERVICE" | "VIRTUAL_OBJECT" | "WORKFLOW";
export type HandlerType = "EXCLUSIVE" | "SHARED" | "WORKFLOW";
export type OnMaxAttempts = "PAUSE" | "KILL";

export interface Manifest {
  readonly protocolMode: ProtocolMode;
  readonly minProtocolVersion: number;
  readonly maxProtocolVersion: number;
  readonly services: readonly ManifestService[];
  readonly lambdaCompression?: "zstd";
}

/** Options a service sets for its handlers and a handler overrides. Intervals and timeouts are milliseconds. */
export interface ManifestOptions {
  readonly documentation?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly inactivityTimeout?: number;
  readonly abortTimeout?: number;
  readonly journalRetention?: number;
  readonly idempotencyRetention?: number;
  readonly enableLazyState?: boolean;
  readonly ingressPrivate?: boolean;
  readonly retryPolicyInitialInterval?: number;
  readonly retryPolicyMaxInterval?: number;
  readonly retryPolicyExponentiationFactor?: number;
  /** In total, the first one included; 0 is read as 1. */
  readonly retryPolicyMaxAttempts?: number;
  readonly retryPolicyOnMaxAttempts?: OnMaxAttempts;
}

export interface ManifestService extends ManifestOptions {
  readonly name: string;
  readonly ty: ServiceType;
  readonly handlers: readonly ManifestHandler[];
}

export interface ManifestHandler extends ManifestOptions {
  readonly name: string;
  /** Absent: exclusive on an object, shared on a workflow. */
  readonly ty?: HandlerType;
  /** Absent: any request. Present without `contentType`: only an empty one without content type. */
  readonly input?: ManifestInput;
  /** Absent: JSON when not empty. Present without `contentType`: never a content type. */
  readonly output?: ManifestOutput;
  readonly workflowCompletionRetention?: number;
}

export interface ManifestInput {
  readonly required?: boolean;
  readonly contentType?: string;
  readonly jsonSchema?: unknown;
}

export interface ManifestOutput {
  readonly contentType?: string;
  readonly setContentTypeIfEmpty?: boolean;
  readonly jsonSchema?: unknown;
}

const OPTION_FIELDS = [
  "documentation",
  "metadata",
  "inactivityTimeout",
  "abortTimeout",
  "journalRetention",
  "idempotencyRetention",
  "enableLazyState",
  "ingressPrivate",
  "retryPolicyInitialInterval",
  "retryPolicyMaxInterval",
  "retryPolicyExponentiationFactor",
  "retryPolicyMaxAttempts",
  "retryPolicyOnMaxAttempts",
];
const MANIFEST_FIELDS: ReadonlySet<string> = new Set([
  "protocolMode",
  "minProtocolVersion",
  "maxProtocolVersion",
  "services",
  "lambdaCompression",
]);
const SERVICE_FIELDS: ReadonlySet<string> = new Set(["name", "ty", "handlers", ...OPTION_FIELDS]);
const HANDLER_FIELDS: ReadonlySet<string> = new Set([
  "name",
  "ty",
  "input",
  "output",
  "workflowCompletionRetention",
  ...OPTION_FIELDS,
]);
const INPUT_FIELDS: ReadonlySet<string> = new Set(["required", "contentType", "jsonSchema"]);
const OUTPUT_FIELDS: ReadonlySet<string> = new Set([
  "contentType",
  "setContentTypeIfEmpty",
  "jsonSchema",
]);

const PROTOCOL_MODES = ["BIDI_STREAM", "REQUEST_RESPONSE"] as const;
const SERVICE_TYPES = ["SERVICE", "VIRTUAL_OBJECT", "WORKFLOW"] as const;
const HANDLER_TYPES = ["EXCLUSIVE", "SHARED", "WORKFLOW"] as const;
const ON_MAX_ATTEMPTS = ["PAUSE", "KILL"] as const;

/** Which `ty` a handler may name, by its service's `ty`. SHARED on a plain service means the same as none. */
const HANDLER_TYPES_OF: Readonly<Record<ServiceType, readonly HandlerType[]>> = {
  SERVICE: ["SHARED"],
  VIRTUAL_OBJECT: ["EXCLUSIVE", "SHARED"],
  WORKFLOW: ["SHARED", "WORKFLOW"],
};

const SERVICE_NAME = /^(?:[a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9._-]*$/;
const HANDLER_NAME = /^(?:[a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$/;
/** Names the server keeps for its own services and paths. */
const RESERVED_SERVICE_NAME = /^(?:restate.*|openapi)$/i;
/** RFC 9110 tokens; `*` only as the whole of a part, checked apart. */
const MEDIA_RANGE = /^([!#$%&'*+.^_`|~0-9a-zA-Z-]+)\/([!#$%&'*+.^_`|~0-9a-zA-Z-]+)\s*(?:;.*)?$/s;
/** What may stand in an HTTP header as it is; the server repeats it in every answer. */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Service protocol versions are positive 32-bit integers. */
const PROTOCOL_VERSION_MAX = 0x7fff_ffff;

/** The manifest in `json`, checked. Throws `ManifestError`. */
export function parseManifest(json: unknown): Manifest {
  const fields = new JsonObject(json, "", MANIFEST_FIELDS);
  const protocolMode = fields.oneOf("protocolMode", PROTOCOL_MODES);
  const min = fields.integer("minProtocolVersion", 1, PROTOCOL_VERSION_MAX);
  const minProtocolVersion = fields.required("minProtocolVersion", min);
  const max = fields.integer("maxProtocolVersion", minProtocolVersion, PROTOCOL_VERSION_MAX);
  const services = fields
    .required("services", fields.array("services"))
    .map(({ json: service, path }) => parseService(service, path));
  requireUniqueNames(services, "services");
  return {
    protocolMode: fields.required("protocolMode", protocolMode),
    minProtocolVersion,
    maxProtocolVersion: fields.required("maxProtocolVersion", max),
    services,
    ...optional({ lambdaCompression: fields.oneOf("lambdaCompression", ["zstd"] as const) }),
  };
}

function parseService(json: unknown, path: string): ManifestService {
  const fields = new JsonObject(json, path, SERVICE_FIELDS);
  const name = parseName(fields, SERVICE_NAME);
  if (RESERVED_SERVICE_NAME.test(name)) {
    throw new ReservedNameError(
      `${fields.at("name")} is "${name}", which is reserved; rename the service`,
    );
  }
  const ty = fields.required("ty", fields.oneOf("ty", SERVICE_TYPES));
  const options = parseOptions(fields);
  const handlers = fields
    .required("handlers", fields.array("handlers"))
    .map((handler) => parseHandler(handler.json, handler.path, ty, options));
  requireUniqueNames(handlers, fields.at("handlers"));
  return { name, ty, handlers, ...options };
}

function parseHandler(
  json: unknown,
  path: string,
  serviceType: ServiceType,
  serviceOptions: ManifestOptions,
): ManifestHandler {
  const fields = new JsonObject(json, path, HANDLER_FIELDS);
  const ty = fields.oneOf("ty", HANDLER_TYPES);
  if (ty !== undefined && !HANDLER_TYPES_OF[serviceType].includes(ty)) {
    throw new ManifestError(`${fields.at("ty")} is ${ty}, which a ${serviceType} cannot have`);
  }
  const options = parseOptions(fields);
  const workflowCompletionRetention = fields.natural("workflowCompletionRetention");
  if (ty === "WORKFLOW" && options.idempotencyRetention !== undefined) {
    throw new ManifestError(
      `${fields.at("idempotencyRetention")} has no meaning on a WORKFLOW handler; use workflowCompletionRetention`,
    );
  }
  if (ty !== "WORKFLOW" && workflowCompletionRetention !== undefined) {
    throw new ManifestError(
      `${fields.at("workflowCompletionRetention")} has a meaning only on a WORKFLOW handler`,
    );
  }
  if (serviceOptions.ingressPrivate === true && options.ingressPrivate === false) {
    throw new ManifestError(
      `${fields.at("ingressPrivate")} is false, but the service is private; make the service public instead`,
    );
  }
  return {
    name: parseName(fields, HANDLER_NAME),
    ...options,
    ...optional({
      ty,
      input: parseInput(fields),
      output: parseOutput(fields),
      workflowCompletionRetention,
    }),
  };
}

function parseName(fields: JsonObject, alphabet: RegExp): string {
  const name = fields.required("name", fields.string("name"));
  if (!alphabet.test(name)) {
    throw new ManifestError(
      `${fields.at("name")} is ${JSON.stringify(name)}, not of ${alphabet.source}`,
    );
  }
  return name;
}

function parseOptions(fields: JsonObject): ManifestOptions {
  return optional({
    documentation: fields.string("documentation"),
    metadata: fields.strings("metadata"),
    inactivityTimeout: fields.natural("inactivityTimeout"),
    abortTimeout: fields.natural("abortTimeout"),
    journalRetention: fields.natural("journalRetention"),
    idempotencyRetention: fields.natural("idempotencyRetention"),
    enableLazyState: fields.boolean("enableLazyState"),
    ingressPrivate: fields.boolean("ingressPrivate"),
    retryPolicyInitialInterval: fields.natural("retryPolicyInitialInterval"),
    retryPolicyMaxInterval: fields.natural("retryPolicyMaxInterval"),
    retryPolicyExponentiationFactor: fields.number("retryPolicyExponentiationFactor", 0),
    retryPolicyMaxAttempts: fields.natural("retryPolicyMaxAttempts"),
    retryPolicyOnMaxAttempts: fields.oneOf("retryPolicyOnMaxAttempts", ON_MAX_ATTEMPTS),
  });
}

function parseInput(handler: JsonObject): ManifestInput | undefined {
  const json = handler.value("input");
  if (json === undefined) return undefined;
  const fields = new JsonObject(json, handler.at("input"), INPUT_FIELDS);
  const contentType = fields.string("contentType");
  if (contentType !== undefined) requireMediaRange(contentType, fields.at("contentType"));
  return optional({
    required: fields.boolean("required"),
    contentType,
    jsonSchema: fields.value("jsonSchema"),
  });
}

function parseOutput(handler: JsonObject): ManifestOutput | undefined {
  const json = handler.value("output");
  if (json === undefined) return undefined;
  const fields = new JsonObject(json, handler.at("output"), OUTPUT_FIELDS);
  const contentType = fields.string("contentType");
  if (contentType !== undefined && !HEADER_VALUE.test(contentType)) {
    throw new ManifestError(`${fields.at("contentType")} must be a header value in visible ASCII`);
  }
  return optional({
    contentType,
    setContentTypeIfEmpty: fields.boolean("setContentTypeIfEmpty"),
    jsonSchema: fields.value("jsonSchema"),
  });
}

function requireMediaRange(text: string, path: string): void {
  const [, type, subtype] = MEDIA_RANGE.exec(text.trim()) ?? [];
  const valid =
    type !== undefined &&
    subtype !== undefined &&
    (type === "*" ? subtype === "*" : !type.includes("*")) &&
    (subtype === "*" || !subtype.includes("*"));
  if (!valid) throw new ManifestError(`${path} must be */*, type/* or type/subtype`);
}

function requireUniqueNames(named: readonly { readonly name: string }[], path: string): void {
  const seen = new Set<string>();
  for (const [index, { name }] of named.entries()) {
    if (seen.has(name)) throw new ManifestError(`${path}[${index}].name is "${name}" once more`);
    seen.add(name);
  }
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined, so that absent fields stay absent. */
function optional<T extends object>(fields: T): Present<T>;
function optional(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
