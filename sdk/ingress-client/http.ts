/** Requests to the ingress: headers, limits in time, errors. */
import type { ConnectionOpts } from "./api.ts";
import { type RetryOptions, retrying } from "./retry.ts";

/** The server answered with a status that is not a success; a terminal error of a handler comes as its code. */
export class HttpCallError extends Error {
  override name = "HttpCallError";
  readonly status: number;
  /** JSON of the server with `code` and `message`, unless something between answered. */
  readonly responseText: string;

  constructor(status: number, responseText: string, message: string) {
    super(message);
    this.status = status;
    this.responseText = responseText;
  }
}

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** In milliseconds. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface PostOptions extends GetOptions {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  readonly idempotencyKey?: string;
  /** To be carried out twice does no harm. Default: with an idempotency key. */
  readonly isRepeatable?: boolean;
}

export class IngressHttp {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof globalThis.fetch;
  readonly #retry: RetryOptions;

  constructor({ url, headers = {}, fetch = globalThis.fetch, retry = {} }: ConnectionOpts) {
    this.#retry = retry === false ? { maxAttempts: 1 } : retry;
    this.#base = url.replace(/\/+$/, "");
    this.#headers = headers;
    // Called without a receiver: browsers refuse their fetch with a foreign one.
    this.#fetch = (...args) => fetch(...args);
  }

  /** The body of the answer. Rejects with `HttpCallError`, or with what `fetch` rejects with. */
  async post(path: string, options: PostOptions): Promise<Uint8Array> {
    const { body, contentType, idempotencyKey, headers } = options;
    const { isRepeatable = idempotencyKey !== undefined } = options;
    const init: RequestInit = {
      method: "POST",
      // A copy: what the caller passed may be a view of shared memory, which fetch refuses.
      body: new Uint8Array(body),
      headers: {
        ...this.#headers,
        ...headers,
        ...(contentType !== undefined && { "content-type": contentType }),
        ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
      },
      ...ending(options),
    };
    return bodyOf(await this.#request(path, init, isRepeatable));
  }

  async get(path: string, options: GetOptions): Promise<Uint8Array> {
    return bodyOf(await this.fetch(path, options));
  }

  /** The answer, its body not read yet. Rejects like `post`. */
  fetch(path: string, options: GetOptions): Promise<Response> {
    const headers = { ...this.#headers, ...options.headers };
    return this.#request(path, { method: "GET", headers, ...ending(options) }, true);
  }

  async #request(path: string, init: RequestInit, isRepeatable: boolean): Promise<Response> {
    const send = () => this.#fetch(this.#base + path, init);
    const response = await retrying(send, isRepeatable, this.#retry, init.signal ?? undefined);
    if (response.ok) return response;
    const text = await response.text();
    throw new HttpCallError(response.status, text, `Request failed: ${response.status}\n${text}`);
  }
}

export async function bodyOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

function ending({ timeout, signal }: GetOptions): { signal?: AbortSignal } {
  if (timeout !== undefined && signal !== undefined) {
    throw new TypeError("either timeout or signal, not both");
  }
  const ends = timeout === undefined ? signal : AbortSignal.timeout(timeout);
  return ends === undefined ? {} : { signal: ends };
}
