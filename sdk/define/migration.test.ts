/**
 * Changing the import is the migration: the same file is type-checked against both SDKs, announces the same services, and
 * answers the same messages with the same messages.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2, { type ClientHttp2Session } from "node:http2";
import { after, describe, it } from "node:test";
import { decodeMessage, encodeMessage } from "../protocol/codec.ts";
import { FrameDecoder } from "../protocol/frame.ts";
import { parseManifest } from "../protocol/manifest.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Message } from "../protocol/messages.ts";
import {
  called,
  CANCEL,
  completion,
  invocationId,
  input,
  ran,
  signal,
  slept,
  start,
  value,
} from "../replay/machine.suite.ts";

/** Node 20 has no `Promise.withResolvers`, which the official SDK calls. */
Object.assign(Promise, {
  withResolvers() {
    let resolve: unknown;
    let reject: unknown;
    const promise = new Promise((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    return { promise, resolve, reject };
  },
});

const FILES = ["sdk/define/migration-holdfast.suite.ts", "sdk/define/migration-official.suite.ts"];
const NAMES = ["@holdfast/sdk", "@restatedev/restate-sdk"];
const CLIENT_NAMES = ["@holdfast/sdk/client", "@restatedev/restate-sdk-clients"];

const opened: (() => void)[] = [];
after(() => {
  for (const close of opened.toReversed()) close();
});

async function serve(modulePath: "holdfast" | "official"): Promise<ClientHttp2Session> {
  // Imported late: what the official SDK prints on import and on invocations goes nowhere.
  process.env["RESTATE_LOGGING"] = "ERROR";
  const { handler } =
    modulePath === "holdfast"
      ? await import("./migration-holdfast.suite.ts")
      : await import("./migration-official.suite.ts");
  const server = http2.createServer(handler);
  opened.push(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const session = http2.connect(`http://127.0.0.1:${address.port}`);
  opened.push(() => session.destroy());
  return session;
}

const sessions = [serve("holdfast"), serve("official")];

async function manifestOf(session: ClientHttp2Session): Promise<unknown> {
  const accept = "application/vnd.restate.endpointmanifest.v4+json";
  const stream = session.request({ ":path": "/discover", accept });
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(stream, "end");
  // Ours does not speak V7.
  return { ...parseManifest(JSON.parse(text)), maxProtocolVersion: 0 };
}

/** What the endpoint answers to the entries, and to `reply` for each of its messages. */
async function drive(
  session: ClientHttp2Session,
  path: string,
  entries: readonly Message[],
  reply: (message: Message) => Message[],
): Promise<unknown[]> {
  const stream = session.request({
    ":method": "POST",
    ":path": `/invoke/${path}`,
    "content-type": "application/vnd.restate.invocation.v6",
  });
  const first = [start(entries.length), ...entries].map((message) => encodeMessage(message));
  stream.write(Buffer.concat(first));
  const decoder = new FrameDecoder(1 << 25);
  const messages: unknown[] = [];
  stream.on("data", (chunk: Buffer) => {
    decoder.push(new Uint8Array(chunk));
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const message = decodeMessage(frame.type, frame.body);
      messages.push(timeless(message));
      for (const answer of reply(message)) stream.write(encodeMessage(answer));
      const { type } = message;
      const isLast =
        type === MessageType.End || type === MessageType.Error || type === MessageType.Suspension;
      if (isLast && !stream.writableEnded) stream.end();
    }
  });
  const idle = setTimeout(() => stream.end(), 300);
  await once(stream, "end");
  clearTimeout(idle);
  return messages;
}

/** Without what depends on the clock, and without words that each SDK has of its own. */
function timeless(message: Message): unknown {
  switch (message.type) {
    case MessageType.SleepCommand:
      return { ...message, wakeUpTimeMs: message.wakeUpTimeMs > 0 };
    case MessageType.OneWayCallCommand:
      return { ...message, invokeTimeMs: message.invokeTimeMs > 0 };
    case MessageType.Error:
      return { ...message, stacktrace: "", message: message.code === 570 ? "" : message.message };
    default:
      return message;
  }
}

/** Records steps, and has every call answered. */
function serverLike(message: Message): Message[] {
  switch (message.type) {
    case MessageType.ProposeRunCompletion:
      return [ran(message.resultCompletionId, message.result)];
    case MessageType.OneWayCallCommand:
      return [invocationId(message.invocationIdCompletionId)];
    case MessageType.CallCommand: {
      const result = message.handler === "ping" ? value("") : value("7");
      return [
        invocationId(message.invocationIdCompletionId),
        called(message.resultCompletionId, result),
      ];
    }
    case MessageType.SleepCommand:
      return message.name === "timer" ? [slept(message.resultCompletionId)] : [];
    default:
      return [];
  }
}

const nothing = (): Message[] => [];
const order = '{"id":"1","amountCents":5}';

const CASES: readonly (readonly [string, string, Message[], (message: Message) => Message[]])[] = [
  ["a step", "Payments/charge", [input(order)], serverLike],
  ["a terminal error", "Payments/charge", [input('{"id":"1","amountCents":0}')], serverLike],
  ["a handler of bytes", "Payments/upload", [input("abc")], serverLike],
  ["a handler of nothing", "Payments/ping", [input()], serverLike],
  ["calls", "Shop/place", [input(order)], serverLike],
  ["calls that are not answered", "Shop/place", [input(order)], nothing],
  ["an awakeable", "Shop/wait", [input()], nothing],
  [
    "an awakeable that is resolved",
    "Shop/wait",
    [input(), signal(17, value('{"reference":"r"}'))],
    nothing,
  ],
  [
    "an awakeable that is too late",
    "Shop/wait",
    [input()],
    (message) =>
      message.type === MessageType.SleepCommand ? [slept(message.resultCompletionId)] : [],
  ],
  ["a cancellation", "Shop/wait", [input(), CANCEL], nothing],
  ["combinations", "Shop/combine", [input()], serverLike],
  [
    "a cancellation of calls",
    "Shop/place",
    [input(order)],
    (message) =>
      message.type === MessageType.CallCommand
        ? [invocationId(message.invocationIdCompletionId), CANCEL]
        : [],
  ],
  [
    "another step in the journal",
    "Payments/charge",
    [input(order), { type: MessageType.RunCommand, name: "other", resultCompletionId: 1 }],
    nothing,
  ],
  [
    "a replay",
    "Payments/charge",
    [
      input(order),
      { type: MessageType.RunCommand, name: "charge", resultCompletionId: 1 },
      completion(MessageType.RunCompletion, 1, value('"1-5"')),
    ],
    nothing,
  ],
];

describe("a service file whose import is changed", () => {
  it("is the same file", () => {
    const [ours = "", theirs = ""] = FILES.map((file) => readFileSync(file, "utf8"));
    const [client = "", otherClient = ""] = CLIENT_NAMES;
    const [name = "", otherName = ""] = NAMES;
    const changed = ours.replaceAll(`"${client}"`, `"${otherClient}"`);
    assert.equal(changed.replaceAll(`"${name}"`, `"${otherName}"`), theirs);
    assert.notEqual(ours, theirs);
  });

  it("announces the same services", async () => {
    const [ours, theirs] = await Promise.all(sessions.map(async (each) => manifestOf(await each)));
    assert.deepEqual(ours, theirs);
  });

  for (const [what, path, entries, reply] of CASES) {
    it(`answers ${what} with the same messages`, async () => {
      const [ours, theirs] = await Promise.all(
        sessions.map(async (session) => drive(await session, path, entries, reply)),
      );
      assert.deepEqual(ours, theirs);
    });
  }
});
