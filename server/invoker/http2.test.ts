import assert from "node:assert/strict";
import { createServer as createHttp1Server } from "node:http";
import {
  createSecureServer,
  createServer,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import { createServer as createTlsServer } from "node:tls";
import { describe, it } from "node:test";
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
import { Http2Transport } from "./http2.ts";
import type { Http2Options } from "./http2-session.ts";
import type { HttpEndpoint } from "./endpoint.ts";
import type { Exchange, ExchangeRequest } from "./transport.ts";

const SETTINGS_FRAME = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** A transport that is gone after `using`. */
class Client implements Disposable {
  readonly transport: Http2Transport;
  readonly #port: number;
  readonly #scheme: string;

  constructor(port: number, options: Http2Options = {}, scheme = "http") {
    this.transport = new Http2Transport(options);
    this.#port = port;
    this.#scheme = scheme;
  }

  open(over: Partial<ExchangeRequest<HttpEndpoint>> = {}): {
    recorder: Recorder;
    exchange: Exchange;
  } {
    const recorder = new Recorder();
    const endpoint = endpointAt(this.#port, "HTTP/2.0", this.#scheme);
    return { recorder, exchange: this.transport.open(exchangeRequest(endpoint, over), recorder) };
  }

  [Symbol.dispose](): void {
    this.transport.close();
  }
}

/** An HTTP/2 server without encryption whose streams `serve` handles. */
function h2Server(
  serve: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
  options: ServerOptions = {},
): Promise<Listening> {
  const server = createServer(options);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    serve(stream, headers);
  });
  return Listening.on(server);
}

/** Answers with what it gets. */
function echo(stream: ServerHttp2Stream): void {
  stream.respond({
    ":status": 200,
    "content-type": "application/x-test",
    "retry-after": "9",
    "x-restate-server": "sdk/1",
  });
  stream.pipe(stream);
}

describe("an exchange over HTTP/2", () => {
  it("streams both ways", async () => {
    let seen: Record<string, unknown> = {};
    await using server = await h2Server((stream, headers) => {
      seen = headers;
      echo(stream);
    });
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    await recorder.received("opening;");
    assert.deepEqual(recorder.heads, [
      { status: 200, contentType: "application/x-test", retryAfter: "9", server: "sdk/1" },
    ]);
    assert.equal(seen[":method"], "POST");
    assert.equal(seen[":path"], "/invoke/Greeter/greet");
    assert.equal(seen[":authority"], `127.0.0.1:${server.port}`);
    assert.equal(seen["content-type"], "application/x-test");
    exchange.write(text("more;"));
    await recorder.received("opening;more;");
    exchange.end();
    await recorder.closed();
    assert.deepEqual([recorder.isEnded, recorder.error], [true, null]);
  });

  it("sends a complete request with its end", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port);
    const { recorder, exchange } = client.open({ bodyComplete: true });
    assert.equal(exchange.write(text("late")), false);
    await recorder.closed();
    assert.deepEqual([recorder.text, recorder.error], ["opening;", null]);
  });

  it("keeps what is written before there is a connection, in order", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    assert.equal(exchange.write(text("early;")), false);
    exchange.write(text("earlier than ready;"));
    await recorder.received("opening;early;earlier than ready;");
    await eventually(() => recorder.writable > 0, "writable");
    exchange.end();
    await recorder.closed();
  });

  it("tells the endpoint when it is reset", async () => {
    let code: number | undefined;
    await using server = await h2Server((stream) => {
      stream.respond({ ":status": 200 });
      stream.on("close", () => (code = stream.rstCode));
      stream.write("x");
    });
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    await recorder.received("x");
    exchange.reset();
    exchange.reset();
    await recorder.closed();
    assert.deepEqual([recorder.error, recorder.isEnded], [null, false]);
    await eventually(() => code !== undefined, "the reset");
    assert.equal(code, 8);
  });

  it("is closed by a reset before there is a connection", async () => {
    await using server = await rawServer(() => {});
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    exchange.reset();
    await recorder.closed();
    assert.equal(recorder.error, null);
  });

  it("is reset in the middle of a flood", async () => {
    await using server = await h2Server((stream) => {
      stream.respond({ ":status": 200 });
      const flood = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
      };
      stream.on("drain", flood);
      flood();
    });
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    await eventually(() => recorder.receivedBytes > 4_000_000, "4 MB");
    exchange.reset();
    await recorder.closed();
  });

  it("waits for an endpoint that does not read", async () => {
    let resume = (): void => {};
    let receivedBytes = 0;
    await using server = await h2Server((stream) => {
      stream.respond({ ":status": 200 });
      stream.pause();
      stream.on("data", (chunk: Buffer) => (receivedBytes += chunk.length));
      stream.pause();
      stream.on("end", () => stream.end());
      resume = () => stream.resume();
    });
    using client = new Client(server.port);
    const { recorder, exchange } = client.open();
    await eventually(() => recorder.heads.length > 0, "the head");
    const chunk = new Uint8Array(100_000);
    let sent = 1;
    while (exchange.write(chunk) && sent < 1000) {
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert(sent < 1000, "write never asked to wait");
    const before = recorder.writable;
    resume();
    await eventually(() => recorder.writable > before, "writable");
    exchange.end();
    await recorder.closed();
    assert.equal(receivedBytes, sent * 100_000 + "opening;".length);
  });

  it("carries a journal larger than all windows", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port);
    const { recorder } = client.open({ bodyComplete: true, body: new Uint8Array(20_000_000) });
    await recorder.closed();
    assert.deepEqual([recorder.receivedBytes, recorder.error], [20_000_000, null]);
  });

  it("fails alone when a header cannot be sent", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port);
    const good = client.open();
    await good.recorder.received("opening;");
    const bad = client.open({ headers: { connection: "close" } });
    await bad.recorder.closed();
    assert.match(bad.recorder.error ?? "", /connection/i);
    good.exchange.end();
    await good.recorder.closed();
    assert.equal(good.recorder.error, null);
  });
});

describe("connections over HTTP/2", () => {
  it("are shared up to the number of streams the endpoint allows", async () => {
    await using server = await h2Server(echo, { settings: { maxConcurrentStreams: 3 } });
    using client = new Client(server.port);
    const open = Array.from({ length: 7 }, () => client.open());
    await Promise.all(open.map(({ recorder }) => recorder.received("opening;")));
    assert.equal(client.transport.connections, 3);
    for (const { exchange } of open) exchange.end();
    await Promise.all(open.map(({ recorder }) => recorder.closed()));
    const again = Array.from({ length: 7 }, () => client.open({ bodyComplete: true }));
    await Promise.all(again.map(({ recorder }) => recorder.closed()));
    assert(again.every(({ recorder }) => recorder.error === null));
    assert.equal(server.sockets.size, 3);
  });

  it("carry no more than 128 streams each", async () => {
    await using server = await h2Server(echo, { settings: { maxConcurrentStreams: 100_000 } });
    using client = new Client(server.port);
    const open = Array.from({ length: 129 }, () => client.open());
    await Promise.all(open.map(({ recorder }) => recorder.received("opening;")));
    assert.equal(client.transport.connections, 2);
  });

  it("are replaced after a clean GOAWAY, which lets open streams finish", async () => {
    const sessions: NonNullable<ServerHttp2Stream["session"]>[] = [];
    await using server = await h2Server((stream) => {
      if (stream.session !== undefined) sessions.push(stream.session);
      echo(stream);
    });
    using client = new Client(server.port);
    const first = client.open();
    await first.recorder.received("opening;");
    sessions[0]?.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = client.open();
    await second.recorder.received("opening;");
    assert.notEqual(sessions[0], sessions[1]);
    first.exchange.write(text("still;"));
    await first.recorder.received("opening;still;");
    first.exchange.end();
    second.exchange.end();
    await Promise.all([first.recorder.closed(), second.recorder.closed()]);
    assert.deepEqual([first.recorder.error, second.recorder.error], [null, null]);
    await eventually(() => client.transport.connections === 1, "the first connection to go");
  });

  it("fail their streams after a GOAWAY with an error, and are replaced", async () => {
    let isFirst = true;
    await using server = await h2Server((stream) => {
      echo(stream);
      if (isFirst) stream.session?.goaway(11);
      isFirst = false;
    });
    using client = new Client(server.port);
    const { recorder } = client.open();
    await recorder.closed();
    assert.match(recorder.error ?? "", /GOAWAY, ENHANCE_YOUR_CALM/);
    const second = client.open({ bodyComplete: true });
    await second.recorder.closed();
    assert.deepEqual([second.recorder.text, second.recorder.error], ["opening;", null]);
  });

  it("fail their streams when they break, and are replaced", async () => {
    let isFirst = true;
    await using server = await h2Server((stream) => {
      echo(stream);
      if (isFirst) setTimeout(() => server.sockets.forEach((socket) => socket.destroy()), 20);
      isFirst = false;
    });
    using client = new Client(server.port);
    const { recorder } = client.open();
    await recorder.closed();
    assert.notEqual(recorder.error, null);
    const second = client.open({ bodyComplete: true });
    await second.recorder.closed();
    assert.equal(second.recorder.text, "opening;");
  });

  it("give a stream 2 MiB and themselves 5 MiB to be received", async () => {
    const sessions: NonNullable<ServerHttp2Stream["session"]>[] = [];
    await using server = await h2Server((stream) => {
      if (stream.session !== undefined) sessions.push(stream.session);
      echo(stream);
    });
    using client = new Client(server.port);
    const { recorder } = client.open();
    await recorder.received("opening;");
    const [session] = sessions;
    const window = 5 * 1024 * 1024;
    await eventually(
      () => (session?.state.remoteWindowSize ?? 0) > window - 100,
      "the window of the connection",
    );
    assert.equal(session?.remoteSettings.initialWindowSize, 2 * 1024 * 1024);
    assert.equal(session.remoteSettings.enablePush, false);
  });

  it("tell of a stream that the endpoint reset", async () => {
    const head = Buffer.from([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]);
    const internalError = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
    await using server = await rawServer((socket) => {
      socket.write(SETTINGS_FRAME);
      socket.once("data", () => socket.write(Buffer.concat([head, internalError])));
    });
    using client = new Client(server.port);
    const { recorder } = client.open({ bodyComplete: true });
    await recorder.closed();
    assert.equal(recorder.isEnded, false);
    assert.match(recorder.error ?? "", /reset the stream \(INTERNAL_ERROR\)/);
  });

  it("are given up when a ping is not answered", async () => {
    await using server = await rawServer((socket) => {
      socket.write(SETTINGS_FRAME);
      socket.resume();
    });
    using client = new Client(server.port, { pingIntervalMs: 30, pingTimeoutMs: 50 });
    const { recorder } = client.open();
    await recorder.closed();
    assert.match(recorder.error ?? "", /did not answer a ping within 50 ms/);
  });

  it("are kept while pings are answered", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port, { pingIntervalMs: 10, pingTimeoutMs: 200 });
    const { recorder, exchange } = client.open();
    await new Promise((resolve) => setTimeout(resolve, 500));
    exchange.end();
    await recorder.closed();
    assert.deepEqual([recorder.text, recorder.error], ["opening;", null]);
  });

  it("end with their exchanges when the transport closes", async () => {
    await using server = await rawServer((socket) => socket.resume());
    await using other = await h2Server(echo);
    using client = new Client(server.port);
    const waiting = client.open();
    using ready = new Client(other.port);
    const running = ready.open();
    await running.recorder.received("opening;");
    client.transport.close();
    ready.transport.close();
    const late = client.open();
    await Promise.all([waiting, running, late].map(({ recorder }) => recorder.closed()));
    for (const { recorder } of [waiting, running, late])
      assert.match(recorder.error ?? "", /this server/);
    await eventually(() => server.sockets.size + other.sockets.size === 0, "no connections");
  });

  it("are closed when idle", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port, { pingIntervalMs: 10, idleTimeoutMs: 50 });
    const { recorder } = client.open({ bodyComplete: true });
    await recorder.closed();
    assert.equal(client.transport.connections, 1);
    await eventually(() => client.transport.connections === 0, "the connection to close");
    const { recorder: second } = client.open({ bodyComplete: true });
    await second.closed();
    assert.equal(second.error, null);
  });
});

describe("an endpoint that is not there", () => {
  async function errorAt(port: number, options: Http2Options = {}): Promise<string> {
    using client = new Client(port, options);
    const { recorder } = client.open();
    const second = client.open();
    await Promise.all([recorder.closed(), second.recorder.closed()]);
    assert.deepEqual(recorder.heads, []);
    assert.equal(second.recorder.error, recorder.error);
    return recorder.error ?? "no error";
  }

  it("is reported as such", async () => {
    assert.match(await errorAt(await deadPort()), /nothing listens there/);
  });

  it("is given up after the connect timeout when it says nothing", async () => {
    await using server = await rawServer((socket) => socket.resume());
    const error = await errorAt(server.port, { connectTimeoutMs: 100 });
    assert.match(error, /no HTTP\/2 connection within 100 ms/);
  });

  it("is reported when it closes at once", async () => {
    await using server = await rawServer((socket) => socket.destroy());
    assert.match(await errorAt(server.port), /closed|reset/);
  });

  it("is reported when it talks garbage", async () => {
    await using server = await rawServer((socket) => socket.end("who are you?\r\n".repeat(10)));
    assert.match(await errorAt(server.port), /not HTTP\/2/);
  });

  it("is reported when it speaks HTTP/1.1", async () => {
    await using server = await Listening.on(createHttp1Server());
    assert.match(await errorAt(server.port), /not HTTP\/2/);
  });

  it("is reported when it allows no streams", async () => {
    await using server = await h2Server(echo, { settings: { maxConcurrentStreams: 0 } });
    assert.match(await errorAt(server.port), /allows no streams/);
  });
});

describe("HTTP/2 over TLS", { skip: selfSigned() === undefined ? "no openssl" : false }, () => {
  const certificate = selfSigned() ?? { key: "", cert: "" };
  const { cert: ca } = certificate;

  it("works with a trusted certificate", async () => {
    await using server = await Listening.on(
      createSecureServer({ ...certificate, allowHTTP1: true }).on("stream", echo),
    );
    using client = new Client(server.port, { ca }, "https");
    const { recorder } = client.open({ bodyComplete: true });
    await recorder.closed();
    assert.deepEqual([recorder.text, recorder.error], ["opening;", null]);
  });

  it("refuses a certificate that is not trusted", async () => {
    await using server = await Listening.on(createSecureServer(certificate).on("stream", echo));
    using client = new Client(server.port, {}, "https");
    const { recorder } = client.open();
    await recorder.closed();
    assert.match(recorder.error ?? "", /self-signed and not trusted/);
  });

  it("refuses an endpoint that agrees to HTTP/1.1 only", async () => {
    for (const ALPNProtocols of [["http/1.1"], undefined]) {
      const options = { ...certificate, ...(ALPNProtocols && { ALPNProtocols }) };
      await using server = await Listening.on(
        createTlsServer(options, (socket) => socket.on("error", () => {})),
      );
      using client = new Client(server.port, { ca }, "https");
      const { recorder } = client.open();
      await recorder.closed();
      assert.match(recorder.error ?? "", /HTTP\/2 over TLS|application.protocol/i);
    }
  });

  it("does not mistake plain text for TLS", async () => {
    await using server = await h2Server(echo);
    using client = new Client(server.port, { ca }, "https");
    const { recorder } = client.open();
    await recorder.closed();
    assert.notEqual(recorder.error, null);
  });
});
