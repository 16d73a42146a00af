/** Invocations and answers on streams of `node:http2`. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Sink } from "../context/host.ts";
import { invocationContentType } from "../protocol/version.ts";
import { Invocation } from "./invoke.ts";
import { type Routed, SERVER_NAME } from "./router.ts";

export function respondHttp2(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  routed: Routed,
): void {
  // A stream that breaks is no error of the endpoint; "close" follows.
  stream.on("error", ignore);
  if (stream.destroyed) return;
  if (routed.kind === "invoke") return invoke(stream, headers, routed);
  stream.respond({
    ":status": routed.status,
    "content-type": routed.contentType,
    "x-restate-server": SERVER_NAME,
  });
  stream.resume();
  stream.end(routed.body);
}

function invoke(
  stream: ServerHttp2Stream,
  attemptHeaders: IncomingHttpHeaders,
  { handler, version }: Routed & { kind: "invoke" },
): void {
  const exchange = new Http2Exchange(stream);
  exchange.invocation = new Invocation({ handler, version, sink: exchange, attemptHeaders });
  // Before the body: the server may wait for the head before it sends anything.
  stream.respond({
    ":status": 200,
    "content-type": invocationContentType(version),
    "x-restate-server": SERVER_NAME,
  });
  const onGone = (): void => exchange.onGone();
  stream.on("data", (chunk: Uint8Array) => exchange.invocation?.onData(chunk));
  stream.on("end", () => exchange.invocation?.onInputClosed());
  stream.on("drain", () => exchange.invocation?.onDrained());
  // A stream that was reset also ends; by then nobody is left to write to.
  stream.on("aborted", onGone);
  stream.on("close", onGone);
}

/**
 * Ties an invocation to its stream, no longer than needed: a stream outlives its end by a full garbage collection, because
 * native code refers to it, and what it holds on to would be moved around all that time. (Measured: a fifth of the cost of
 * an echo.)
 */
class Http2Exchange implements Sink {
  readonly #stream: ServerHttp2Stream;
  invocation: Invocation | undefined;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(bytes: Uint8Array | undefined): void {
    this.invocation = undefined;
    if (bytes === undefined) this.#stream.end();
    else this.#stream.end(bytes);
  }

  onGone(): void {
    this.invocation?.onAborted();
    this.invocation = undefined;
  }
}

function ignore(): void {}
