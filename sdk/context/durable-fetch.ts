/** `ctx.fetch`: a request as a step, its answer recorded. */
import { base64ToBytes, bytesToBase64 } from "./base64.ts";
import { trust } from "../define/any.ts";
import type { Context, RestatePromise, RunOptions, RunStep } from "../define/context.ts";
import { RetryableError } from "../define/errors.ts";
import type { FetchOptions } from "../define/fetch.ts";
import type { Serde } from "../define/serde.ts";

/** The part of a context that it needs. */
type Runs = Pick<Context, "run">;

export function durableFetch(
  context: Runs,
  input: string | URL | Request,
  init: RequestInit | undefined,
  { name, retryOn = isTransient, fetch = globalThis.fetch, ...options }: FetchOptions,
): RestatePromise<Response> {
  const method = (init?.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
  const action = async (step: RunStep): Promise<Recorded> => {
    const response = await fetch(request(input, init, method, step));
    if (!retryOn(response.status)) return record(response);
    await response.body?.cancel();
    throw refused(response);
  };
  const runOptions: RunOptions<Recorded> = { ...options, serde: RECORDED };
  return context.run(name ?? `${method} ${placeOf(input)}`, action, runOptions).map(toResponse);
}

/** Their repetition changes nothing anyway (RFC 9110, 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

function request(
  input: string | URL | Request,
  init: RequestInit | undefined,
  method: string,
  { idempotencyKey, signal }: RunStep,
): Request {
  // A request is used up with its body; the next execution needs it again.
  const original = input instanceof Request ? input.clone() : input;
  const asked = new Request(original, init);
  const signals = [asked.signal, signal];
  const all = new Request(asked, { signal: AbortSignal.any(signals) });
  if (!SAFE.has(method) && !all.headers.has("idempotency-key")) {
    all.headers.set("idempotency-key", idempotencyKey);
  }
  return all;
}

function placeOf(input: string | URL | Request): string {
  const { origin, pathname } = new URL(input instanceof Request ? input.url : input);
  return origin + pathname;
}

const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

function isTransient(status: number): boolean {
  return TRANSIENT.has(status);
}

function refused({ status, url, headers }: Response): RetryableError {
  const retryAfter = retryAfterMs(headers.get("retry-after"));
  return new RetryableError(`${url} answered ${status}`, {
    errorCode: status,
    ...(retryAfter !== undefined && { retryAfter }),
  });
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

/** An answer as it stands in the journal. */
interface Recorded {
  readonly status: number;
  readonly statusText?: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string;
  /** Instead of `body` where the bytes are no UTF-8. */
  readonly bodyBase64?: string;
}

async function record(response: Response): Promise<Recorded> {
  const { status, statusText } = response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  return {
    status,
    ...(statusText !== "" && { statusText }),
    headers: [...response.headers].filter(([name]) => !OF_THE_TRANSFER.has(name)),
    ...bodyFields(bytes),
  };
}

/** The body is recorded decoded and whole. */
const OF_THE_TRANSFER: ReadonlySet<string> = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "keep-alive",
  "transfer-encoding",
]);

function bodyFields(bytes: Uint8Array): Pick<Recorded, "body" | "bodyBase64"> {
  if (bytes.length === 0) return {};
  try {
    return { body: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { bodyBase64: bytesToBase64(bytes) };
  }
}

function toResponse(recorded?: Recorded, failure?: Error): Response {
  if (recorded === undefined) throw failure ?? new Error("a step without a result");
  const { status, statusText = "", headers, body, bodyBase64 } = recorded;
  const content = bodyBase64 === undefined ? (body ?? null) : base64ToBytes(bodyBase64);
  const init = {
    status,
    statusText,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
  };
  return new Response(content, init);
}

/** JSON whatever the serde of the service is. */
const RECORDED: Serde<Recorded> = {
  contentType: "application/json",
  serialize: (recorded) => new TextEncoder().encode(JSON.stringify(recorded)),
  deserialize: (bytes) => trust(JSON.parse(new TextDecoder().decode(bytes))),
};
