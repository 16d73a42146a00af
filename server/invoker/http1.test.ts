import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { describe, it } from "node:test";
import type { ConnectOptions } from "./connect.ts";
import {
  deadPort,
  endpointAt,
  exchangeRequest,
  Listening,
  rawServer,
  Recorder,
} from "./endpoints.suite.ts";
import { selfSigned } from "../test/self-signed.ts";
import { eventually, text } from "./fixtures.suite.ts";
import { Http1Transport } from "./http1.ts";
import type { HttpEndpoint } from "./endpoint.ts";
import type { Exchange, ExchangeRequest } from "./transport.ts";

class Client implements Disposable {
  readonly transport: Http1Transport;
  readonly #port: number;
  readonly #scheme: string;

  constructor(port: number, options: ConnectOptions = {}, scheme = "http") {
    this.transport = new Http1Transport(options);
    this.#port = port;
    this.#scheme = scheme;
  }

  open(over: Partial<ExchangeRequest<HttpEndpoint>> = {}): {
    recorder: Recorder;
    exchange: Exchange;
  } {
    const recorder = new Recorder();
    const endpoint = endpointAt(this.#port, "HTTP/1.1", this.#scheme);
    return { recorder, exchange: this.transport.open(exchangeRequest(endpoint, over), recorder) };
  }

  [Symbol.dispose](): void {
    this.transport.close();
  }
}

function httpServer(
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Listening> {
  return Listening.on(
    createServer((request, response) => {
      request.on("error", () => {});
      response.on("error", () => {});
      serve(request, response);
    }),
  );
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "application/x-test",
    "retry-after": "9",
    "x-restate-server": "sdk/1",
  });
  response.flushHeaders();
  request.pipe(response);
}

describe("an exchange over HTTP/1.1", () => {
  it("streams both ways in chunks", async () => {
    let seen: IncomingMessage["headers"] = {};
    await using server = await httpServer((request, response) => {
      seen = request.headers;
      assert.equal(request.url, "/invoke/Greeter/greet");
      assert.equal(request.method, "POST");
      echo(request, response);
    });
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    await recorder.received("opening;");
    assert.deepEqual(recorder.heads, [
      { status: 200, contentType: "application/x-test", retryAfter: "9", server: "sdk/1" },
    ]);
    assert.equal(seen["transfer-encoding"], "chunked");
    assert.equal(seen["content-type"], "application/x-test");
    assert.equal(seen.host, `127.0.0.1:${server.port}`);
    exchange.write(text("more;"));
    await recorder.received("opening;more;");
    exchange.end();
    await recorder.closed();
    assert.deepEqual([recorder.isEnded, recorder.error], [true, null]);
  });

  it("sends a complete request with its length, and keeps the connection", async () => {
    const lengths: (string | undefined)[] = [];
    await using server = await httpServer((request, response) => {
      lengths.push(request.headers["content-length"]);
      echo(request, response);
    });
    using client = new Client(server.port);
    for (let count = 0; count < 3; count += 1) {
      const { recorder, exchange } = client.open({ bodyComplete: true });
      assert.equal(exchange.write(text("late")), false);
      await recorder.closed();
      assert.deepEqual([recorder.text, recorder.error], ["opening;", null]);
    }
    assert.deepEqual([lengths, server.sockets.size], [["8", "8", "8"], 1]);
  });

  it("keeps the connection after both halves ended", async () => {
    await using server = await httpServer(echo);
    using client = new Client(server.port);
    for (let count = 0; count < 3; count += 1) {
      const { recorder, exchange } = client.open();
      await recorder.received("opening;");
      exchange.end();
      await recorder.closed();
      assert.equal(recorder.error, null);
    }
    assert.equal(server.sockets.size, 1);
  });

  it("uses a connection for each exchange at a time", async () => {
    await using server = await httpServer(echo);
    using client = new Client(server.port);
    const open = Array.from({ length: 5 }, () => client.open());
    await Promise.all(open.map(({ recorder }) => recorder.received("opening;")));
    assert.equal(server.sockets.size, 5);
  });

  for (const bodyComplete of [false, true]) {
    const kind = bodyComplete ? "complete" : "streaming";

    it(`breaks the connection when it is reset, ${kind}`, async () => {
      let isClosed = false;
      await using server = await httpServer((request, response) => {
        request.resume();
        response.on("close", () => (isClosed = true));
        response.writeHead(200);
        response.write("x");
      });
      using client = new Client(server.port);
      const { recorder, exchange } = client.open({ bodyComplete });
      await recorder.received("x");
      exchange.reset();
      exchange.reset();
      await recorder.closed();
      assert.deepEqual([recorder.error, recorder.isEnded], [null, false]);
      await eventually(() => isClosed, "the connection to break");
    });

    it(`is never sent when it is reset before there is a connection, ${kind}`, async () => {
      let requests = 0;
      await using server = await httpServer((request, response) => {
        requests += 1;
        echo(request, response);
      });
      using client = new Client(server.port);
      const { recorder, exchange } = client.open({ bodyComplete });
      exchange.reset();
      await recorder.closed();
      const next = client.open({ bodyComplete: true });
      await next.recorder.closed();
      assert.deepEqual([recorder.error, recorder.heads, requests], [null, [], 1]);
    });
  }

  it("ends with a response that came before the request was complete", async () => {
    await using server = await httpServer((_request, response) => {
      response.writeHead(404, { "content-type": "application/json" });
      response.end("nope");
    });
    using client = new Client(server.port);
    const { recorder } = client.open();
    await recorder.closed();
    assert.deepEqual([recorder.heads[0]?.status, recorder.text], [404, "nope"]);
    assert.deepEqual([recorder.isEnded, recorder.error], [true, null]);
  });

  it("waits for an endpoint that does not read", async () => {
    let resume = (): void => {};
    let receivedBytes = 0;
    await using server = await httpServer((request, response) => {
      response.writeHead(200).flushHeaders();
      resume = () => {
        request.on("data", (chunk: Buffer) => (receivedBytes += chunk.length));
        request.on("end", () => response.end());
      };
    });
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    await eventually(() => recorder.heads.length > 0, "the head");
    const chunk = new Uint8Array(100_000);
    const begunMs = performance.now();
    let sent = 0;
    let isStuck = false;
    while (!isStuck && sent < 1000) {
      const before = recorder.writable;
      sent += 1;
      if (exchange.write(chunk)) continue;
      const deadline = performance.now() + 300;
      while (recorder.writable === before && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      isStuck = recorder.writable === before;
    }
    assert(isStuck, `never asked to wait within ${performance.now() - begunMs} ms`);
    resume();
    await eventually(() => recorder.writable > 0, "writable");
    exchange.end();
    await recorder.closed();
    assert.equal(receivedBytes, sent * 100_000 + "opening;".length);
  });

  it("carries a large journal", async () => {
    await using server = await httpServer(echo);
    using client = new Client(server.port);
    const { recorder } = client.open({ bodyComplete: true, body: new Uint8Array(20_000_000) });
    await recorder.closed();
    assert.deepEqual([recorder.receivedBytes, recorder.error], [20_000_000, null]);
  });

  it("ignores informational responses", async () => {
    await using server = await httpServer((request, response) => {
      response.writeEarlyHints({ link: "</x>; rel=preload" });
      echo(request, response);
    });
    using client = new Client(server.port);
    const { recorder } = client.open({ bodyComplete: true });
    await recorder.closed();
    assert.deepEqual(
      recorder.heads.map(({ status }) => status),
      [200],
    );
  });

  it("fails alone when a header cannot be sent", async () => {
    await using server = await httpServer(echo);
    using client = new Client(server.port);
    const { recorder } = client.open({ headers: { "x-bad": "line\nbreak" } });
    await recorder.closed();
    assert.match(recorder.error ?? "", /invalid x-bad/i);
  });
});

describe("an HTTP/1.1 endpoint that is not well", () => {
  async function errorAt(port: number, options: ConnectOptions = {}): Promise<Recorder> {
    using client = new Client(port, options);
    const { recorder } = client.open();
    await recorder.closed();
    assert.equal(recorder.isEnded, false);
    return recorder;
  }

  it("is not there", async () => {
    const { error } = await errorAt(await deadPort());
    assert.match(error ?? "", /nothing listens there/);
  });

  it("closes at once", async () => {
    await using server = await rawServer((socket) => socket.destroy());
    const { error } = await errorAt(server.port);
    assert.match(error ?? "", /closed|reset/);
  });

  it("talks garbage", async () => {
    await using server = await rawServer((socket) => socket.end("who are you?\r\n\r\n"));
    const { error } = await errorAt(server.port);
    assert.match(error ?? "", /HTTP\/1\.1|Expected/);
  });

  it("closes in the middle of the body", async () => {
    await using server = await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal");
      setTimeout(() => socket.destroy(), 20);
    });
    const { error, heads } = await errorAt(server.port);
    assert.equal(heads[0]?.status, 200);
    assert.notEqual(error, null);
  });

  it("sends a chunk length that is none", async () => {
    await using server = await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    });
    assert.notEqual((await errorAt(server.port)).error, null);
  });

  it("sends more headers than fit", async () => {
    await using server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(1000)}\r\n`.repeat(200)}\r\n`);
    });
    assert.notEqual((await errorAt(server.port)).error, null);
  });
});

describe("HTTP/1.1 over TLS", { skip: selfSigned() === undefined ? "no openssl" : false }, () => {
  const certificate = selfSigned() ?? { key: "", cert: "" };

  it("works with a trusted certificate and refuses others", async () => {
    await using server = await Listening.on(createHttpsServer(certificate, echo));
    using client = new Client(server.port, { ca: certificate.cert }, "https");
    const { recorder } = client.open({ bodyComplete: true });
    await recorder.closed();
    assert.deepEqual([recorder.text, recorder.error], ["opening;", null]);
    using stranger = new Client(server.port, {}, "https");
    const refused = stranger.open();
    await refused.recorder.closed();
    assert.match(refused.recorder.error ?? "", /self-signed and not trusted/);
  });
});
