/** An endpoint over real sockets, with frames made by hand. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import net, { type Server } from "node:net";
import { after, describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { service } from "../define/service.ts";
import { decodeMessage, encodeMessage } from "../protocol/codec.ts";
import { FrameDecoder } from "../protocol/frame.ts";
import type { Message } from "../protocol/messages.ts";
import {
  END,
  input,
  output,
  proposed,
  ran,
  runCommand,
  sleepCommand,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { endpoint } from "./builder.ts";
import { createEndpointHandler, listen, portFromEnvironment, portOf } from "./node-endpoint.ts";
import { invocation, MANIFEST_V4, messagesOf, seen, tested, V6 } from "./requests.suite.ts";

const opened: (() => void)[] = [];
after(() => {
  for (const close of opened.toReversed()) close();
});

async function serveOn(server: Server): Promise<number> {
  opened.push(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

function connect(port: number): ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  opened.push(() => session.destroy());
  return session;
}

/** Not a Buffer, so that messages compare. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

const headOf = (
  stream: ClientHttp2Stream,
): Promise<http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader> =>
  new Promise((resolve, reject) => {
    stream.once("response", resolve);
    stream.once("error", reject);
  });

/** A client's stream that collects messages. */
class Call {
  readonly stream: ClientHttp2Stream;
  readonly #decoder = new FrameDecoder(1 << 25);
  readonly messages: Message[] = [];
  isEnded = false;

  constructor(session: ClientHttp2Session, handler: string) {
    this.stream = session.request(
      { ":method": "POST", ":path": `/invoke/T/${handler}`, "content-type": V6 },
      { endStream: false },
    );
    this.stream.on("data", (chunk: Buffer) => {
      this.#decoder.push(plain(chunk));
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.messages.push(decodeMessage(frame.type, frame.body));
      }
    });
    this.stream.on("end", () => {
      this.isEnded = true;
    });
  }

  /** Until there are so many messages. */
  async until(count: number): Promise<void> {
    while (this.messages.length < count) await once(this.stream, "data");
  }

  async end(): Promise<Message[]> {
    if (!this.isEnded) await once(this.stream, "end");
    return this.messages;
  }
}

describe("an endpoint over HTTP/2", () => {
  const server = http2.createServer(createEndpointHandler({ services: [tested] }));
  const ready = serveOn(server).then(connect);

  it("sends the head before it has read the body", async () => {
    const call = new Call(await ready, "echo");
    const headers = await headOf(call.stream);
    assert.equal(headers[":status"], 200);
    assert.equal(headers["content-type"], V6);
    assert.match(String(headers["x-restate-server"]), /^holdfast-sdk-typescript\//);
    call.stream.end(invocation(input('"hi"')));
    assert.deepEqual(await call.end(), [output(value('"hi"')), END]);
  });

  it("ends its half after the terminal message while the other is open", async () => {
    const call = new Call(await ready, "echo");
    call.stream.write(invocation(input('"hi"')));
    assert.deepEqual(await call.end(), [output(value('"hi"')), END]);
    assert.equal(call.stream.writableEnded, false);
    call.stream.end();
    await once(call.stream, "close");
    assert.equal(call.stream.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  });

  it("goes on with what the server sends meanwhile", async () => {
    const call = new Call(await ready, "step");
    call.stream.write(invocation(input()));
    await call.until(2);
    assert.deepEqual(call.messages, [runCommand(1, "a"), proposed(1, value("42"))]);
    call.stream.end(encodeMessage(ran(1, value("42"))));
    assert.deepEqual((await call.end()).slice(2), [output(value("42")), END]);
  });

  it("suspends once the other half is closed", async () => {
    const call = new Call(await ready, "wait");
    call.stream.end(invocation(input()));
    assert.deepEqual(await call.end(), [suspended([], [1, 17])]);
  });

  it("drops the handler of a stream that is reset", async () => {
    seen.length = 0;
    const call = new Call(await ready, "wait");
    call.stream.write(invocation(input()));
    await headOf(call.stream);
    // A round trip on the same connection: by its end the handler has started.
    const other = new Call(await ready, "echo");
    other.stream.end(invocation(input('"x"')));
    await other.end();
    call.stream.close(http2.constants.NGHTTP2_CANCEL);
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(seen, ["aborted"]);
    assert.deepEqual(call.messages, []);
  });

  it("waits for a server that reads slowly", async () => {
    const call = new Call(await ready, "big");
    call.stream.pause();
    call.stream.write(invocation(input(), runCommand(1, "size"), ran(1, value("1"))));
    await new Promise((resolve) => setTimeout(resolve, 50));
    call.stream.resume();
    const messages = await call.end();
    assert.equal(messages.length, 42);
    assert.deepEqual(messages.at(-1), END);
    call.stream.end();
  });

  it("answers discovery, health and what it does not know", async () => {
    const session = await ready;
    const ask = async (path: string, headers: object): Promise<[unknown, unknown, string]> => {
      const stream = session.request({ ":path": path, ...headers });
      const head = await headOf(stream);
      let text = "";
      stream.setEncoding("utf8");
      stream.on("data", (chunk: string) => (text += chunk));
      await once(stream, "end");
      return [head[":status"], head["content-type"], text];
    };
    const [status, contentType, body] = await ask("/discover", { accept: MANIFEST_V4 });
    assert.deepEqual([status, contentType], [200, MANIFEST_V4]);
    assert.match(body, /"protocolMode":"BIDI_STREAM"/);
    assert.deepEqual(await ask("/health", {}), [200, "application/text", "OK"]);
    assert.deepEqual((await ask("/x", {}))[0], 404);
    assert.deepEqual((await ask("/invoke/T/echo", {}))[0], 415);
  });

  it("says request/response when told so", async () => {
    const handler = createEndpointHandler({ services: [tested], bidirectional: false });
    const session = connect(await serveOn(http2.createServer(handler)));
    const stream = session.request({ ":path": "/discover", accept: MANIFEST_V4 });
    let text = "";
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await once(stream, "end");
    assert.match(text, /"protocolMode":"REQUEST_RESPONSE"/);
  });

  it("serves only signed requests when it has keys", async () => {
    const key = "publickeyv1_66uUDZCGN8UrZCo388CYgiaCmvxK15ia4jLeizWd1M87";
    const handler = endpoint().bind(tested).withIdentityV1(key).http2Handler();
    const session = connect(await serveOn(http2.createServer(handler)));
    const stream = session.request({ ":path": "/discover", accept: MANIFEST_V4 });
    const headers = await headOf(stream);
    assert.equal(headers[":status"], 401);
    stream.resume();
  });
});

describe("a server of the SDK's own", () => {
  it("listens where it is told and serves the same", async () => {
    const server = await listen({ services: [tested] }, 0, "127.0.0.1");
    opened.push(() => server.close());
    const call = new Call(connect(portOf(server)), "echo");
    call.stream.end(invocation(input('"hi"')));
    assert.deepEqual(await call.end(), [output(value('"hi"')), END]);
  });

  it("fails when the port is taken", async () => {
    const taken = net.createServer();
    const port = await serveOn(taken);
    await assert.rejects(listen({ services: [tested] }, port, "127.0.0.1"), /EADDRINUSE/);
  });

  it("takes its port from the environment", () => {
    const before = process.env["PORT"];
    try {
      delete process.env["PORT"];
      assert.equal(portFromEnvironment(), 9080);
      process.env["PORT"] = "8123";
      assert.equal(portFromEnvironment(), 8123);
      process.env["PORT"] = "a lot";
      assert.throws(() => portFromEnvironment(), /PORT is "a lot"/);
    } finally {
      if (before === undefined) delete process.env["PORT"];
      else process.env["PORT"] = before;
    }
  });
});

const responseTo = (sent: http.ClientRequest): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    sent.once("response", resolve);
    sent.once("error", reject);
  });

interface Http1Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

async function http1(
  port: number,
  path: string,
  headers: http.OutgoingHttpHeaders,
  chunks: readonly Uint8Array[] = [],
): Promise<Http1Answer> {
  const method = chunks.length > 0 ? "POST" : "GET";
  const sent = http.request({ host: "127.0.0.1", port, path, method, headers, agent: false });
  for (const chunk of chunks) sent.write(chunk);
  sent.end();
  const response = await responseTo(sent);
  const parts: Buffer[] = [];
  response.on("data", (chunk: Buffer) => parts.push(chunk));
  await once(response, "end");
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) };
}

describe("an endpoint over HTTP/1.1", () => {
  const port = serveOn(http.createServer(createEndpointHandler({ services: [tested] })));

  it("answers an invocation once the request is complete", async () => {
    const bytes = invocation(input('"hi"'));
    const chunks = [bytes.subarray(0, 3), bytes.subarray(3)];
    const answer = await http1(await port, "/invoke/T/echo", { "content-type": V6 }, chunks);
    assert.deepEqual([answer.status, answer.headers["content-type"]], [200, V6]);
    assert.deepEqual(messagesOf(answer.body), [output(value('"hi"')), END]);
  });

  it("executes a step and suspends on its result", async () => {
    const answer = await http1(await port, "/invoke/T/step", { "content-type": V6 }, [
      invocation(input()),
    ]);
    assert.deepEqual(messagesOf(answer.body), [
      runCommand(1, "a"),
      proposed(1, value("42")),
      suspended([1]),
    ]);
  });

  it("says request/response on discovery, and answers the rest as over HTTP/2", async () => {
    const discovery = await http1(await port, "/discover", { accept: MANIFEST_V4 });
    assert.match(discovery.body.toString(), /"protocolMode":"REQUEST_RESPONSE"/);
    assert.equal((await http1(await port, "/health", {})).body.toString(), "OK");
    assert.equal((await http1(await port, "/x", {})).status, 404);
    const bytes = [invocation(input())];
    assert.equal((await http1(await port, "/invoke/T/echo", {}, bytes)).status, 415);
  });

  it("streams both ways when told so", async () => {
    const handler = endpoint().bind(tested).http1Handler({ bidirectional: true });
    const streaming = await serveOn(http.createServer(handler));
    const sent = http.request({
      host: "127.0.0.1",
      port: streaming,
      path: "/invoke/T/step",
      method: "POST",
      headers: { "content-type": V6 },
      agent: false,
    });
    sent.write(invocation(input()));
    const response = await responseTo(sent);
    const parts: Buffer[] = [];
    response.on("data", (chunk: Buffer) => {
      parts.push(chunk);
      if (messagesOf(Buffer.concat(parts)).length === 2) {
        sent.end(encodeMessage(ran(1, value("42"))));
      }
    });
    await once(response, "end");
    assert.deepEqual(messagesOf(Buffer.concat(parts)).slice(2), [output(value("42")), END]);
  });

  it("survives a client that goes away", async () => {
    const socket = net.connect(await port, "127.0.0.1");
    socket.write(
      `POST /invoke/T/wait HTTP/1.1\r\nhost: x\r\ncontent-type: ${V6}\r\ntransfer-encoding: chunked\r\n\r\n1\r\n`,
    );
    await once(socket, "connect");
    socket.destroy();
    await once(socket, "close");
    assert.equal((await http1(await port, "/health", {})).status, 200);
  });
});

describe("the same sleep", () => {
  it("is not written twice when an attempt resumes over the wire", async () => {
    const napper = service({
      name: "T",
      handlers: { nap: async (ctx: Context) => ctx.sleep(5, "nap") },
    });
    const server = await listen({ services: [napper] }, 0, "127.0.0.1");
    opened.push(() => server.close());
    const call = new Call(connect(portOf(server)), "nap");
    call.stream.end(invocation(input(), sleepCommand(1, 1, "nap")));
    assert.deepEqual(await call.end(), [suspended([1])]);
  });
});

describe("an endpoint within a framework", () => {
  const handler = createEndpointHandler({ services: [tested] });
  const bytes = [invocation(input('"hi"'))];
  const headers = { "content-type": V6 };

  /** Like a parser of bodies that comes first. */
  const readBefore = (property: string): http.RequestListener => {
    const serveRead: http.RequestListener = async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
      handler(Object.assign(request, { [property]: Buffer.concat(chunks) }), response);
    };
    return (...given) => serveRead(...given);
  };

  for (const property of ["body", "rawBody"]) {
    it(`takes the bytes that were read before it, from ${property}`, async () => {
      const server = http.createServer(readBefore(property));
      const answer = await http1(await serveOn(server), "/app/invoke/T/echo", headers, bytes);
      assert.deepEqual(messagesOf(answer.body), [output(value('"hi"')), END]);
    });
  }

  it("says so when the request was read before it and is nowhere", async () => {
    const server = http.createServer(readBefore("elsewhere"));
    const answer = await http1(await serveOn(server), "/app/invoke/T/echo", headers, bytes);
    assert.equal(answer.status, 500);
    assert.match(answer.body.toString(), /has read the request/);
  });
});
