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
  const sink = new Http2Sink(stream);
  const invocation = new Invocation({ handler, version, sink, attemptHeaders });
  const onGone = (): void => invocation.onAborted();
  // Before the body: the server may wait for the head before it sends anything.
  stream.respond({
    ":status": 200,
    "content-type": invocationContentType(version),
    "x-restate-server": SERVER_NAME,
  });
  stream.on("data", (chunk: Uint8Array) => invocation.onData(chunk));
  stream.on("end", () => invocation.onInputClosed());
  stream.on("drain", () => invocation.onDrained());
  // A stream that was reset also ends; by then nobody is left to write to.
  stream.on("aborted", onGone);
  stream.on("close", onGone);
}

class Http2Sink implements Sink {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#stream.end();
    else this.#stream.end(bytes);
  }
}

function ignore(): void {}
