/**
 * A request and its answer as handlers see them, whichever version of HTTP carries them. The objects of `node:http` are of this
 * shape as they are; those of HTTP/2 are made in `http2-exchange.ts`.
 */
import type { IncomingHttpHeaders } from "node:http";

export interface HttpRequest {
  readonly method?: string | undefined;
  /** The request target as it came. */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly destroyed: boolean;
  /** Set where the protocol says by itself whether a body follows the head; otherwise the headers do. */
  readonly hasBody?: boolean;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  destroy(): unknown;
}

export interface HttpResponse {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
  /** Null when the connection is gone, and while it carries the answer to an earlier request. */
  readonly socket: { setTimeout(timeoutMs: number): unknown } | null;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: Record<string, string>): unknown;
  writeHead(status: number, reasonPhrase: string, headers: Record<string, string>): unknown;
  writeContinue(): void;
  end(body?: Uint8Array | string): unknown;
  destroy(): unknown;
  on(event: "close", listener: () => void): unknown;
  once(event: "close" | "socket", listener: () => void): unknown;
  prependOnceListener(event: "finish", listener: () => void): unknown;
}
