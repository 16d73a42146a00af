/** Where and how a deployment is reached: its address taken apart once, not for every attempt. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Deployment } from "../machine/registry.ts";

export interface Endpoint {
  /** Scheme, host and port: connections are shared by origin. */
  readonly origin: string;
  readonly secure: boolean;
  /** Without the brackets of an IPv6 literal. */
  readonly host: string;
  readonly port: number;
  /** What the request names as its host. */
  readonly authority: string;
  readonly httpVersion: "HTTP/1.1" | "HTTP/2.0";
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
  const { uri, httpVersion, additionalHeaders } = deployment;
  const endpoint = makeEndpoint(new URL(uri), httpVersion, additionalHeaders);
  endpoints.set(deployment, endpoint);
  return endpoint;
}

/** Throws when a header cannot be sent; the error names the header and not its value. */
export function makeEndpoint(
  url: URL,
  httpVersion: Endpoint["httpVersion"],
  additionalHeaders: Readonly<Record<string, string>>,
): Endpoint {
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

/** `path` begins with a slash. */
export function pathOf(endpoint: Endpoint, path: string): string {
  return endpoint.pathPrefix + path + endpoint.query;
}
