import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeMessage,
  decodeNotificationId,
  decodeRunCompletionId,
  encodeBody,
  encodeMessage,
} from "./codec.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";
import { FUTURE_DEPTH_DECODED_MAX, MESSAGE_BYTES_MAX_DEFAULT } from "./limits.ts";
import { MessageType } from "./message-type.ts";
import type { Future, Message } from "./messages.ts";
import {
  ALL_TYPES,
  anyMessage,
  anyNotification,
  MESSAGES,
  NOTIFICATION_TYPES,
} from "./messages.suite.ts";
import { ProtocolError } from "./protocol-error.ts";

const T = MessageType;
const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decodeHex = (type: number, text: string): Message => decodeMessage(type, hex(text));

function assertUndecodable(type: number, body: Uint8Array, message?: RegExp): void {
  assert.throws(
    () => decodeMessage(type, body),
    (error) =>
      error instanceof ProtocolError &&
      error.code === 500 &&
      (message === undefined || message.test(error.message)),
  );
}

test("every message decodes to what was encoded", () => {
  for (const messages of MESSAGES) {
    fc.assert(
      fc.property(messages, (message) => {
        assert.deepEqual(decodeMessage(message.type, encodeBody(message)), message);
      }),
      { numRuns: 200 },
    );
  }
});

test("the arbitrary messages cover every type", () => {
  const seen = new Set<number>(
    fc.sample(anyMessage, { numRuns: 20_000, seed: 1 }).map(({ type }) => type),
  );
  assert.deepEqual(
    ALL_TYPES.filter((type) => !seen.has(type)),
    [],
  );
});

test("a message is the payload of its frame, and the frame says whether an acknowledgement is wanted", () => {
  fc.assert(
    fc.property(anyMessage, fc.boolean(), (message, ackRequested) => {
      const frame = encodeMessage(message, ackRequested);
      assert.deepEqual(frame, encodeFrame(message.type, encodeBody(message), ackRequested));
      const decoder = new FrameDecoder(MESSAGE_BYTES_MAX_DEFAULT);
      decoder.push(frame);
      assert.deepEqual(decoder.next(), {
        type: message.type,
        ackRequested,
        body: encodeBody(message),
      });
    }),
  );
});

test("what encoding returned is not changed by what is encoded later", () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { minLength: 2, maxLength: 5 }), (messages) => {
      const encoded = messages.map((message) => encodeMessage(message));
      const copies = encoded.map((frame) => frame.slice());
      for (const message of messages) encodeMessage(message);
      assert.deepEqual(encoded, copies);
    }),
  );
});

test("an encoding that failed leaves no trace in the next one", () => {
  const run: Message = { type: T.RunCommand, resultCompletionId: 1, name: "a" };
  const expected = encodeMessage(run);
  assert.throws(
    () => encodeMessage({ ...run, name: "x".repeat(500), resultCompletionId: -1 }),
    RangeError,
  );
  assert.deepEqual(encodeMessage(run), expected);
});

test("arbitrary bytes decode or are undecodable, nothing else", () => {
  const body = fc.oneof(fc.uint8Array({ maxLength: 60 }), plausibleBytes());
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL_TYPES, 0x0300, 0x040f, 0x8003, 0xfc00),
      body,
      (type, input) => {
        try {
          decodeMessage(type, input);
        } catch (error) {
          assert.ok(error instanceof ProtocolError && error.code === 500, String(error));
        }
      },
    ),
    { numRuns: 20_000 },
  );
});

test("a message with one byte changed, lost or cut off decodes or is undecodable, nothing else", () => {
  fc.assert(
    fc.property(
      anyMessage,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (message, position, flip) => {
        const body = encodeBody(message).slice(0, 2000);
        if (body.length === 0) return;
        const at = position % body.length;
        const changed = body.slice();
        changed[at] = (changed[at] ?? 0) ^ flip;
        const lost = Uint8Array.from([...body.subarray(0, at), ...body.subarray(at + 1)]);
        for (const input of [changed, lost, body.subarray(0, at)]) {
          try {
            decodeMessage(message.type, input);
          } catch (error) {
            assert.ok(error instanceof ProtocolError && error.code === 500, String(error));
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("what decodes encodes to something that decodes to the same", () => {
  let decoded = 0;
  fc.assert(
    fc.property(fc.constantFrom(...ALL_TYPES), plausibleBytes(), (type, body) => {
      let message: Message;
      try {
        message = decodeMessage(type, body);
      } catch {
        return;
      }
      decoded += 1;
      assert.deepEqual(decodeMessage(type, encodeBody(message)), message);
    }),
    { numRuns: 5000 },
  );
  assert.ok(decoded > 100, `only ${decoded} of the bodies decoded`);
});

test("fields that are unknown are passed over, wherever they stand", () => {
  const unknown = hex(
    `98 06 ff ff ff ff ff ff ff ff ff 01
     9a 06 03 61 62 63
     99 06 01 02 03 04 05 06 07 08
     9d 06 01 02 03 04`,
  );
  fc.assert(
    fc.property(anyMessage, (message) => {
      const body = encodeBody(message);
      assert.deepEqual(
        decodeMessage(message.type, Uint8Array.from([...unknown, ...body])),
        message,
      );
      assert.deepEqual(
        decodeMessage(message.type, Uint8Array.from([...body, ...unknown])),
        message,
      );
    }),
    { numRuns: 300 },
  );
  // Inside a Value, a Failure, a Header, a Void, state keys, a target and an await tree.
  assert.deepEqual(decodeHex(T.OutputCommand, "7206 9806 01 0a 01 41"), {
    type: T.OutputCommand,
    result: { kind: "value", value: bytes("A") },
    name: "",
  });
  assert.deepEqual(decodeHex(T.OutputCommand, "7a07 0805 980601 1200"), {
    type: T.OutputCommand,
    result: { kind: "failure", failure: { code: 5, message: "" } },
    name: "",
  });
  assert.deepEqual(decodeHex(T.SleepCompletion, "0801 2203 980601"), {
    type: T.SleepCompletion,
    id: { kind: "completion", completionId: 1 },
    result: { kind: "void" },
  });
  assert.deepEqual(decodeHex(T.GetEagerStateKeysCommand, "7206 0a0141 980601"), {
    type: T.GetEagerStateKeysCommand,
    keys: [bytes("A")],
    name: "",
  });
  assert.deepEqual(decodeHex(T.AttachInvocationCommand, "2206 0a0141 980601"), {
    type: T.AttachInvocationCommand,
    target: { kind: "workflow", service: "A", key: "" },
    resultCompletionId: 0,
    name: "",
  });
  assert.deepEqual(decodeHex(T.AwaitingOn, "0a06 980601 0a0107"), {
    type: T.AwaitingOn,
    awaitingOn: { completions: [7], signals: [], namedSignals: [], nested: [], combinator: 0 },
    executingSideEffects: false,
  });
});

test("lists of numbers are read packed, unpacked and mixed", () => {
  const expected = { type: T.Suspension, completions: [1, 2, 300], signals: [], namedSignals: [] };
  assert.deepEqual(decodeHex(T.Suspension, "0a04 01 02 ac02"), expected);
  assert.deepEqual(decodeHex(T.Suspension, "0801 0802 08ac02"), expected);
  assert.deepEqual(decodeHex(T.Suspension, "0a0101 0802 0a02ac02"), expected);
  assert.deepEqual(decodeHex(T.Suspension, "1001 1202 0203"), {
    type: T.Suspension,
    completions: [],
    signals: [1, 2, 3],
    namedSignals: [],
  });
});

test("an empty value is present, and not the same as no value", () => {
  const empty = new Uint8Array(0);
  const present: Message = {
    type: T.OutputCommand,
    result: { kind: "value", value: empty },
    name: "",
  };
  assert.deepEqual(encodeBody(present), hex("7200"));
  assert.deepEqual(decodeHex(T.OutputCommand, "7200"), present);
  assert.deepEqual(decodeHex(T.OutputCommand, "72020a00"), present);
  assert.deepEqual(
    encodeBody({
      type: T.ProposeRunCompletion,
      resultCompletionId: 0,
      result: { kind: "value", value: empty },
    }),
    hex("7200"),
  );
  assert.deepEqual(
    encodeBody({
      type: T.GetInvocationOutputCompletion,
      id: { kind: "completion", completionId: 0 },
      result: { kind: "void" },
    }),
    hex("0800 2200"),
  );
  assert.deepEqual(
    encodeBody({ type: T.GetEagerStateKeysCommand, keys: [], name: "" }),
    hex("7200"),
  );
});

test("an optional string is absent, empty or full", () => {
  const attach = (target: string): Message => decodeHex(T.AttachInvocationCommand, target);
  const target = { kind: "idempotent", service: "", handler: "", idempotencyKey: "" };
  const rest = { resultCompletionId: 0, name: "" };
  const type = T.AttachInvocationCommand;
  assert.deepEqual(attach("1a00"), { type, target, ...rest });
  assert.deepEqual(attach("1a02 1200"), { type, target: { ...target, key: "" }, ...rest });
  assert.deepEqual(attach("1a03 120141"), { type, target: { ...target, key: "A" }, ...rest });
});

test("a message without a mandatory part is undecodable and says what is missing", () => {
  for (const [type, body, message] of [
    [T.InputCommand, "", /InputCommand has no value/],
    [T.OutputCommand, "", /OutputCommand has no result/],
    [T.OutputCommand, "620161", /OutputCommand has no result/],
    [T.SetStateCommand, "0a0161", /SetStateCommand has no value/],
    [T.GetEagerStateCommand, "0a0161", /GetEagerStateCommand has no result/],
    [T.GetEagerStateKeysCommand, "", /GetEagerStateKeysCommand has no keys/],
    [T.CompletePromiseCommand, "0a0161 5801", /CompletePromiseCommand has no completion/],
    [T.SendSignalCommand, "0a0161 2200", /SendSignalCommand names no signal/],
    [T.SendSignalCommand, "0a0161 1001", /SendSignalCommand has no result/],
    [T.AttachInvocationCommand, "5801", /no target/],
    [T.GetInvocationOutputCommand, "5801", /no target/],
    [T.CompleteAwakeableCommand, "0a0161", /CompleteAwakeableCommand has no result/],
    [T.ProposeRunCompletion, "0801", /ProposeRunCompletion has no result/],
    [T.AwaitingOn, "1001", /AwaitingOn has no await tree/],
    [T.Suspension, "", /waits for nothing/],
    [T.Suspension, "0a00 1200", /waits for nothing/],
  ] as const) {
    assertUndecodable(type, hex(body), message);
  }
  for (const type of NOTIFICATION_TYPES) {
    const id = type === T.Signal ? "1001" : "0801";
    assertUndecodable(type, hex("2200"), /has no id/);
    assertUndecodable(type, hex(id), /has no result/);
    assert.ok(decodeHex(type, `${id} 2200`));
  }
});

test("a completion has a completion id and a signal has none", () => {
  assertUndecodable(T.Signal, hex("0801 2200"), /cannot have an id of kind completion/);
  assertUndecodable(T.SleepCompletion, hex("1001 2200"), /cannot have an id of kind signal-index/);
  assertUndecodable(T.SleepCompletion, hex("1a0141 2200"), /cannot have an id of kind signal-name/);
});

test("a type outside the table is undecodable", () => {
  for (const type of [
    0x0008, 0x0300, 0x040f, 0x0415, 0x8003, 0x8010, 0xfbfe, 0xfc00, 0xffff, -1, 1.5,
  ]) {
    assertUndecodable(type, new Uint8Array(0), /unknown/);
  }
});

test("of what may stand once and stands twice, the last one counts", () => {
  assert.deepEqual(decodeHex(T.OutputCommand, "72030a0141 7a020805"), {
    type: T.OutputCommand,
    result: { kind: "failure", failure: { code: 5, message: "" } },
    name: "",
  });
  assert.deepEqual(decodeHex(T.RunCommand, "5801 5802 620141 620142"), {
    type: T.RunCommand,
    resultCompletionId: 2,
    name: "B",
  });
  assert.deepEqual(decodeHex(T.Signal, "1001 1a0141 2200 2a00"), {
    type: T.Signal,
    id: { kind: "signal-name", name: "A" },
    result: { kind: "value", value: new Uint8Array(0) },
  });
});

test("a failure code above 65535 reads as 500", () => {
  const codeOf = (body: string): number | undefined => {
    const message = decodeHex(T.OutputCommand, body);
    assert.ok(message.type === T.OutputCommand && message.result.kind === "failure");
    return message.result.failure.code;
  };
  assert.equal(codeOf("7a04 08ffff03"), 65535);
  assert.equal(codeOf("7a04 08808004"), 500);
  assert.equal(codeOf("7a06 08ffffffff0f"), 500);
  assert.equal(codeOf("7a00"), 0);
});

test("a time beyond the safe integers reads as the largest of them", () => {
  const wakeUpOf = (body: string): number => {
    const message = decodeHex(T.SleepCommand, body);
    assert.ok(message.type === T.SleepCommand);
    return message.wakeUpTimeMs;
  };
  assert.equal(wakeUpOf("08 ffffffffffffff0f"), Number.MAX_SAFE_INTEGER);
  assert.equal(wakeUpOf("08 feffffffffffff0f"), Number.MAX_SAFE_INTEGER - 1);
  assert.equal(wakeUpOf("08 8080808080808010"), Number.MAX_SAFE_INTEGER);
  assert.equal(wakeUpOf("08 ffffffffffffffffff01"), Number.MAX_SAFE_INTEGER);
});

test("an enum value of a later version reads as the first: unknown combinator, retry", () => {
  const error = decodeHex(T.Error, "4803");
  assert.ok(error.type === T.Error);
  assert.equal(error.behavior, 0);
  const negative = decodeHex(T.Error, "48 ffffffffffffffffff01");
  assert.ok(negative.type === T.Error);
  assert.equal(negative.behavior, 0);
  const awaiting = decodeHex(T.AwaitingOn, "0a02 2805");
  assert.ok(awaiting.type === T.AwaitingOn);
  assert.equal(awaiting.awaitingOn.combinator, 0);
});

test("strings that are not UTF-8 are undecodable, and a byte order mark is kept", () => {
  for (const text of ["ff", "c0af", "eda080", "f4908080", "e282", "80"]) {
    const length = (text.length / 2).toString(16).padStart(2, "0");
    assertUndecodable(T.RunCommand, hex(`62${length}${text}`), /not UTF-8/);
    const long = `${"61".repeat(60)}${text}`;
    const longLength = (long.length / 2).toString(16).padStart(2, "0");
    assertUndecodable(T.RunCommand, hex(`62${longLength}${long}`), /not UTF-8/);
  }
  const run = decodeHex(T.RunCommand, "6204 efbbbf61");
  assert.ok(run.type === T.RunCommand);
  assert.equal(run.name, "\uFEFFa");
});

test("an unpaired surrogate is encoded as the replacement character", () => {
  const body = encodeBody({ type: T.RunCommand, resultCompletionId: 0, name: "a\uD800b" });
  assert.deepEqual(body, hex("6205 61efbfbd62"));
});

test("numbers out of their field's range cannot be encoded", () => {
  const run = (resultCompletionId: number): Message => ({
    type: T.RunCommand,
    resultCompletionId,
    name: "",
  });
  const sleep = (wakeUpTimeMs: number): Message => ({
    type: T.SleepCommand,
    wakeUpTimeMs,
    resultCompletionId: 1,
    name: "",
  });
  for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32]) {
    assert.throws(() => encodeBody(run(value)), RangeError);
    assert.throws(
      () => encodeBody({ type: T.Suspension, completions: [value], signals: [], namedSignals: [] }),
      RangeError,
    );
  }
  for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => encodeBody(sleep(value)), RangeError);
  }
  const start: Message = {
    type: T.Start,
    id: new Uint8Array(24),
    debugId: "",
    knownEntries: 1,
    state: [],
    partialState: false,
    key: "",
    retryCountSinceLastStoredEntry: 0,
    durationSinceLastStoredEntryMs: 0,
    randomSeed: 0n,
  };
  assert.throws(() => encodeBody({ ...start, randomSeed: -1n }), RangeError);
  assert.throws(() => encodeBody({ ...start, randomSeed: 2n ** 64n }), RangeError);
});

test("an await tree is read up to its limit of levels and no deeper", () => {
  const chain = (levels: number): Message => {
    let awaitingOn: Future = {
      completions: [1],
      signals: [],
      namedSignals: [],
      nested: [],
      combinator: 1,
    };
    for (let level = 1; level < levels; level += 1) {
      awaitingOn = {
        completions: [],
        signals: [],
        namedSignals: [],
        nested: [awaitingOn],
        combinator: 1,
      };
    }
    return { type: T.AwaitingOn, awaitingOn, executingSideEffects: false };
  };
  assert.ok(decodeMessage(T.AwaitingOn, encodeBody(chain(FUTURE_DEPTH_DECODED_MAX))));
  assertUndecodable(T.AwaitingOn, encodeBody(chain(FUTURE_DEPTH_DECODED_MAX + 1)), /levels/);
});

test("byte fields are views of the payload", () => {
  const body = encodeBody({
    type: T.ProposeRunCompletion,
    resultCompletionId: 1,
    result: { kind: "value", value: bytes("payload") },
  });
  const message = decodeMessage(T.ProposeRunCompletion, body);
  assert.ok(message.type === T.ProposeRunCompletion && message.result.kind === "value");
  assert.equal(message.result.value.buffer, body.buffer);
});

test("the id of a notification is found without its result", () => {
  fc.assert(
    fc.property(anyNotification, (notification) => {
      assert.deepEqual(decodeNotificationId(encodeBody(notification)), notification.id);
    }),
  );
  assert.throws(() => decodeNotificationId(hex("2200")), /has no id/);
  assert.throws(() => decodeNotificationId(hex("0801 22")), ProtocolError);
});

test("the completion id of a run is found without its name", () => {
  fc.assert(
    fc.property(fc.nat(), fc.string(), (resultCompletionId, name) => {
      const body = encodeBody({ type: T.RunCommand, resultCompletionId, name });
      assert.equal(decodeRunCompletionId(body), resultCompletionId);
    }),
  );
  assert.throws(() => decodeRunCompletionId(hex("5a0101")), ProtocolError);
});

/** Bytes that look like fields: known and unknown numbers, all wire types, short contents that nest. */
function plausibleBytes(): fc.Arbitrary<Uint8Array> {
  const varint = fc.oneof(
    fc.nat(127).map((byte) => [byte]),
    fc.array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 10 }).map((high) => [...high, 1]),
  );
  const field = fc.integer({ min: 0, max: 18 });
  const tag = (number: number, wire: number): number[] => {
    const value = (number << 3) | wire;
    return value > 0x7f ? [(value & 0x7f) | 0x80, value >>> 7] : [value];
  };
  const { message } = fc.letrec<{ message: number[] }>((tie) => ({
    message: fc
      .array(
        fc.oneof(
          { depthSize: "small", withCrossShrink: true },
          fc.tuple(field, varint).map(([number, value]) => [...tag(number, 0), ...value]),
          fc
            .tuple(field, fc.array(fc.nat(255), { maxLength: 8 }))
            .map(([number, content]) => [...tag(number, 2), content.length, ...content]),
          fc
            .tuple(field, tie("message"))
            .filter(([, content]) => content.length < 128)
            .map(([number, content]) => [...tag(number, 2), content.length, ...content]),
          fc
            .tuple(
              field,
              fc.constantFrom(1, 3, 4, 5, 6, 7),
              fc.array(fc.nat(255), { maxLength: 8 }),
            )
            .map(([number, wire, content]) => [...tag(number, wire), ...content]),
        ),
        { maxLength: 5 },
      )
      .map((fields) => fields.flat()),
  }));
  return message.map((content) => Uint8Array.from(content));
}
