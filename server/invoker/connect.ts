/** Connections to endpoints: options that both HTTP versions share, and what went wrong in words. */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { lookup } from "node:dns";
import type { HttpEndpoint } from "./endpoint.ts";
import { isForbiddenAddress } from "./target-address.ts";

export interface ConnectOptions {
  /** Certificates to trust instead of those of the platform, PEM. */
  readonly ca?: string;
  /** Default 10 s, to be ready for requests. */
  readonly connectTimeoutMs?: number;
}

export const CONNECT_TIMEOUT_MS = 10_000;

/** Refuses names that lead to a metadata service, whatever they led to when the deployment was registered. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const forbidden = addresses?.find(({ address }) => isForbiddenAddress(address));
    const [first] = addresses ?? [];
    if (error !== null) {
      callback(error, "", 0);
    } else if (forbidden !== undefined || first === undefined) {
      const what =
        forbidden === undefined ? "no address" : `${forbidden.address}, which is not allowed`;
      callback(new Error(`${hostname} leads to ${what}`), "", 0);
    } else if (options.all === true) {
      callback(null, addresses);
    } else {
      callback(null, first.address, first.family);
    }
  });
};

/** A socket to the endpoint, not connected yet; over TLS it offers these protocols. */
export function dial(endpoint: HttpEndpoint, protocols: string[], options: ConnectOptions): Socket {
  const { host, port, secure } = endpoint;
  const target = { host, port, noDelay: true, keepAlive: true, lookup: guardedLookup };
  if (!secure) return connectTcp(target);
  return connectTls({
    ...target,
    ALPNProtocols: protocols,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
}

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there; is the service running?",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed while writing",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name cannot be resolved now",
  ETIMEDOUT: "no answer to the connection attempt",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  UND_ERR_CONNECT_TIMEOUT: "no answer to the connection attempt",
  UND_ERR_SOCKET: "the connection was closed",
  ERR_HTTP2_ERROR: "what came back is not HTTP/2",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed and not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate chain is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
};

export function errorCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  if (typeof error.code === "string") return error.code;
  return undefined;
}

/** The error in a sentence for operators. */
export function describeError(error: unknown): string {
  // Several addresses were tried: the last one stands for all.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return describeError(error.errors.at(-1));
  }
  if (!(error instanceof Error)) return String(error);
  const code = errorCodeOf(error);
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning !== undefined) return `${meaning} (${error.message})`;
  return error.message === "" ? (code ?? error.name) : error.message;
}
