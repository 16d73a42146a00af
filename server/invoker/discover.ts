/** Finds out what a deployment offers, and says what is wrong in words that help (service protocol 2). */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Manifest,
  ManifestError,
  parseManifest,
  ReservedNameError,
} from "../../sdk/protocol/manifest.ts";
import {
  MANIFEST_ACCEPT,
  MAX_PROTOCOL_VERSION,
  MIN_PROTOCOL_VERSION,
  negotiateProtocolVersion,
  parseManifestContentType,
  READ_MANIFEST_VERSIONS,
} from "../../sdk/protocol/version.ts";
import { present, unreachable } from "../base/assert.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Deployment, LambdaOptions } from "../machine/registry.ts";
import {
  type DiscoveryRequest,
  DiscoveryRequestError,
  type DiscoveryResponse,
  requestDiscovery,
} from "./discovery-request.ts";
import { lambdaEndpoint, makeEndpoint, pathOf } from "./endpoint.ts";
import type { LambdaInvoker } from "./lambda-client.ts";
import { requestLambdaDiscovery } from "./lambda-discovery.ts";
import type { RequestIdentity } from "./request-identity.ts";
import { excerptOf, sdkVersionOf } from "./response-head.ts";

export interface DiscoverTarget {
  /** Absolute, `http` or `https`; or an ARN. */
  readonly uri: string;
  readonly useHttp11: boolean;
  readonly additionalHeaders: Readonly<Record<string, string>>;
  /** Given where `uri` is the ARN of a function on AWS Lambda. */
  readonly lambda?: Pick<LambdaOptions, "assumeRoleArn">;
}

export interface DiscoverOptions {
  /** For everything, retries included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 8 MiB: a manifest holds the JSON schemas of all handlers. */
  readonly bodyBytesMax?: number;
  /** Certificates to trust instead of those of the platform, PEM. */
  readonly ca?: string;
  /** Signs requests. Default null: they are not signed. */
  readonly identity?: RequestIdentity | null;
  readonly clock?: Clock;
  /** For functions on AWS Lambda. */
  readonly lambda?: LambdaInvoker;
}

export interface Discovered {
  readonly manifest: Manifest;
  readonly httpVersion: Deployment["httpVersion"];
  readonly sdkVersion: string | null;
}

export type DiscoveryErrorCode =
  | "META0003"
  | "META0005"
  | "META0012"
  | "META0013"
  | "META0014"
  | "META0015";

/** The deployment cannot be registered. The message says what was seen and what to do. */
export class DiscoveryError extends Error {
  override readonly name = "DiscoveryError";
  readonly code: DiscoveryErrorCode;
  /** Of the admin API's answer: the endpoint is at fault, not the request. */
  readonly status = 500;

  constructor(code: DiscoveryErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const TIMEOUT_MS = 10_000;
const BODY_BYTES_MAX = 8 * 1024 * 1024;
/** Five tries within about a second: an endpoint that is just being started is there by then. */
const RETRY_DELAYS_MS = [50, 100, 200, 400];
const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
/** A port that is being opened may accept connections and close them. */
const RETRIED_KINDS: ReadonlySet<DiscoveryRequestError["kind"]> = new Set([
  "unreachable",
  "not-http2",
]);
const PROBE_TIMEOUT_MS = 1000;

export async function discover(
  target: DiscoverTarget,
  options: DiscoverOptions = {},
): Promise<Discovered> {
  const deadlineMs = performance.now() + (options.timeoutMs ?? TIMEOUT_MS);
  const request = requestFor(target, options);
  const { uri } = target;
  for (let tries = 0; ; tries += 1) {
    const timeoutMs = Math.max(1, Math.ceil(deadlineMs - performance.now()));
    const result = await attempt({ ...signed(request, options), timeoutMs }, options);
    const delayMs = RETRY_DELAYS_MS[tries];
    const isLast = delayMs === undefined || performance.now() + delayMs >= deadlineMs;
    if (result instanceof DiscoveryRequestError) {
      if (result.kind === "not-http2") await requireNoHttp1(signed(request, options), options, uri);
      if (isLast || !RETRIED_KINDS.has(result.kind)) throw explain(result, request, uri);
    } else if (isLast || !RETRIED_STATUSES.has(result.status)) {
      return read(result, request, uri);
    }
    await sleep(delayMs);
  }
}

/** A deployment as it is to be registered. */
export function deploymentFrom(
  { manifest, httpVersion, sdkVersion }: Discovered,
  facts: Pick<Deployment, "id" | "uri" | "additionalHeaders" | "metadata" | "createdAtMs">,
  lambda?: Pick<LambdaOptions, "assumeRoleArn">,
): Deployment {
  const { protocolMode, minProtocolVersion, maxProtocolVersion, services } = manifest;
  const compression = manifest.lambdaCompression ?? null;
  return {
    ...facts,
    ...(lambda !== undefined && { lambda: { ...lambda, compression } }),
    protocolMode,
    httpVersion,
    minProtocolVersion,
    maxProtocolVersion,
    sdkVersion,
    services,
    drainingSinceMs: null,
  };
}

function requestFor(target: DiscoverTarget, options: DiscoverOptions): DiscoveryRequest {
  const { uri, useHttp11, additionalHeaders, lambda } = target;
  const httpVersion = useHttp11 ? "HTTP/1.1" : "HTTP/2.0";
  const endpoint = sendable(() =>
    lambda === undefined
      ? makeEndpoint(new URL(uri), httpVersion, additionalHeaders)
      : lambdaEndpoint(uri, { ...lambda, compression: null }, additionalHeaders),
  );
  return {
    endpoint,
    useHttp11,
    headers: { ...endpoint.headers, accept: MANIFEST_ACCEPT },
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    bodyBytesMax: options.bodyBytesMax ?? BODY_BYTES_MAX,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  };
}

/** A token for each try. */
function signed(
  request: DiscoveryRequest,
  { identity = null, clock = systemClock }: DiscoverOptions,
): DiscoveryRequest {
  if (identity === null) return request;
  const headers = { ...request.headers, ...identity.headers("/discover", null, clock.nowMs()) };
  return { ...request, headers };
}

/** Some headers and addresses are refused before anything is sent. */
function sendable<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new DiscoveryError("META0003", `the request cannot be sent: ${message}`);
  }
}

async function attempt(
  { endpoint, ...request }: DiscoveryRequest,
  { lambda }: DiscoverOptions,
): Promise<DiscoveryResponse | DiscoveryRequestError> {
  try {
    if (endpoint.kind === "http") return await requestDiscovery({ ...request, endpoint });
    return await requestLambdaDiscovery({ ...request, endpoint }, present(lambda, "an invoker"));
  } catch (error) {
    if (error instanceof DiscoveryRequestError) return error;
    throw error;
  }
}

/** What is no HTTP/2 is most often an HTTP/1.1 server, which says so when asked in its own language. */
async function requireNoHttp1(
  request: DiscoveryRequest,
  options: DiscoverOptions,
  uri: string,
): Promise<void> {
  const probed = { ...request, useHttp11: true, timeoutMs: PROBE_TIMEOUT_MS };
  const probe = await attempt(probed, options);
  if (probe instanceof DiscoveryRequestError) return;
  const hint = "register it with use_http_11: true, or let it serve HTTP/2";
  throw new DiscoveryError("META0014", `${uri} answers over HTTP/1.1, not HTTP/2; ${hint}`);
}

function explain(
  { kind, message }: DiscoveryRequestError,
  request: DiscoveryRequest,
  uri: string,
): DiscoveryError {
  switch (kind) {
    case "too-large":
      return new DiscoveryError("META0013", `${uri} is no service endpoint: ${message}`);
    case "timeout":
      return new DiscoveryError("META0003", `${uri} does not answer: ${message}`);
    case "unreachable":
      return new DiscoveryError("META0003", `${uri} cannot be reached: ${message}`);
    case "not-http2": {
      const { endpoint } = request;
      const isSecure = endpoint.kind === "lambda" || endpoint.secure;
      const hint = isSecure ? "" : "; if it speaks TLS, use https://";
      return new DiscoveryError("META0003", `${uri} does not speak HTTP: ${message}${hint}`);
    }
    default:
      return unreachable(kind);
  }
}

function read(response: DiscoveryResponse, request: DiscoveryRequest, uri: string): Discovered {
  requireManifest(response, request, uri);
  const manifest = manifestOf(response, uri);
  const { minProtocolVersion: min, maxProtocolVersion: max } = manifest;
  if (negotiateProtocolVersion(min, max, MAX_PROTOCOL_VERSION) === undefined) {
    const ours = `this server speaks ${MIN_PROTOCOL_VERSION} to ${MAX_PROTOCOL_VERSION}`;
    const hint = max < MIN_PROTOCOL_VERSION ? "use a newer SDK" : "use a newer server";
    throw new DiscoveryError(
      "META0012",
      `${uri} offers service protocol versions ${min} to ${max}, ${ours}; ${hint}`,
    );
  }
  const isLambda = request.endpoint.kind === "lambda";
  if (
    manifest.protocolMode === "BIDI_STREAM" &&
    (isLambda || response.httpVersion === "HTTP/1.0")
  ) {
    const way = isLambda ? "is behind AWS Lambda" : "answers over HTTP/1.0";
    throw new DiscoveryError(
      "META0015",
      `${uri} declares BIDI_STREAM but ${way}, which cannot stream both ways; let it declare REQUEST_RESPONSE`,
    );
  }
  return {
    manifest,
    httpVersion: response.httpVersion === "HTTP/2.0" ? "HTTP/2.0" : "HTTP/1.1",
    sdkVersion: sdkVersionOf(response.sdk),
  };
}

function requireManifest(
  response: DiscoveryResponse,
  request: DiscoveryRequest,
  uri: string,
): void {
  const { status, contentType, location, body } = response;
  const path = pathOf(request.endpoint, "/discover");
  const excerpt = excerptOf(body);
  const said = `${uri} answered ${status} to GET ${path}${excerpt === "" ? "" : ` (it says: ${excerpt})`}`;
  if (status >= 300 && status < 400) {
    const to = location === undefined ? "" : ` to ${excerptOf(Buffer.from(location))}`;
    throw new DiscoveryError("META0003", `${said}: a redirect${to}; register the final address`);
  }
  if (status === 404) {
    const hint = "check the path of the address: the endpoint may be mounted elsewhere";
    throw new DiscoveryError("META0003", `${said}; ${hint}`);
  }
  if (status === 401 || status === 403) {
    const hint =
      "it asks for credentials, or for requests signed with another key; add the headers it needs, or give it the public key of this server";
    throw new DiscoveryError("META0003", `${said}; ${hint}`);
  }
  if (status === 415) {
    const spoken = READ_MANIFEST_VERSIONS.join(", ");
    throw new DiscoveryError("META0003", `${said}; this server reads manifest versions ${spoken}`);
  }
  if (status !== 200) throw new DiscoveryError("META0003", said);
  if (parseManifestContentType(contentType) === undefined) {
    const got = contentType === undefined ? "no content-type" : `content-type "${contentType}"`;
    throw new DiscoveryError(
      "META0013",
      `${said}, with ${got} instead of one of ${MANIFEST_ACCEPT}; is it a service endpoint?`,
    );
  }
}

function manifestOf({ body }: DiscoveryResponse, uri: string): Manifest {
  try {
    return parseManifest(JSON.parse(body.toString("utf8")));
  } catch (error) {
    if (error instanceof ReservedNameError) throw new DiscoveryError("META0005", error.message);
    if (error instanceof ManifestError || error instanceof SyntaxError) {
      throw new DiscoveryError("META0013", `the manifest of ${uri} is not valid: ${error.message}`);
    }
    throw error;
  }
}
