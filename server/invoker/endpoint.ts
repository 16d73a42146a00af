/** Where and how a deployment is reached: its address taken apart once, not for every attempt. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Deployment, LambdaOptions } from "../machine/registry.ts";
import type { LambdaTarget } from "./lambda-client.ts";
import { parseLambdaArn } from "../base/lambda-function.ts";

export type Endpoint = HttpEndpoint | LambdaEndpoint;

export interface LambdaEndpoint {
  readonly kind: "lambda";
  readonly target: LambdaTarget;
  /** The headers the operator asked for. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpEndpoint {
  readonly kind: "http";
  /** Scheme, host and port: connections are shared by origin. */
  readonly origin: string;
  readonly secure: boolean;
  /** Without the brackets of an IPv6 literal. */
  readonly host: string;
  readonly port: number;
  /** What the request names as its host. */
  readonly authority: string;
  readonly httpVersion: Deployment["httpVersion"];
  /** Without a slash at the end. */
  readonly pathPrefix: string;
  /** Empty, or begins with `?`. */
  readonly query: string;
  /** The headers the operator asked for, as far as they are the operator's to set. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Framing and connections are the transport's; HTTP/2 forbids most of these (RFC 9113, 8.2.2). */
const TRANSPORT_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const endpoints = new WeakMap<Deployment, Endpoint>();

/** The endpoint of a registered deployment. */
export function endpointOf(deployment: Deployment): Endpoint {
  const known = endpoints.get(deployment);
  if (known !== undefined) return known;
  const { uri, httpVersion, additionalHeaders, lambda } = deployment;
  const endpoint =
    lambda === undefined
      ? makeEndpoint(new URL(uri), httpVersion, additionalHeaders)
      : lambdaEndpoint(uri, lambda, additionalHeaders);
  endpoints.set(deployment, endpoint);
  return endpoint;
}

/** Throws when a header cannot be sent; the error names the header and not its value. */
export function makeEndpoint(
  url: URL,
  httpVersion: Deployment["httpVersion"],
  additionalHeaders: Readonly<Record<string, string>>,
): HttpEndpoint {
  const secure = url.protocol === "https:";
  const headers: Record<string, string> = {};
  let authority = url.host;
  for (const [name, value] of Object.entries(additionalHeaders)) {
    const lower = name.toLowerCase();
    validateHeaderName(lower);
    validateHeaderValue(lower, value);
    if (lower === "host") authority = value;
    if (!TRANSPORT_HEADERS.has(lower)) headers[lower] = value;
  }
  return {
    kind: "http",
    origin: url.origin,
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    authority,
    httpVersion,
    pathPrefix: url.pathname.replace(/\/+$/, ""),
    query: url.search,
    headers,
  };
}

/** Throws for what is no qualified ARN. */
export function lambdaEndpoint(
  arn: string,
  { assumeRoleArn, compression }: LambdaOptions,
  headers: Readonly<Record<string, string>>,
): LambdaEndpoint {
  const parsed = parseLambdaArn(arn);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return { kind: "lambda", target: { ...parsed, assumeRoleArn, compression }, headers };
}

/** `path` begins with a slash. */
export function pathOf(endpoint: Endpoint, path: string): string {
  if (endpoint.kind === "lambda") return path;
  return endpoint.pathPrefix + path + endpoint.query;
}
