/** Judges the head of a response (service protocol 3.2). Pure. */
import { invocationContentType, type ProtocolVersion } from "../../sdk/protocol/version.ts";
import { type Failing, RETRY_DELAY_MS_MAX, networkFailure, violation } from "./failures.ts";
import type { ResponseHead } from "./transport.ts";

/** So much of the body of a refusal is kept: enough for an SDK's JSON message. */
export const EXCERPT_BYTES_MAX = 1024;
const EXCERPT_CHARS_MAX = 300;

/** Why the attempt fails; null for a head with which it goes on. */
export function headProblem(
  head: ResponseHead,
  version: ProtocolVersion,
  nowMs: number,
): Failing | null {
  const { status, contentType } = head;
  if (status < 200 || status > 299) return statusProblem(head, nowMs);
  const expected = invocationContentType(version);
  if (contentType === expected) return null;
  const got = contentType === undefined ? "no content-type" : `content-type "${contentType}"`;
  return violation(
    `the endpoint answered ${status} with ${got} instead of ${expected}; is the address that of a service endpoint?`,
  );
}

function statusProblem({ status, retryAfter }: ResponseHead, nowMs: number): Failing {
  const said = `the endpoint answered ${status}`;
  switch (status) {
    case 413:
      return failed("RT0019", `${said}: the request with the whole journal is too large for it`);
    case 415:
      return {
        ...failed(
          "RT0015",
          `${said}: it refuses the protocol version agreed on; register it again`,
        ),
        countsForSdk: false,
      };
    case 429:
    case 503: {
      const delayMs = retryAfter === undefined ? null : retryAfterDelayMs(retryAfter, nowMs);
      // At once would be a loop: then the policy says when, and how often.
      const retryAfterMs = delayMs === 0 ? null : delayMs;
      return { ...failed("RT0023", `${said}: it limits its load`), retryAfterMs };
    }
    case 502:
    case 504:
      return networkFailure(`${said}: a gateway in between cannot reach the service`);
    case 404:
      return failed("RT0012", `${said}: it does not know the handler, or is mounted elsewhere`);
    case 401:
    case 403:
      return failed("RT0012", `${said}: ${UNTRUSTED}`);
    default:
      return failed("RT0012", said);
  }
}

const UNTRUSTED =
  "it does not accept requests of this server. If it asks for signed requests, start the server with --request-identity-key-file " +
  "and give the endpoint the public key that the server logs (identityKeys)";

function failed(errorCode: string, message: string): Failing {
  const failure = { code: 500, errorCode, message };
  return { failure, retryAfterMs: null, behavior: "retry", countsForSdk: true };
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3); null when it is neither. */
export function retryAfterDelayMs(value: string, nowMs: number): number | null {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, RETRY_DELAY_MS_MAX);
  const atMs = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) return null;
  return Math.min(Math.max(0, atMs - nowMs), RETRY_DELAY_MS_MAX);
}

/** The failure with what the endpoint said besides. */
export function withExcerpt(failing: Failing, body: Uint8Array): Failing {
  const text = excerptOf(body);
  if (text === "") return failing;
  const message = `${failing.failure.message} (it says: ${text})`;
  return { ...failing, failure: { ...failing.failure, message } };
}

/** One line of text out of bytes that may be anything. */
export function excerptOf(body: Uint8Array): string {
  const text = new TextDecoder()
    .decode(body.subarray(0, EXCERPT_BYTES_MAX))
    .replaceAll(/[\p{C}\s]+/gu, " ")
    .trim();
  return text.length > EXCERPT_CHARS_MAX ? `${text.slice(0, EXCERPT_CHARS_MAX)}…` : text;
}

/** The value of `x-restate-server`. Shown to operators and stored; anything else than a short visible name is dropped. */
export function sdkVersionOf(header: string | undefined): string | null {
  return header !== undefined && /^[\x21-\x7e]{1,128}$/.test(header) ? header : null;
}
