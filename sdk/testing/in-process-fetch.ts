/** `fetch` onto the real ingress, without a socket: for the client of `@holdfast/sdk/client`. */
import type { HttpRequest, HttpResponse } from "../../server/http/exchange.ts";

type Handle = (request: HttpRequest, response: HttpResponse) => void;

export interface FetchOptions {
  readonly handle: Handle;
  /** A request waits from now on; returns how it ends. */
  readonly wait: () => () => void;
  /** Runs later, in the order of the environment. */
  readonly soon: (happen: () => void) => void;
}

/** Statuses whose responses have no body (Fetch, section 2.2.3). */
const BODILESS = new Set([204, 205, 304]);

export class InProcessFetch {
  readonly #options: FetchOptions;
  readonly #open = new Set<InProcessExchange>();

  constructor(options: FetchOptions) {
    this.#options = options;
  }

  readonly fetch: typeof globalThis.fetch = (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    const { handle, soon, wait } = this.#options;
    return new Promise<Response>((resolve, reject) => {
      if (init.signal?.aborted === true) return reject(abortReason(init.signal));
      const answered = wait();
      const exchange = new InProcessExchange(url, init, (result) => {
        this.#open.delete(exchange);
        answered();
        if (result instanceof Response) resolve(result);
        else reject(result);
      });
      this.#open.add(exchange);
      init.signal?.addEventListener("abort", () => exchange.fail(abortReason(init.signal)));
      return soon(() => exchange.hand(handle));
    });
  };

  /** Ends every request that waits. */
  fail(error: Error): void {
    for (const exchange of this.#open) exchange.fail(error);
  }
}

function abortReason(signal: AbortSignal | null | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException("aborted", "AbortError");
}

class InProcessExchange implements HttpResponse {
  readonly #url: URL;
  readonly #method: string;
  readonly #headers: readonly (readonly [string, string])[];
  readonly #body: Buffer;
  readonly #done: (result: Response | Error) => void;
  readonly #onClose: (() => void)[] = [];
  readonly #responseHeaders = new Headers();
  #status = 0;
  #isOver = false;
  readonly socket = null;

  constructor(url: string, init: RequestInit, done: (result: Response | Error) => void) {
    this.#url = new URL(url);
    this.#method = init.method ?? "GET";
    this.#headers = [...new Headers(init.headers)];
    this.#body = init.body instanceof Uint8Array ? Buffer.from(init.body) : Buffer.alloc(0);
    this.#done = done;
  }

  hand(handle: Handle): void {
    if (this.#isOver) return;
    const onData: ((chunk: Buffer) => void)[] = [];
    const onEnd: (() => void)[] = [];
    const hasBody = this.#body.length > 0;
    const request: HttpRequest = {
      method: this.#method,
      url: this.#url.pathname + this.#url.search,
      headers: Object.fromEntries(this.#headers),
      rawHeaders: this.#headers.flat(),
      destroyed: false,
      hasBody,
      on(event: "data" | "end" | "close", listener: (chunk: Buffer) => void) {
        if (event === "data") onData.push(listener);
        else if (event === "end") onEnd.push(() => listener(Buffer.alloc(0)));
      },
      destroy() {},
    };
    handle(request, this);
    if (hasBody) for (const listener of onData) listener(this.#body);
    for (const listener of onEnd) listener();
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#end(error);
  }

  get headersSent(): boolean {
    return this.#status !== 0;
  }

  get writableEnded(): boolean {
    return this.#isOver;
  }

  get destroyed(): boolean {
    return this.#isOver;
  }

  setHeader(name: string, value: string): void {
    this.#responseHeaders.set(name, value);
  }

  writeHead(status: number, ...rest: readonly (string | Record<string, string>)[]): void {
    this.#status = status;
    const headers = rest.find((each) => typeof each !== "string") ?? {};
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
  }

  writeContinue(): void {}

  end(body: Uint8Array | string = ""): void {
    if (this.#isOver) return;
    const status = this.#status;
    const content = BODILESS.has(status) ? null : Buffer.from(body);
    this.#end(new Response(content, { status, headers: this.#responseHeaders }));
  }

  destroy(): void {
    this.fail(new TypeError("the ingress closed the connection"));
  }

  on(event: "close", listener: () => void): void {
    if (event === "close") this.#onClose.push(listener);
  }

  once(event: "close" | "socket", listener: () => void): void {
    if (event === "close") this.#onClose.push(listener);
  }

  prependOnceListener(): void {}

  #end(result: Response | Error): void {
    this.#isOver = true;
    this.#done(result);
    if (result instanceof Error) for (const listener of this.#onClose) listener();
  }
}
