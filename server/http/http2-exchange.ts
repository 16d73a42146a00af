/** One stream of HTTP/2 as a request and its answer, of the shape that handlers know. */
import { validateHeaderValue } from "node:http";
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { STALLED_READER_MS } from "./answer.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

export class Http2Request implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly hasBody: boolean;
  readonly #stream: ServerHttp2Stream;

  /** `raw` alternates names and values, pseudo-headers among them. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]) {
    this.#stream = stream;
    this.method = headers[":method"] ?? "";
    this.url = headers[":path"] ?? "";
    this.headers = headers;
    this.rawHeaders = fieldsOf(raw);
    this.hasBody = !stream.endAfterHeaders;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  on(event: "data" | "end" | "close", listener: (chunk: Buffer) => void): unknown {
    if (event !== "end") return this.#stream.on(event, listener);
    // A stream that the client resets ends too, but not with the end of the body.
    return this.#stream.on("end", (chunk: Buffer) => {
      if (!this.#stream.aborted && !this.#stream.closed) listener(chunk);
    });
  }

  /** Without an error where the answer is out: then it only asks the client to stop sending (RFC 9113, 8.1). */
  destroy(): unknown {
    return this.#stream.close(this.#stream.writableFinished ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
  }
}

export class Http2Response implements HttpResponse {
  readonly #stream: ServerHttp2Stream;
  /** The request asks for the head of the answer alone. */
  readonly #isHead: boolean;
  #head: OutgoingHttpHeaders = {};
  #ended = false;

  constructor(stream: ServerHttp2Stream, request: HttpRequest) {
    this.#stream = stream;
    this.#isHead = request.method === "HEAD";
    stream.on("timeout", this.#onStalled);
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get writableEnded(): boolean {
    return this.#ended;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get socket(): ServerHttp2Stream | null {
    return this.destroyed ? null : this.#stream;
  }

  setHeader(name: string, value: string): void {
    this.#set(name, value);
  }

  writeHead(status: number, ...rest: readonly unknown[]): void;
  writeHead(status: number, headers: Record<string, string>): void;
  writeHead(status: number, reasonPhrase: string, headers: Record<string, string>): void;
  writeHead(status: number, first: unknown, second?: unknown): void {
    const headers = second ?? first;
    for (const [name, value] of Object.entries(headers ?? {})) this.#set(name, `${value}`);
    this.#head[":status"] = status;
    // The window of a stream may hold up the smallest answer.
    this.#stream.setTimeout(STALLED_READER_MS);
  }

  writeContinue(): void {
    if (!this.destroyed) this.#stream.additionalHeaders({ ":status": 100 });
  }

  end(body?: Uint8Array | string): void {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    const isEmpty = body === undefined || body.length === 0 || this.#isHead;
    this.#stream.respond(this.#head, { endStream: isEmpty });
    if (!isEmpty) this.#stream.end(body);
  }

  /** Cuts an answer that cannot be had. */
  destroy(): void {
    this.#stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  on(event: "close", listener: () => void): unknown {
    return this.#stream.on(event, listener);
  }

  once(event: "close" | "socket", listener: () => void): unknown {
    return this.#stream.once(event, listener);
  }

  prependOnceListener(event: "finish", listener: () => void): unknown {
    return this.#stream.prependOnceListener(event, listener);
  }

  /** Destroyed, not only closed: on a connection that failed a closed stream would wait for its last frame to be sent. */
  readonly #onStalled = (): void => {
    this.#stream.close(NGHTTP2_CANCEL);
    this.#stream.destroy();
  };

  /** As in HTTP/1.1, a value that cannot be sent is the sender's mistake; HTTP/2 would leave it to the client to find. */
  #set(name: string, value: string): void {
    validateHeaderValue(name, value);
    this.#head[name] = value;
  }
}

/** What is left without the pseudo-headers. A cookie may come in crumbs, which are one header elsewhere (RFC 9113, 8.2.3). */
function fieldsOf(raw: readonly string[]): string[] {
  const fields: string[] = [];
  let cookieAt = -1;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const value = raw[at + 1] ?? "";
    if (name.startsWith(":")) continue;
    if (name === "cookie" && cookieAt >= 0) {
      fields[cookieAt] = `${fields[cookieAt]}; ${value}`;
      continue;
    }
    if (name === "cookie") cookieAt = fields.length + 1;
    fields.push(name, value);
  }
  return fields;
}
