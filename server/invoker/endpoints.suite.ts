/** Endpoints for tests, good and bad, each on a port of its own; and a handler that writes down what an exchange does. */
import type { Server as HttpServer } from "node:http";
import type { Http2Server, ServerHttp2Session } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { makeEndpoint, type HttpEndpoint } from "./endpoint.ts";
import type { ExchangeHandler, ExchangeRequest, ResponseHead } from "./transport.ts";
import { eventually, text } from "./fixtures.suite.ts";

type AnyServer = Server | HttpServer | Http2Server;

/** A server that is listening, and gone with all its connections after `await using`. */
export class Listening implements AsyncDisposable {
  readonly port: number;
  readonly sockets: Set<Socket>;
  readonly #server: AnyServer;

  private constructor(server: AnyServer, port: number, sockets: Set<Socket>) {
    this.#server = server;
    this.port = port;
    this.sockets = sockets;
  }

  static async on(server: AnyServer): Promise<Listening> {
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): void => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    };
    server.on("connection", keep);
    server.on("session", (session: ServerHttp2Session) => session.on("error", () => {}));
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve());
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return new Listening(server, port, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

/** A server that talks TCP only. */
export function rawServer(onSocket: (socket: Socket) => void): Promise<Listening> {
  return Listening.on(createServer(onSocket));
}

/** A port on which nothing listens. */
export async function deadPort(): Promise<number> {
  await using listening = await rawServer(() => {});
  return listening.port;
}

export function endpointAt(
  port: number,
  httpVersion: HttpEndpoint["httpVersion"],
  scheme = "http",
): HttpEndpoint {
  return makeEndpoint(new URL(`${scheme}://127.0.0.1:${port}/`), httpVersion, {});
}

export function exchangeRequest(
  endpoint: HttpEndpoint,
  over: Partial<ExchangeRequest<HttpEndpoint>> = {},
): ExchangeRequest<HttpEndpoint> {
  return {
    endpoint,
    path: "/invoke/Greeter/greet",
    headers: { "content-type": "application/x-test" },
    body: text("opening;"),
    bodyComplete: false,
    ...over,
  };
}

/** Writes down what an exchange does, and checks the order in which it may. */
export class Recorder implements ExchangeHandler {
  readonly heads: ResponseHead[] = [];
  #chunks: Uint8Array[] = [];
  receivedBytes = 0;
  isEnded = false;
  isClosed = false;
  error: string | null = null;
  writable = 0;

  onHead(head: ResponseHead): void {
    this.#mayCome("head");
    this.heads.push(head);
  }

  onData(chunk: Uint8Array): void {
    this.#mayCome("data");
    this.receivedBytes += chunk.length;
    if (this.receivedBytes < 1 << 20) this.#chunks.push(chunk);
  }

  onEnd(): void {
    this.#mayCome("end");
    this.isEnded = true;
  }

  onWritable(): void {
    if (this.isClosed) throw new Error("writable after close");
    this.writable += 1;
  }

  onError(message: string): void {
    this.#mayCome("error");
    this.error = message;
  }

  onClose(): void {
    if (this.isClosed) throw new Error("closed twice");
    this.isClosed = true;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  closed(): Promise<void> {
    return eventually(() => this.isClosed, `the end of the exchange, got ${this.text}`);
  }

  received(expected: string): Promise<void> {
    return eventually(() => this.text === expected, `${expected}, got ${this.text}`);
  }

  #mayCome(what: string): void {
    if (this.isClosed || this.isEnded || this.error !== null)
      throw new Error(`${what} after the end`);
  }
}
