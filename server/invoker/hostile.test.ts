/** Whatever an endpoint answers, its attempt fails with the right code, gives its resources back, and the next one works. */
import assert from "node:assert/strict";
import { createServer as createHttp1Server, type IncomingHttpHeaders } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { Writable } from "node:stream";
import { describe, it } from "node:test";
import { encodeFrame } from "../../sdk/protocol/frame.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { silentLog } from "../base/log.ts";
import type { Deployment } from "../machine/registry.ts";
import { Attempts } from "./attempts.ts";
import { Listening } from "./endpoints.suite.ts";
import {
  bytesOf,
  deployment,
  END,
  eventually,
  FakeDoor,
  OUTPUT,
  RUN,
  text,
} from "./fixtures.suite.ts";
import { HttpTransport } from "./http-transport.ts";

/** One request as an endpoint sees it, over either HTTP version. */
interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly head: (status: number, headers?: Record<string, string>) => void;
  readonly body: Writable;
  /** Breaks the stream, or the connection where there is only that. */
  readonly cut: () => void;
  /** The request is complete. */
  readonly onRequestEnd: (fn: () => void) => void;
}

type Serve = (call: Call) => void;
type HttpVersion = Deployment["httpVersion"];

function listen(httpVersion: HttpVersion, serve: Serve): Promise<Listening> {
  if (httpVersion === "HTTP/1.1") {
    return Listening.on(
      createHttp1Server((request, response) => {
        request.on("error", () => {}).resume();
        response.on("error", () => {});
        serve({
          headers: request.headers,
          head: (status, headers) => response.writeHead(status, headers ?? {}).flushHeaders(),
          body: response,
          cut: () => request.socket.destroy(),
          onRequestEnd: (fn) => request.on("end", fn),
        });
      }),
    );
  }
  const server = createHttp2Server();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {}).resume();
    serve({
      headers,
      head: (status, more) => stream.respond({ ":status": status, ...more }),
      body: stream,
      cut: () => stream.close(2),
      onRequestEnd: (fn) => stream.on("end", fn),
    });
  });
  return Listening.on(server);
}

/** Answers as an endpoint should. */
const good: Serve = (call) => {
  accept(call);
  call.body.write(bytesOf(OUTPUT, END));
  call.onRequestEnd(() => call.body.end());
};

function accept({ headers, head }: Call): void {
  head(200, { "content-type": headers["content-type"] ?? "" });
}

/** The first call gets `bad`, the next one a good answer. Returns what the first one became. */
async function afterwards(
  httpVersion: HttpVersion,
  bad: Serve,
  over: Partial<Deployment> = {},
): Promise<FakeDoor> {
  let calls = 0;
  await using server = await listen(httpVersion, (call) => {
    calls += 1;
    if (calls === 1) bad(call);
    else good(call);
  });
  const door = new FakeDoor();
  const uri = `http://127.0.0.1:${server.port}/`;
  door.register(deployment({ uri, httpVersion, ...over }));
  const attempts = new Attempts({
    door,
    transport: new HttpTransport(),
    clock: { nowMs: () => Date.UTC(2026, 0, 1) },
    log: silentLog,
    messageBytesMax: 100_000,
    drainTimeoutMs: 200,
  });
  try {
    door.add(1, { target: { service: "Greeter", handler: "hasty", key: null } });
    attempts.start({ type: "start-attempt", seq: 1, epoch: 0, knownEntries: 1 });
    await door.until(() => isOver(door), "the end of the bad attempt");
    const first = door.inputs.splice(0);
    await eventually(() => attempts.inFlight === 0, "its resources");
    assert.equal(door.inputs.length, 0, "nothing is said after the end");
    door.add(2);
    attempts.start({ type: "start-attempt", seq: 2, epoch: 0, knownEntries: 1 });
    await door.until(() => isOver(door), "the end of the good attempt");
    assert.deepEqual(door.types, ["append-command", "end"]);
    await eventually(() => attempts.inFlight === 0, "its resources");
    door.inputs.splice(0, Infinity, ...first);
    return door;
  } finally {
    await attempts.shutdown(0);
  }
}

function isOver(door: FakeDoor): boolean {
  return door.types.some((type) => type === "end" || type === "fail" || type === "suspend");
}

for (const httpVersion of ["HTTP/2.0", "HTTP/1.1"] as const) {
  describe(`over ${httpVersion}, an endpoint that`, () => {
    const failures: [string, string, Serve][] = [
      ["answers 404", "RT0012", ({ head, body }) => (head(404), body.end("{}"))],
      ["answers 500", "RT0012", ({ head, body }) => (head(500), body.end())],
      ["answers 415", "RT0015", ({ head, body }) => (head(415), body.end())],
      ["answers 413", "RT0019", ({ head, body }) => (head(413), body.end())],
      ["answers 502", "RT0010", ({ head, body }) => (head(502), body.end())],
      ["answers 301", "RT0012", ({ head, body }) => (head(301, { location: "/x" }), body.end())],
      [
        "answers with a web page",
        "RT0012",
        ({ head, body }) => (head(200, { "content-type": "text/html" }), body.end("<html>")),
      ],
      ["answers without content type", "RT0012", ({ head, body }) => (head(200), body.end())],
      ["ends without a word", "RT0007", (call) => (accept(call), call.body.end())],
      [
        "ends within a message",
        "RT0007",
        (call) => (accept(call), call.body.end(bytesOf(RUN).subarray(0, 9))),
      ],
      [
        "breaks within a message",
        "RT0010",
        (call) => {
          accept(call);
          call.body.write(bytesOf(RUN).subarray(0, 9));
          setTimeout(() => {
            // An HTTP/2 stream that node closes is ended first, which is no break.
            if (httpVersion === "HTTP/1.1") call.cut();
            else call.body.destroy(new Error("broken"));
          }, 20);
        },
      ],
      [
        "talks garbage",
        "RT0003",
        (call) => (accept(call), call.body.end(text("HTTP/1.1 500 Internal Server Error"))),
      ],
      [
        "sends a message it may not send",
        "RT0012",
        (call) => (accept(call), call.body.write(encodeFrame(0xfc00, new Uint8Array(3)))),
      ],
      [
        "announces a message that is too long",
        "RT0003",
        (call) => {
          accept(call);
          call.body.write(encodeFrame(0x0401, new Uint8Array(100_001)).subarray(0, 8));
        },
      ],
      ["never answers", "RT0001", () => {}],
      ["answers and says nothing more", "RT0001", accept],
    ];
    for (const [what, errorCode, serve] of failures) {
      it(`${what} fails with ${errorCode}`, async () => {
        const { failure } = await afterwards(httpVersion, serve);
        const expected =
          // Node's HTTP/2 server sends the end of the stream before its reset.
          what === "breaks within a message" && httpVersion === "HTTP/2.0"
            ? /RT0007|RT0010/
            : new RegExp(errorCode);
        assert.match(failure.failure.errorCode, expected);
      });
    }

    it("limits its load sets the delay of the retry", async () => {
      const inAMinute = new Date(Date.UTC(2026, 0, 1, 0, 1)).toUTCString();
      for (const [status, retryAfter, delayMs] of [
        [429, "3", 3000],
        [503, inAMinute, 60_000],
      ] as const) {
        const { failure } = await afterwards(httpVersion, ({ head, body }) => {
          head(status, { "retry-after": retryAfter });
          body.end();
        });
        assert.equal(failure.failure.errorCode, "RT0023");
        assert.equal(failure.retryAfterMs, delayMs);
      }
    });

    it("goes on for ever after End is cut", async () => {
      const door = await afterwards(httpVersion, (call) => {
        accept(call);
        call.body.write(bytesOf(OUTPUT, END));
        const more = (): void => {
          while (!call.body.destroyed && call.body.write(bytesOf(RUN, RUN, RUN)));
        };
        call.body.on("drain", more);
        more();
      });
      assert.deepEqual(door.types, ["append-command", "end"]);
    });

    it("does not end its response after End is cut", async () => {
      const door = await afterwards(httpVersion, (call) => {
        accept(call);
        call.body.write(bytesOf(OUTPUT, END));
      });
      assert.deepEqual(door.types, ["append-command", "end"]);
    });

    it("sends its messages byte by byte is understood", async () => {
      const door = await afterwards(httpVersion, (call) => {
        accept(call);
        const bytes = bytesOf(RUN, OUTPUT, END);
        let at = 0;
        const next = (): void => {
          call.body.write(bytes.subarray(at, at + 1));
          at += 1;
          if (at < bytes.length) setImmediate(next);
        };
        next();
        call.onRequestEnd(() => call.body.end());
      });
      assert.deepEqual(door.types, ["append-command", "append-command", "end"]);
    });

    it("only takes requests and answers works", async () => {
      const door = await afterwards(
        httpVersion,
        (call) => {
          call.onRequestEnd(() => {
            accept(call);
            call.body.end(bytesOf(OUTPUT, END));
          });
        },
        { protocolMode: "REQUEST_RESPONSE" },
      );
      assert.deepEqual(door.types, ["append-command", "end"]);
    });

    /** Our own SDK is spoken to in V7. */
    const v7 = { maxProtocolVersion: 7, sdkVersion: "holdfast-sdk/1" };

    it("nests what it awaits without end fails with RT0012", async () => {
      let tree = new Uint8Array([0x0a, 1, 1]);
      for (let depth = 0; depth < 10_000; depth += 1) tree = nested(tree);
      const { failure } = await afterwards(
        httpVersion,
        (call) => {
          accept(call);
          call.body.write(encodeFrame(MessageType.Suspension, tree));
        },
        v7,
      );
      assert.equal(failure.failure.errorCode, "RT0012");
    });

    it("says again and again what it awaits is understood", async () => {
      const awaitingOn = {
        completions: [1],
        signals: [1],
        namedSignals: [],
        nested: [],
        combinator: 1,
      } as const;
      const hint = bytesOf({
        type: MessageType.AwaitingOn,
        awaitingOn,
        executingSideEffects: false,
      });
      const door = await afterwards(
        httpVersion,
        (call) => {
          accept(call);
          for (let index = 0; index < 2000; index += 1) call.body.write(hint);
          call.body.write(bytesOf(OUTPUT, END));
          call.onRequestEnd(() => call.body.end());
        },
        v7,
      );
      assert.deepEqual(door.types, ["append-command", "end"]);
    });
  });
}

/** A tree within a tree: field 4, with its length. */
function nested(tree: Uint8Array): Uint8Array<ArrayBuffer> {
  const length: number[] = [];
  for (let rest = tree.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Uint8Array.from(Buffer.concat([Buffer.from([0x22, ...length]), tree]));
}
