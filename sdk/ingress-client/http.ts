/** Requests to the ingress: headers, limits in time, errors. */
import type { ConnectionOpts } from "./api.ts";

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
}

export class IngressHttp {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ url, headers = {}, fetch = globalThis.fetch }: ConnectionOpts) {
    this.#base = url.replace(/\/+$/, "");
    this.#headers = headers;
    // Called without a receiver: browsers refuse their fetch with a foreign one.
    this.#fetch = (...args) => fetch(...args);
  }

  /** The body of the answer. Rejects with `HttpCallError`, or with what `fetch` rejects with. */
  async post(path: string, options: PostOptions): Promise<Uint8Array> {
    const { body, contentType, idempotencyKey, headers } = options;
    const response = await this.#request(path, {
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
    });
    return bodyOf(response);
  }

  async get(path: string, options: GetOptions): Promise<Uint8Array> {
    return bodyOf(await this.fetch(path, options));
  }

  /** The answer, its body not read yet. Rejects like `post`. */
  fetch(path: string, options: GetOptions): Promise<Response> {
    const headers = { ...this.#headers, ...options.headers };
    return this.#request(path, { method: "GET", headers, ...ending(options) });
  }

  async #request(path: string, init: RequestInit): Promise<Response> {
    const response = await this.#fetch(this.#base + path, init);
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
