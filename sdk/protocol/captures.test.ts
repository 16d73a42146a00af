/** Frames seen between the official server (1.7) and the official SDK (1.17): they decode, and encode to the same bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, encodeBody, encodeMessage } from "./codec.ts";
import { FrameDecoder } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { parseInvocationId } from "./ids.ts";
import { MESSAGE_BYTES_MAX_DEFAULT } from "./limits.ts";
import { MessageType } from "./message-type.ts";
import type { Message } from "./messages.ts";
import { randomSeed } from "./random-seed.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function decodeFrame(text: string): Frame {
  const decoder = new FrameDecoder(MESSAGE_BYTES_MAX_DEFAULT);
  decoder.push(hex(text));
  const frame = decoder.next();
  assert.ok(frame !== undefined, "a whole frame");
  assert.equal(decoder.pendingBytes, 0, "and nothing behind it");
  return frame;
}

/** The message in a captured frame, which must encode to the captured bytes. */
function roundTrip(text: string): Message {
  const frame = decodeFrame(text);
  const message = decodeMessage(frame.type, frame.body);
  assert.deepEqual(encodeMessage(message, frame.ackRequested), hex(text));
  assert.deepEqual(encodeBody(message), hex(text).subarray(8));
  return message;
}

test("A.1: a simple call", () => {
  const id = "inv_1fGwYmraaxJu4eoQuYOB94n8QhtlKZNbR9";
  assert.deepEqual(
    roundTrip(
      `0000000000000052
       0a18f8b0bb61eb5ab4b653399788e897b1e289558552a8200f8b
       1226696e765f31664777596d726161784a7534656f5175594f4239346e385168746c4b5a4e625239
       180128014002488cc7d4fc81f9dfb170`,
    ),
    {
      type: MessageType.Start,
      id: parseInvocationId(id),
      debugId: id,
      knownEntries: 1,
      state: [],
      partialState: true,
      key: "",
      retryCountSinceLastStoredEntry: 0,
      durationSinceLastStoredEntryMs: 2,
      randomSeed: randomSeed(hex("f8b0bb61eb5ab4b653399788e897b1e289558552a8200f8b")),
    },
  );
  assert.deepEqual(
    roundTrip(
      `040000000000006a
       0a280a16782d726573746174652d696e67726573732d70617468120e2f477265657465722f6772656574
       0a200a0c636f6e74656e742d7479706512106170706c69636174696f6e2f6a736f6e
       0a130a0e636f6e74656e742d6c656e677468120135
       72070a0522426f6222`,
    ),
    {
      type: MessageType.InputCommand,
      headers: [
        { key: "x-restate-ingress-path", value: "/Greeter/greet" },
        { key: "content-type", value: "application/json" },
        { key: "content-length", value: "5" },
      ],
      value: bytes('"Bob"'),
      name: "",
    },
  );
  assert.deepEqual(roundTrip("040100000000000f 720d0a0b2248656c6c6f20426f6222"), {
    type: MessageType.OutputCommand,
    result: { kind: "value", value: bytes('"Hello Bob"') },
    name: "",
  });
  assert.deepEqual(roundTrip("0003000000000000"), { type: MessageType.End });
});

test("A.2: a run, under V6 and under V7", () => {
  assert.deepEqual(roundTrip("0411000000000005 5801620161"), {
    type: MessageType.RunCommand,
    resultCompletionId: 1,
    name: "a",
  });
  const proposal = {
    type: MessageType.ProposeRunCompletion,
    resultCompletionId: 1,
    result: { kind: "value", value: bytes("42") },
  };
  assert.deepEqual(roundTrip("0005000000000006 080172023432"), proposal);
  assert.deepEqual(roundTrip("0005800000000006 080172023432"), proposal);
  assert.equal(decodeFrame("0005800000000006 080172023432").ackRequested, true);
  assert.equal(decodeFrame("0005000000000006 080172023432").ackRequested, false);
  assert.deepEqual(roundTrip("8011000000000008 08012a040a023432"), {
    type: MessageType.RunCompletion,
    id: { kind: "completion", completionId: 1 },
    result: { kind: "value", value: bytes("42") },
  });
  assert.deepEqual(roundTrip("000600000000000a 0a080a01011201012801"), {
    type: MessageType.AwaitingOn,
    awaitingOn: { completions: [1], signals: [1], namedSignals: [], nested: [], combinator: 1 },
    executingSideEffects: false,
  });
  assert.deepEqual(roundTrip("0007000000000002 0801"), {
    type: MessageType.ProposeRunCompletionAck,
    completionId: 1,
  });
});

test("A.3: a sleep, the suspension on it and its completion", () => {
  assert.deepEqual(roundTrip("040c00000000000e 08f8b4f5baa034580162036e6170"), {
    type: MessageType.SleepCommand,
    wakeUpTimeMs: 1795419888248,
    resultCompletionId: 1,
    name: "nap",
  });
  assert.deepEqual(roundTrip("0001000000000006 0a0101120101"), {
    type: MessageType.Suspension,
    completions: [1],
    signals: [1],
    namedSignals: [],
  });
  assert.deepEqual(roundTrip("800c000000000004 08012200"), {
    type: MessageType.SleepCompletion,
    id: { kind: "completion", completionId: 1 },
    result: { kind: "void" },
  });
  assert.deepEqual(roundTrip("040100000000000b 72090a0722736c65707422"), {
    type: MessageType.OutputCommand,
    result: { kind: "value", value: bytes('"slept"') },
    name: "",
  });
});

test("A.4: the state of an object", () => {
  assert.deepEqual(roundTrip("0407000000000009 0a05636f756e746a00"), {
    type: MessageType.GetEagerStateCommand,
    key: bytes("count"),
    result: { kind: "void" },
    name: "",
  });
  assert.deepEqual(roundTrip("040300000000000c 0a05636f756e741a030a0131"), {
    type: MessageType.SetStateCommand,
    key: bytes("count"),
    value: bytes("1"),
    name: "",
  });
  assert.deepEqual(roundTrip("040700000000000c 0a05636f756e7472030a0131"), {
    type: MessageType.GetEagerStateCommand,
    key: bytes("count"),
    result: { kind: "value", value: bytes("1") },
    name: "",
  });
  const start = decodeMessage(
    MessageType.Start,
    hex("220b0a046c6173741203227622 220a0a05636f756e74120131 32026b31"),
  );
  assert.ok(start.type === MessageType.Start);
  assert.deepEqual(start.state, [
    { key: bytes("last"), value: bytes('"v"') },
    { key: bytes("count"), value: bytes("1") },
  ]);
  assert.equal(start.key, "k1");
  assert.equal(start.partialState, false);
});

test("A.5: a call", () => {
  assert.deepEqual(
    roundTrip("040d000000000019 0a0747726565746572120663616c6c65651a02323150015802"),
    {
      type: MessageType.CallCommand,
      service: "Greeter",
      handler: "callee",
      key: "",
      parameter: bytes("21"),
      headers: [],
      invocationIdCompletionId: 1,
      resultCompletionId: 2,
      name: "",
    },
  );
  assert.deepEqual(
    roundTrip(
      `800e00000000002b
       0801820126696e765f316c446a30746e574f46483933766d51553245564763715135516e55627a3236324a`,
    ),
    {
      type: MessageType.CallInvocationIdCompletion,
      id: { kind: "completion", completionId: 1 },
      result: {
        kind: "invocation-id",
        invocationId: "inv_1lDj0tnWOFH93vmQU2EVGcqQ5QnUbz262J",
      },
    },
  );
  assert.deepEqual(roundTrip("0400000000000006 72040a023231"), {
    type: MessageType.InputCommand,
    headers: [],
    value: bytes("21"),
    name: "",
  });
  assert.deepEqual(roundTrip("800d000000000008 08022a040a023432"), {
    type: MessageType.CallCompletion,
    id: { kind: "completion", completionId: 2 },
    result: { kind: "value", value: bytes("42") },
  });
});

test("A.6: the await tree of a race, as a hint and as a suspension", () => {
  const leaf = { signals: [], namedSignals: [], nested: [], combinator: 0 };
  const tree = {
    completions: [],
    signals: [1],
    namedSignals: [],
    combinator: 1,
    nested: [
      {
        completions: [],
        signals: [17],
        namedSignals: [],
        combinator: 1,
        nested: [
          { ...leaf, completions: [1] },
          { ...leaf, completions: [2] },
        ],
      },
    ],
  };
  assert.deepEqual(roundTrip("0006000000000018 0a16120101220f12011122030a010122030a010228012801"), {
    type: MessageType.AwaitingOn,
    awaitingOn: tree,
    executingSideEffects: false,
  });
  assert.deepEqual(roundTrip("0001000000000018 2216120101220f12011122030a010122030a010228012801"), {
    type: MessageType.Suspension,
    completions: [],
    signals: [],
    namedSignals: [],
    awaitingOn: tree,
  });
});
