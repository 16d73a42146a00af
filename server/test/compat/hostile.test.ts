/** Endpoints that break the protocol, the connection or the limits: the server says what it saw, and everything else goes on. */
import assert from "node:assert/strict";
import http from "node:http";
import http2 from "node:http2";
import { after, before, describe, it } from "node:test";
import { encodeMessage } from "../../../sdk/protocol/codec.ts";
import { MessageType } from "../../../sdk/protocol/message-type.ts";
import type { Message } from "../../../sdk/protocol/messages.ts";
import { listen, loadSdk, serve } from "../endpoint.ts";
import { type Behaviour, END, frame, hostile, output, utf8 } from "./hostile.suite.ts";
import { at, eventually, Lab, OURS, pause } from "./lab.suite.ts";
import { objectOf, serviceOf, World } from "./program.suite.ts";

const JSON_OUTPUT = output('"ok"');

/** Two attempts, then paused, so that the failure can be read in peace. */
const TWICE = {
  retryPolicyInitialInterval: 5,
  retryPolicyMaxAttempts: 2,
  retryPolicyOnMaxAttempts: "PAUSE",
};
const HASTY = { inactivityTimeout: 60, abortTimeout: 60 };

let lab: Lab;
before(async () => {
  lab = await Lab.start(["--max-message-size", "1MiB"]);
  const sdk = await loadSdk("restate");
  const world = new World();
  const services = [serviceOf(sdk, world, "Good"), objectOf(sdk, world, "GoodObject")];
  await lab.register(await serve(sdk, services, "h2"));
});
after(async () => await lab.close());

const sleep = (id: number): Message => ({
  type: MessageType.SleepCommand,
  name: "",
  resultCompletionId: id,
  wakeUpTimeMs: 1,
});
const call = (service: string, key: string): Message => ({
  type: MessageType.CallCommand,
  name: "",
  service,
  handler: "run",
  key,
  parameter: utf8("[]"),
  headers: [],
  invocationIdCompletionId: 1,
  resultCompletionId: 2,
});
const failing = (code: number, more: object = {}): Message => ({
  type: MessageType.Error,
  code,
  message: "the endpoint says no",
  stacktrace: "at its own place",
  ...more,
});
const suspension = (...completions: readonly number[]): Message => ({
  type: MessageType.Suspension,
  completions,
  signals: [],
  namedSignals: [],
});
/** Sets the flag of a frame that asks for an acknowledgement. */
const flagged = (byte: number, index: number): number => (index === 2 ? byte | 0x80 : byte);
const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  ({ stream }) => {
    stream.respond({ ":status": code, ...headers });
    stream.end("what the endpoint says");
  };
const answers =
  (...parts: readonly (Message | Uint8Array)[]): Behaviour =>
  ({ answer }) =>
    answer(parts);

/** What is sent, and the code under which it is shown. */
const FAILURES: readonly (readonly [title: string, Behaviour, code: RegExp, options?: object])[] = [
  ["a path that is not there", status(404), /RT0012/],
  ["an inner error", status(500), /RT0012/],
  ["a redirect", status(302, { location: "http://127.0.0.1:1/" }), /RT0012/],
  ["a gateway error", status(502), /RT0010/],
  ["a body that is too large for it", status(413), /RT0019/],
  ["a version that it does not speak", status(415), /RT0015/],
  ["too many requests", status(429), /RT0023/],
  ["a refused signature", status(401), /RT0012/],
  [
    "another content type",
    ({ stream }) => {
      stream.respond({ ":status": 200, "content-type": "text/html" });
      stream.end("<html>");
    },
    /RT0012/,
  ],
  ["nothing at all", answers(), /RT00(07|12)/],
  ["text", answers(utf8("HTTP/1.1 200 OK\r\n\r\nhello, hello")), /RT00(03|12)/],
  ["an unknown type", answers(frame(0x0300)), /RT0012/],
  ["a custom type", answers(frame(0xfc00, 1, 2)), /RT0012/],
  [
    "a frame of four gigabytes",
    answers(Uint8Array.of(4, 1, 0, 0, 255, 255, 255, 255, 0)),
    /RT0003/,
  ],
  ["a frame above the limit", answers(output("x".repeat(1_200_000)), END), /RT0003/],
  ["half a frame", answers(Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 9, 1)), /RT00(07|10|12)/],
  ["no protobuf", answers(frame(MessageType.OutputCommand, 255, 255, 255)), /RT0012/],
  ["a start", answers(frame(MessageType.Start)), /RT0012/],
  ["an input", answers(frame(MessageType.InputCommand, 0x72, 0)), /RT0012/],
  ["a notification", answers(frame(MessageType.SleepCompletion, 8, 1, 0x22, 0)), /RT0012/],
  ["an acknowledgement", answers(frame(MessageType.CommandAck, 8, 1)), /RT0012/],
  ["an end without an output", answers(END), /RT0012/],
  ["commands, and an end without an output", answers(sleep(1), END), /RT0012/],
  ["an output without a result", answers(frame(MessageType.OutputCommand), END), /RT0012/],
  ["an output, and no end", answers(JSON_OUTPUT), /RT0007/],
  ["a suspension on nothing", answers(suspension()), /RT0012/],
  ["a proposal without a result", answers(frame(MessageType.ProposeRunCompletion, 8, 1)), /RT0012/],
  [
    "an awakeable that is none",
    answers(
      {
        type: MessageType.CompleteAwakeableCommand,
        name: "",
        awakeableId: "sign_1x",
        result: { kind: "value", value: utf8("1") },
      },
      suspension(1),
    ),
    /RT0012/,
  ],
  [
    "state of a plain service",
    answers(
      {
        type: MessageType.SetStateCommand,
        name: "",
        key: utf8("k"),
        value: utf8("v"),
      },
      JSON_OUTPUT,
      END,
    ),
    /RT0017/,
  ],
  [
    "a promise of a plain service",
    answers(
      {
        type: MessageType.GetPromiseCommand,
        name: "",
        key: "p",
        resultCompletionId: 1,
      },
      suspension(1),
    ),
    /RT0017/,
  ],
  ["a call with a key to a plain service", answers(call("Good", "k"), suspension(2)), /RT0017/],
  ["a call to nobody", answers(call("Nobody", ""), suspension(2)), /RT0018/],
  ["an error", answers(failing(500)), /RT0007/],
  ["an error of the journal", answers(failing(570)), /RT0016/],
  ["an error of the protocol", answers(failing(571)), /RT0012/],
  ["a reset", ({ stream }) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), /RT0010/],
  ["a closed connection", ({ stream }) => stream.session?.destroy(), /RT0010/],
  [
    "a connection that closes in the middle",
    ({ stream, answer }) => {
      answer([sleep(1)], true);
      setTimeout(() => stream.session?.destroy(), 20);
    },
    /RT0010/,
  ],
  ["no answer", () => {}, /RT0001/, HASTY],
  ["an answer that never ends", ({ answer }) => answer([sleep(1)], true), /RT0001/, HASTY],
  [
    "a stream of dust",
    ({ stream, answer }) => {
      answer([], true);
      const timer = setInterval(() => stream.write(Uint8Array.of(4)), 10);
      stream.on("close", () => clearInterval(timer));
    },
    /RT00(01|03|12)/,
    HASTY,
  ],
];

describe("an endpoint that answers with", { concurrency: true, ...OURS }, () => {
  for (const [index, [title, behave, code, options = {}]] of FAILURES.entries()) {
    it(`${title} is told what it did`, async () => {
      const name = `Hostile${index}`;
      await lab.register(await hostile({ name, options: { ...TWICE, ...options } }, behave));
      const id = await lab.send(`/${name}/run`);
      await lab.until(id, "paused");
      const failure = at(await lab.invocation(id), "last_failure");
      assert.match(String(at(failure, "error_code")), code, JSON.stringify(failure));
      assert.match(String(at(failure, "message")), /\w+ \w+/);
      const [row] = await lab.sql(
        `SELECT last_failure_error_code FROM sys_invocation WHERE id = '${id}'`,
      );
      assert.match(String(at(row, "last_failure_error_code")), code);
      assert.equal(await lab.patch(id, "kill"), 200);
    });
  }
});

/** What is odd, but no reason to fail. */
const ODD: readonly (readonly [title: string, Behaviour, expected: string])[] = [
  ["an output after the end", answers(output('"first"'), END, output('"second"'), END), '"first"'],
  ["garbage after the end", answers(JSON_OUTPUT, END, utf8("garbage")), '"ok"'],
  ["two outputs: the last counts", answers(output('"first"'), output('"second"'), END), '"second"'],
  [
    "one completion id twice",
    ({ number, answer }) =>
      answer(number === 1 ? [sleep(1), sleep(1), suspension(1)] : [JSON_OUTPUT, END]),
    '"ok"',
  ],
  [
    "a suspension on what has happened",
    ({ number, answer }) => answer(number === 1 ? [sleep(1), suspension(1)] : [JSON_OUTPUT, END]),
    '"ok"',
  ],
  [
    "bytes one at a time",
    ({ stream, answer }) => {
      answer([], true);
      const bytes = [4, 1, 0, 0, 0, 0, 0, 6, 0x72, 4, 0x0a, 2, 0x34, 0x32, 0, 3, 0, 0, 0, 0, 0, 0];
      const timer = setInterval(() => {
        const byte = bytes.shift();
        if (byte !== undefined) stream.write(Uint8Array.of(byte));
        if (bytes.length > 0) return;
        clearInterval(timer);
        stream.end();
      }, 2);
    },
    "42",
  ],
  [
    "a large value in many frames of HTTP/2",
    answers(output(JSON.stringify("x".repeat(900_000))), END),
    JSON.stringify("x".repeat(900_000)),
  ],
];

describe("an endpoint may answer with", { concurrency: true }, () => {
  for (const [index, [title, behave, expected]] of ODD.entries()) {
    it(title, async () => {
      const name = `Odd${index}`;
      await lab.register(await hostile({ name, options: TWICE }, behave));
      const answer = await lab.ask(`/${name}/run`);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, expected);
    });
  }

  it("an error that asks to be paused, or to fail", OURS, async () => {
    const pauses = answers(failing(500, { behavior: 1 }));
    await lab.register(await hostile({ name: "AsksPause" }, pauses));
    const id = await lab.send("/AsksPause/run");
    await lab.until(id, "paused");
    const fails = answers(failing(511, { behavior: 2 }));
    await lab.register(await hostile({ name: "AsksFail" }, fails));
    const answer = await lab.ask("/AsksFail/run");
    assert.equal(answer.status, 511, answer.text);
    assert.equal(at(answer.json, "message"), "the endpoint says no");
  });

  it("commands that ask for an acknowledgement, which they get", async () => {
    const behave: Behaviour = ({ stream, received, answer }) => {
      answer([frame(MessageType.SleepCommand, 8, 1, 0x58, 1).map(flagged)], true);
      stream.on("data", () => {
        if (!received.includes(MessageType.CommandAck)) return;
        stream.write(Buffer.concat([encodeMessage(JSON_OUTPUT), encodeMessage(END)]));
        stream.end();
      });
    };
    await lab.register(await hostile({ name: "Acknowledged" }, behave));
    assert.equal((await lab.ask("/Acknowledged/run")).text, '"ok"');
  });

  it("V5, and a proposal that asks for an acknowledgement, which V7 alone has", async () => {
    let contentType = "";
    const behave: Behaviour = (attempt) => {
      const { stream, received, answer } = attempt;
      contentType = attempt.contentType;
      const proposal = frame(MessageType.ProposeRunCompletion, 8, 1, 0x72, 1, 0x31);
      answer([frame(MessageType.RunCommand, 0x58, 1), proposal.map(flagged)], true);
      stream.on("data", () => {
        if (!received.includes(MessageType.RunCompletion)) return;
        assert(!received.includes(MessageType.ProposeRunCompletionAck));
        stream.write(Buffer.concat([encodeMessage(JSON_OUTPUT), encodeMessage(END)]));
        stream.end();
      });
    };
    await lab.register(await hostile({ name: "VersionFive", maxProtocolVersion: 5 }, behave));
    assert.equal((await lab.ask("/VersionFive/run")).text, '"ok"');
    assert.equal(contentType, "application/vnd.restate.invocation.v5");
  });

  it("an error that names the time of the next try, which uses up no attempt", async () => {
    const behave: Behaviour = ({ number, answer }) =>
      answer(number <= 6 ? [failing(500, { nextRetryDelayMs: 1 })] : [JSON_OUTPUT, END]);
    await lab.register(await hostile({ name: "AsksLater", options: TWICE }, behave));
    assert.equal((await lab.ask("/AsksLater/run")).text, '"ok"');
  });
});

it("an endpoint that limits its load is not asked over and over", OURS, async () => {
  let asked = 0;
  const behave: Behaviour = (attempt) => {
    asked += 1;
    status(429, { "retry-after": "0" })(attempt);
  };
  await lab.register(await hostile({ name: "Limits" }, behave));
  const id = await lab.send("/Limits/run");
  await pause(500);
  assert(asked >= 1 && asked < 50, `${asked} requests in half a second`);
  assert.equal(await lab.patch(id, "kill"), 200);
});

describe("what happens to others", { concurrency: true }, () => {
  it("nothing, while an endpoint floods the server", OURS, async () => {
    const endless: Behaviour = ({ stream, answer }) => {
      answer([], true);
      let id = 0;
      const more = (): void => {
        while (!stream.destroyed && stream.write(Buffer.from(flood((id += 1)))));
      };
      stream.on("drain", more);
      more();
    };
    await lab.register(await hostile({ name: "Flood" }, endless));
    const id = await lab.send("/Flood/run");
    await pause(150);
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        lab.run(`/GoodObject/k${index}/run`, ["set", "a", index], ["sleep", 5], ["get", "a"]),
      ),
    );
    assert.deepEqual(
      results,
      Array.from({ length: 10 }, (_, index) => [null, null, index]),
    );
    assert.equal(await lab.patch(id, "kill"), 200);
    await eventually(async () => assert.equal(await lab.status(id), "completed"));
  });

  it("the key of an object is free again when its hostile handler is killed", async () => {
    const behave: Behaviour = ({ number, answer }) =>
      number === 1 ? answer([], true) : answer([JSON_OUTPUT, END]);
    await lab.register(await hostile({ name: "HostileObject", ty: "VIRTUAL_OBJECT" }, behave));
    const id = await lab.send("/HostileObject/k/run");
    await lab.until(id, "running");
    assert.equal(await lab.patch(id, "kill"), 200);
    assert.equal((await lab.ask("/HostileObject/k/run")).text, '"ok"');
  });

  it("the server is there at the end of it all", async () => {
    assert.equal((await lab.tell("GET", "/health")).status, 200);
    assert.deepEqual(await lab.run("/Good/run", ["step", "alive", 1]), [1]);
  });
});

/** A name that is set over and over. */
function flood(id: number): Uint8Array {
  return frame(MessageType.SleepCommand, 8, 1, 0x58, 0x80 | (id & 0x7f), 1 + ((id >> 7) & 0x3f));
}

const MANIFEST = "application/vnd.restate.endpointmanifest.v4+json";
const MINIMAL = { protocolMode: "BIDI_STREAM", minProtocolVersion: 5, maxProtocolVersion: 6 };
const service = (more: object) => ({ ...MINIMAL, services: [{ handlers: [], ...more }] });
type Discovery = readonly [
  title: string,
  body: unknown,
  code: RegExp,
  contentType?: string,
  status?: number,
];

const DISCOVERIES: readonly Discovery[] = [
  ["no JSON", "{", /META0013/],
  ["another content type", MINIMAL, /META0013/, "application/json"],
  [
    "a content type with parameters",
    { ...MINIMAL, services: [] },
    /META0013/,
    `${MANIFEST}; charset=utf-8`,
  ],
  ["unknown fields", { ...MINIMAL, services: [], surprise: 1 }, /META0013/],
  ["no services", MINIMAL, /META0013/],
  [
    "versions nobody speaks",
    { ...MINIMAL, minProtocolVersion: 8, maxProtocolVersion: 9, services: [] },
    /META0012/,
  ],
  [
    "versions of long ago",
    { ...MINIMAL, minProtocolVersion: 1, maxProtocolVersion: 3, services: [] },
    /META0012/,
  ],
  ["a reserved name", service({ name: "restateful", ty: "SERVICE" }), /META0005/],
  ["an unknown type", service({ name: "X", ty: "ROBOT" }), /META0013/],
  ["a status that is no success", "", /META0003/, "text/plain", 418],
];

describe(
  "an endpoint is not registered that answers discovery with",
  { concurrency: true, ...OURS },
  () => {
    for (const [title, body, code, contentType = MANIFEST, statusCode = 200] of DISCOVERIES) {
      it(title, async () => {
        const server = http2.createServer((_request, response) => {
          response.writeHead(statusCode, { "content-type": contentType });
          response.end(typeof body === "string" ? body : JSON.stringify(body));
        });
        const endpoint = await listen(server);
        const answer = await lab.tell("POST", "/deployments", { uri: endpoint.url });
        await endpoint.close();
        assert(answer.status >= 400, answer.text);
        assert.match(String(at(answer.json, "restate_code")), code, answer.text);
        assert.match(String(at(answer.json, "message")), /\w+ \w+/);
      });
    }

    it("HTTP/1.1 alone, unless that is asked for", async () => {
      const body = JSON.stringify({ ...MINIMAL, services: [] });
      const server = http.createServer((_request, response) => {
        response.writeHead(200, { "content-type": MANIFEST }).end(body);
      });
      const endpoint = await listen(server);
      const refused = await lab.tell("POST", "/deployments", { uri: endpoint.url });
      assert(refused.status >= 400);
      assert.match(String(at(refused.json, "restate_code")), /META00(14|03)/);
      await lab.register(endpoint);
    });
  },
);
