/** Invocations and answers on requests of `node:http`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Sink } from "../context/host.ts";
import { trust } from "../define/any.ts";
import { invocationContentType } from "../protocol/version.ts";
import { Invocation } from "./invoke.ts";
import { type Answer, problem, type Routed, SERVER_NAME } from "./router.ts";

/** @param bidirectional whether to answer while the request is still coming in */
export function respondHttp1(
  request: IncomingMessage,
  response: ServerResponse,
  routed: Routed,
  bidirectional: boolean,
): void {
  // A connection that breaks is no error of the endpoint; "close" follows.
  request.on("error", ignore);
  response.on("error", ignore);
  if (routed.kind === "invoke") return invoke(request, response, routed, bidirectional);
  request.resume();
  answer(response, routed);
}

function answer(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, { "content-type": contentType, "x-restate-server": SERVER_NAME });
  response.end(body);
}

/** The body when a framework has read it: `rawBody` of cloud functions, `body` of parsers for bytes. */
function readBody(request: IncomingMessage): Uint8Array | undefined {
  if (!request.readableEnded) return undefined;
  const { rawBody, body }: { readonly rawBody?: unknown; readonly body?: unknown } = trust(request);
  return [rawBody, body].find((bytes) => bytes instanceof Uint8Array);
}

function invoke(
  request: IncomingMessage,
  response: ServerResponse,
  { handler, version }: Routed & { kind: "invoke" },
  bidirectional: boolean,
): void {
  const whole = readBody(request);
  if (whole === undefined && request.readableEnded) {
    return answer(response, problem(500, "something before this endpoint has read the request"));
  }
  const sink = new Http1Sink(response);
  const attemptHeaders = request.headers;
  const invocation = new Invocation({ handler, version, sink, attemptHeaders });
  const begin = (): void => {
    response.writeHead(200, {
      "content-type": invocationContentType(version),
      "x-restate-server": SERVER_NAME,
    });
    response.flushHeaders();
  };
  response.on("drain", () => invocation.onDrained());
  response.on("close", () => invocation.onAborted());
  if (whole !== undefined) {
    begin();
    invocation.onData(whole);
    invocation.onInputClosed();
    return;
  }
  if (bidirectional) {
    begin();
    request.on("data", (chunk: Uint8Array) => invocation.onData(chunk));
    request.on("end", () => invocation.onInputClosed());
    return;
  }
  // Clients and proxies of HTTP/1.1 give a connection up when the answer overtakes the request.
  const chunks: Uint8Array[] = [];
  request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  request.on("end", () => {
    begin();
    for (const chunk of chunks) invocation.onData(chunk);
    invocation.onInputClosed();
  });
}

class Http1Sink implements Sink {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(bytes: Uint8Array): boolean {
    return this.#response.write(bytes);
  }

  end(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#response.end();
    else this.#response.end(bytes);
  }
}

function ignore(): void {}
