/** Which headers of a request reach the handler, and with it the journal (HTTP API 1.8). */
import type { IncomingHttpHeaders } from "node:http";
import type { Header } from "../../sdk/protocol/messages.ts";
import type { Problem } from "../http/problem.ts";

/** Concern this connection, this server or this request alone. */
const NOT_PASSED: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "host",
  "idempotency-expires",
  "idempotency-key",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Set by the server: a handler may rely on it.
  "x-restate-ingress-path",
]);

/**
 * The policy: whether a header of this name, in lower case, is stored and passed on. `authorization` and `cookie` are, as
 * handlers that check their callers need them.
 */
function isPassed(name: string): boolean {
  return !NOT_PASSED.has(name);
}

/** The empty key is a key. */
export function idempotencyKeyOf(fields: IncomingHttpHeaders): string | null {
  const value = fields["idempotency-key"];
  return typeof value === "string" ? value : null;
}

/** What a header value may hold: visible ASCII, spaces and tabs. */
const FOREIGN = /[^\t\x20-\x7e]/;

/**
 * The headers for the journal, in order, repeated ones included, or why there are none. `raw` alternates names and values;
 * `connection` is the header of that name, which may list more headers that end here.
 */
export function handlerHeaders(
  raw: readonly string[],
  connection: string | undefined,
  url: string,
): Header[] | Problem {
  const named = connectionOptions(connection);
  const headers: Header[] = [];
  let idempotencyKeys = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const key = (raw[at] ?? "").toLowerCase();
    const value = raw[at + 1] ?? "";
    if (FOREIGN.test(value)) return foreign(key);
    if (key === "idempotency-key" && ++idempotencyKeys > 1) return REPEATED_KEY;
    if (isPassed(key) && named?.includes(key) !== true) headers.push({ key, value });
  }
  headers.push({ key: "x-restate-ingress-path", value: url });
  return headers;
}

/** Names in a `connection` header are hop-by-hop (RFC 9110, 7.6.1). The two usual values name no header. */
function connectionOptions(connection: string | undefined): readonly string[] | null {
  if (connection === undefined || connection === "keep-alive" || connection === "close")
    return null;
  return connection.split(",").map((option) => option.trim().toLowerCase());
}

const REPEATED_KEY: Problem = {
  status: 400,
  reason: "repeated-idempotency-key",
  message: "there is more than one idempotency-key; which one is meant?",
};

function foreign(name: string): Problem {
  const message = `the value of the header '${name}' is not visible ASCII; encode it`;
  return { status: 400, reason: "invalid-header", message };
}
