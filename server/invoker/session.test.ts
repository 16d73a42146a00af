import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeBody, encodeMessage } from "../../sdk/protocol/codec.ts";
import { encodeFrame } from "../../sdk/protocol/frame.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { ErrorMessage, Future, Message } from "../../sdk/protocol/messages.ts";
import type { Input } from "../machine/input.ts";
import {
  ATTEMPT,
  bytesOf,
  END,
  FakeDoor,
  framesOf,
  INPUT,
  OUTPUT,
  RUN,
  runCompletion,
  SUSPENSION,
  text,
} from "./fixtures.suite.ts";
import { type Ending, Session, type SessionOptions } from "./session.ts";

const MESSAGE_BYTES_MAX = 1000;

interface World {
  readonly door: FakeDoor;
  readonly session: Session;
  readonly endings: Ending[];
}

function newSession(over: Partial<SessionOptions> & { readonly version?: number } = {}): World {
  const { version: protocolVersion = 6, ...options } = over;
  const door = new FakeDoor();
  const endings: Ending[] = [];
  const session = new Session({
    attempt: { ...ATTEMPT, protocolVersion },
    door,
    knownEntries: 1,
    messageBytesMax: MESSAGE_BYTES_MAX,
    steps: null,
    onOver: (ending) => endings.push(ending),
    ...options,
  });
  return { door, session, endings };
}

/** What bytes of an endpoint become. */
function inputsOf(...bytes: Uint8Array[]): FakeDoor {
  return inputsIn(6, ...bytes);
}

/** The same in another protocol version. */
function inputsIn(version: number, ...bytes: Uint8Array[]): FakeDoor {
  const { door, session } = newSession({ version });
  for (const chunk of bytes) session.receive(chunk);
  return door;
}

/** The inputs as text, byte arrays of any kind alike. */
function printed({ inputs }: FakeDoor): string {
  return JSON.stringify(inputs, (_key, value: unknown) =>
    value instanceof Uint8Array ? [...value] : value,
  ).replaceAll(/\{"type":"Buffer","data":(\[[\d,]*\])\}/g, "$1");
}

const PROPOSAL: Message = {
  type: MessageType.ProposeRunCompletion,
  resultCompletionId: 1,
  result: { kind: "value", value: text("42") },
};

describe("a session takes messages", () => {
  it("submits each command with its raw body, then the end", () => {
    const door = inputsOf(bytesOf(RUN, OUTPUT, END));
    assert.deepEqual(door.types, ["append-command", "append-command", "end"]);
    const [first] = door.inputs;
    assert(first?.type === "append-command");
    assert.deepEqual(first.command, RUN);
    assert.deepEqual(Buffer.from(first.body), Buffer.from(encodeBody(RUN)));
    assert.deepEqual(first.attempt, ATTEMPT);
    assert.equal(first.ackRequested, false);
  });

  it("passes on that an acknowledgement is wanted", () => {
    const [first] = inputsOf(encodeMessage(RUN, true)).inputs;
    assert(first?.type === "append-command" && first.ackRequested);
  });

  it("submits the result of a step", () => {
    const [first] = inputsOf(bytesOf(PROPOSAL)).inputs;
    assert(first?.type === "propose-run");
    assert.equal(first.completionId, 1);
    assert.deepEqual(
      first.result.kind === "value" && Buffer.from(first.result.value),
      Buffer.from("42"),
    );
  });

  it("submits a suspension with how much was replayed", () => {
    const { door, session } = newSession({ knownEntries: 7 });
    session.receive(bytesOf(SUSPENSION));
    const [first] = door.inputs;
    assert(first?.type === "suspend");
    assert.equal(first.knownEntries, 7);
    assert.deepEqual(first.suspension.completions, [1]);
    assert(session.isOver);
  });

  it("drops what follows the end", () => {
    const door = inputsOf(bytesOf(OUTPUT, END, RUN, END), bytesOf(RUN), text("garbage"));
    assert.deepEqual(door.types, ["append-command", "end"]);
  });

  it("says how many frames a chunk completed", () => {
    const { session } = newSession();
    const bytes = bytesOf(RUN, PROPOSAL);
    assert.equal(session.receive(bytes.subarray(0, 10)), 0);
    assert.equal(session.receive(bytes.subarray(10)), 2);
  });

  it("gives the same inputs for any cut of the bytes", () => {
    const bytes = bytesOf(RUN, PROPOSAL, OUTPUT, END);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((to, index) => bytes.subarray(at[index] ?? 0, to));
        assert.equal(printed(inputsOf(...chunks)), printed(inputsOf(bytes)));
      }),
    );
  });
});

describe("a session refuses what an endpoint may not send", () => {
  const violations: [string, Uint8Array, RegExp][] = [
    ["an Input", bytesOf(INPUT), /InputCommand/],
    ["a notification", bytesOf(runCompletion(1)), /RunCompletion.*notification/],
    ["a signal", encodeFrame(0xfbff, new Uint8Array(0)), /Signal.*notification/],
    ["Start", encodeFrame(0x0000, new Uint8Array(0)), /Start/],
    ["CommandAck", bytesOf({ type: MessageType.CommandAck, commandIndex: 1 }), /CommandAck/],
    [
      "ProposeRunCompletionAck",
      bytesOf({ type: MessageType.ProposeRunCompletionAck, completionId: 1 }),
      /ProposeRunCompletionAck/,
    ],
    ["AwaitingOn, which is V7", encodeFrame(0x0006, new Uint8Array(0)), /AwaitingOn/],
    ["an unknown control message", encodeFrame(0x0300, new Uint8Array(0)), /unknown type 0x0300/],
    ["an unknown command", encodeFrame(0x040f, new Uint8Array(0)), /unknown type 0x040f/],
    ["a custom command", encodeFrame(0xfc01, new Uint8Array(0)), /unknown type 0xfc01/],
    ["a body that does not decode", encodeFrame(0x0411, text("\xff\xff")), /do not decode/],
    ["an Output without result", encodeFrame(0x0401, new Uint8Array(0)), /do not decode/],
    ["a proposal without result", encodeFrame(0x0005, new Uint8Array([8, 1])), /do not decode/],
    ["a Suspension for nothing", encodeFrame(0x0001, new Uint8Array(0)), /waits for nothing/],
    [
      "a Suspension with a tree, which is V7",
      encodeFrame(0x0001, new Uint8Array([0x22, 3, 0x0a, 1, 1])),
      /does not name/,
    ],
  ];
  for (const [what, bytes, message] of violations) {
    it(`fails on ${what}`, () => {
      const door = inputsOf(bytes, bytesOf(OUTPUT, END));
      assert.deepEqual(door.types, ["fail"]);
      const { failure, behavior, countsForSdk, retryAfterMs } = door.failure;
      assert.equal(failure.errorCode, "RT0012");
      assert.equal(failure.code, 571);
      assert.match(failure.message, message);
      assert.deepEqual([behavior, countsForSdk, retryAfterMs], ["retry", true, null]);
    });
  }

  it("fails as soon as a header announces too much", () => {
    const header = encodeFrame(0x0411, new Uint8Array(MESSAGE_BYTES_MAX + 1)).subarray(0, 8);
    const door = inputsOf(header);
    assert.equal(door.failure.failure.errorCode, "RT0003");
    assert.match(door.failure.failure.message, /1001 bytes.*--max-message-size/);
  });

  it("keeps the commands before a violation", () => {
    assert.deepEqual(inputsOf(bytesOf(RUN, INPUT)).types, ["append-command", "fail"]);
  });

  it("never throws and never submits after the end, whatever the bytes", () => {
    const frame = fc
      .tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 30 }))
      .map(([type, body]) => encodeFrame(type, body));
    const known = fc.constantFrom(bytesOf(RUN), bytesOf(END), bytesOf(OUTPUT), bytesOf(SUSPENSION));
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array(), frame, known)), (chunks) => {
        const { door, session } = newSession();
        for (const chunk of chunks) session.receive(chunk);
        session.receiveEnd();
        const last = door.types.pop();
        assert(last === "end" || last === "suspend" || last === "fail");
        assert(door.types.slice(0, -1).every((type) => /append|propose/.test(type)));
      }),
      { numRuns: 500 },
    );
  });
});

describe("a session that suspends", () => {
  it("may not wait for more than anybody does", () => {
    const completions = Array.from({ length: 10_001 }, (_, index) => index);
    const none = { signals: [], namedSignals: [] };
    const { door, session } = newSession({ messageBytesMax: 1024 * 1024 });
    session.receive(bytesOf({ type: MessageType.Suspension, completions, ...none }));
    const { failure } = door.failure;
    assert.equal(failure.errorCode, "RT0012");
    assert.match(failure.message, /10001 results/);
  });
});

describe("a session in V7", () => {
  const tree = (over: Partial<Future> = {}): Future => ({
    completions: [],
    signals: [],
    namedSignals: [],
    nested: [],
    combinator: 1,
    ...over,
  });
  const suspension = (awaitingOn?: Future, completions: readonly number[] = []): Message => ({
    type: MessageType.Suspension,
    completions,
    signals: [],
    namedSignals: [],
    ...(awaitingOn === undefined ? {} : { awaitingOn }),
  });
  const hint = (awaitingOn: Future): Message => ({
    type: MessageType.AwaitingOn,
    awaitingOn,
    executingSideEffects: false,
  });
  const race = tree({ signals: [1], nested: [tree({ completions: [3], combinator: 2 })] });

  it("suspends on a tree, and on nothing besides", () => {
    const [first] = inputsIn(7, bytesOf(suspension(race, [9]))).inputs;
    assert(first?.type === "suspend");
    assert.deepEqual(first.suspension, suspension(race));
  });

  it("keeps what the handler says that it awaits, until it goes on", () => {
    const { door, session } = newSession({ version: 7 });
    const said = (): Future | null => session.awaitingOn;
    assert.equal(said(), null);
    session.receive(bytesOf(hint(race)));
    assert.deepEqual(said(), race);
    session.receive(bytesOf(PROPOSAL));
    assert.deepEqual(said(), race);
    session.receive(bytesOf(hint(tree({ completions: [4] }))));
    assert.deepEqual(said()?.completions, [4]);
    session.receive(bytesOf(RUN));
    assert.equal(said(), null);
    assert.deepEqual(door.types, ["propose-run", "append-command"]);
  });

  it("asks for no more than an acknowledgement where the endpoint does", () => {
    for (const [version, isAsked, expected] of [
      [7, true, true],
      [7, false, false],
      [6, true, false],
      [5, true, false],
    ] as const) {
      const first: Input | undefined = inputsIn(version, encodeMessage(PROPOSAL, isAsked))
        .inputs[0];
      assert(first?.type === "propose-run");
      assert.equal(first.ackRequested, expected, `${version}, ${isAsked}`);
    }
  });

  it("acknowledges a step in the place of its entry", () => {
    const { session } = newSession({ version: 7, knownEntries: 3 });
    assert.equal(session.acknowledgeRun(2, 1), undefined);
    const [frame] = framesOf(session.acknowledgeRun(4, 9) ?? new Uint8Array(0));
    assert.deepEqual(
      [frame?.type, Buffer.from(frame?.body ?? [])],
      [MessageType.ProposeRunCompletionAck, Buffer.from([8, 9])],
    );
    const body = encodeBody(runCompletion(9));
    assert.equal(session.forward(4, MessageType.RunCompletion, body), undefined);
    assert.equal(session.acknowledgeRun(4, 9), undefined);
    assert.notEqual(session.forward(5, MessageType.RunCompletion, body), undefined);
  });

  const many = Array.from({ length: 10_001 }, (_, index) => index);
  const violations: [string, Uint8Array, RegExp][] = [
    ["a suspension with lists", bytesOf(suspension(undefined, [1])), /lists.*earlier protocol/],
    ["a suspension for nothing", bytesOf(suspension(tree())), /does not name/],
    [
      "a suspension for nothing in many branches",
      bytesOf(suspension(tree({ nested: [tree(), tree({ nested: [tree()] })] }))),
      /does not name/,
    ],
    ["too many leaves", bytesOf(suspension(tree({ signals: many }))), /10001 results/],
    [
      "too many branches",
      bytesOf(suspension(tree({ signals: [1], nested: many.map(() => tree()) }))),
      /10002 results/,
    ],
    [
      "too many leaves together",
      bytesOf(
        suspension(
          tree({
            nested: [
              tree({ completions: many.slice(0, 6000) }),
              tree({ namedSignals: many.slice(0, 6000).map(String) }),
            ],
          }),
        ),
      ),
      /12002 results/,
    ],
    ["a hint for nothing", bytesOf(hint(tree())), /does not name/],
    ["a hint without a tree", encodeFrame(0x0006, new Uint8Array([0x10, 1])), /no await tree/],
  ];
  for (const [what, bytes, message] of violations) {
    it(`refuses ${what}`, () => {
      const { door, session } = newSession({ version: 7, messageBytesMax: 1024 * 1024 });
      session.receive(bytes);
      session.receive(bytesOf(OUTPUT, END));
      assert.deepEqual(door.types, ["fail"]);
      assert.equal(door.failure.failure.errorCode, "RT0012");
      assert.match(door.failure.failure.message, message);
    });
  }

  it("drops the tree where it was not agreed on, since it is an unknown field there", () => {
    for (const version of [5, 6]) {
      const [first] = inputsIn(version, bytesOf(suspension(race, [9]))).inputs;
      assert(first?.type === "suspend");
      assert.deepEqual(first.suspension, suspension(undefined, [9]));
    }
  });
});

describe("a session tells how it ended, once", () => {
  const cases: [string, (session: Session) => void, string][] = [
    ["with End", (session) => void session.receive(bytesOf(OUTPUT, END)), "completed"],
    ["with a suspension", (session) => void session.receive(bytesOf(SUSPENSION)), "suspended"],
    ["with what it may not send", (session) => void session.receive(bytesOf(INPUT)), "failed"],
    ["with the response", (session) => session.receiveEnd(), "failed"],
    ["abandoned", (session) => session.abandon(), "cut"],
  ];
  for (const [what, end, status] of cases) {
    it(what, () => {
      const { door, session, endings } = newSession();
      end(session);
      session.abandon();
      session.receiveEnd();
      session.receive(bytesOf(RUN));
      assert.deepEqual(
        endings.map((ending) => ending.status),
        [status],
      );
      const [ending] = endings;
      if (ending?.status !== "failed") return;
      assert.equal(ending.failing.failure, door.failure.failure);
    });
  }
});

describe("a session reports errors of the handler", () => {
  const error = (over: Partial<ErrorMessage>): ErrorMessage => ({
    type: MessageType.Error,
    code: 500,
    message: "boom",
    stacktrace: "",
    ...over,
  });

  it("keeps no more of a text than people read", () => {
    const long = "x".repeat(1_000_000);
    const { failure } = inputsOf(
      bytesOf(error({ message: long, stacktrace: long, relatedCommandName: long })),
    ).failure;
    assert(failure.message.length <= 8 * 1024);
    assert((failure.stacktrace ?? "").length <= 32 * 1024);
    assert((failure.relatedCommandName ?? "").length <= 256);
  });

  it("keeps code, stack, related command and the wanted delay", () => {
    const door = inputsOf(
      bytesOf(
        error({
          code: 418,
          stacktrace: "at line 1",
          relatedCommandIndex: 1,
          relatedCommandName: "step",
          relatedCommandType: 1041,
          nextRetryDelayMs: 50,
        }),
      ),
    );
    assert.deepEqual(door.failure, {
      type: "fail",
      attempt: ATTEMPT,
      failure: {
        code: 418,
        errorCode: "RT0007",
        message: "boom",
        stacktrace: "at line 1",
        relatedCommandIndex: 1,
        relatedCommandName: "step",
        relatedCommandType: 1041,
      },
      retryAfterMs: 50,
      behavior: "retry",
      countsForSdk: true,
    });
  });

  for (const [code, errorCode] of [
    [570, "RT0016"],
    [571, "RT0012"],
    [599, "RT0007"],
  ] as const) {
    it(`calls an error ${code} ${errorCode}`, () => {
      assert.equal(inputsOf(bytesOf(error({ code }))).failure.failure.errorCode, errorCode);
    });
  }

  it("reads codes that are none as 500", () => {
    assert.equal(inputsOf(bytesOf(error({ code: 0 }))).failure.failure.code, 500);
    assert.equal(inputsOf(bytesOf(error({ code: 70_000 }))).failure.failure.code, 500);
  });

  it("obeys pause and fail", () => {
    assert.equal(inputsOf(bytesOf(error({ behavior: 1 }))).failure.behavior, "pause");
    assert.equal(inputsOf(bytesOf(error({ behavior: 2 }))).failure.behavior, "fail");
  });

  it("tells apart a delay of zero from none, and bounds a long one", () => {
    assert.equal(inputsOf(bytesOf(error({ nextRetryDelayMs: 0 }))).failure.retryAfterMs, 0);
    assert.equal(inputsOf(bytesOf(error({}))).failure.retryAfterMs, null);
    const far = inputsOf(bytesOf(error({ nextRetryDelayMs: Number.MAX_SAFE_INTEGER })));
    assert.equal(far.failure.retryAfterMs, 365 * 24 * 3600 * 1000);
  });
});

describe("a session at the end of the response", () => {
  it("fails when nothing ended the attempt", () => {
    const { door, session } = newSession();
    session.receive(bytesOf(RUN));
    session.receiveEnd();
    assert.equal(door.failure.failure.errorCode, "RT0007");
    assert.equal(door.failure.failure.code, 500);
    assert.match(door.failure.failure.message, /between two messages/);
  });

  it("says when it was cut within a message", () => {
    const { door, session } = newSession();
    session.receive(bytesOf(RUN).subarray(0, 9));
    session.receiveEnd();
    assert.match(door.failure.failure.message, /9 bytes into a message/);
  });

  it("is silent after End", () => {
    const { door, session } = newSession();
    session.receive(bytesOf(OUTPUT, END));
    session.receiveEnd();
    assert.deepEqual(door.types, ["append-command", "end"]);
  });

  it("is silent once abandoned", () => {
    const { door, session } = newSession();
    session.abandon();
    session.receive(bytesOf(OUTPUT));
    session.receiveEnd();
    assert.deepEqual(door.types, []);
  });
});

describe("a session forwards what was stored", () => {
  it("sends a notification as it is stored, once, and nothing that was replayed", () => {
    const { session } = newSession({ knownEntries: 3 });
    const body = encodeBody(runCompletion(1));
    assert.equal(session.forward(2, MessageType.RunCompletion, body), undefined);
    const bytes = session.forward(3, MessageType.RunCompletion, body);
    assert.deepEqual(
      framesOf(bytes ?? new Uint8Array(0)).map((frame) => [frame.type, Buffer.from(frame.body)]),
      [[MessageType.RunCompletion, Buffer.from(body)]],
    );
    assert.equal(session.forward(3, MessageType.RunCompletion, body), undefined);
    assert.notEqual(session.forward(5, MessageType.RunCompletion, body), undefined);
  });

  it("acknowledges a command by its index", () => {
    const [frame] = framesOf(newSession().session.acknowledge(4));
    assert.deepEqual(
      [frame?.type, Buffer.from(frame?.body ?? [])],
      [MessageType.CommandAck, Buffer.from([8, 4])],
    );
  });
});
