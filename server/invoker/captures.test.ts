/** Attempts as they were seen between the official server and SDK: the same bytes go out, and the same bytes are understood. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Future } from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import { ATTEMPT, FakeDoor } from "./fixtures.suite.ts";
import { openingBytes } from "./opening.ts";
import { Session } from "./session.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const hexOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

function entry(index: number, frame: string): Entry {
  const bytes = hex(frame);
  return { index, type: bytes.readUInt16BE(0), body: bytes.subarray(8), atMs: 0 };
}

/** A session in this version that has taken these frames. */
function after(version: number, ...frames: string[]): { door: FakeDoor; session: Session } {
  const door = new FakeDoor();
  const attempt = { ...ATTEMPT, protocolVersion: version };
  const options = { attempt, door, knownEntries: 1, messageBytesMax: 1000, steps: null };
  const session = new Session({ ...options, onOver: () => {} });
  for (const frame of frames) session.receive(hex(frame));
  return { door, session };
}

/** What an attempt begins with. */
function opening(
  id: string,
  facts: { durationMs: number; key?: string; state?: readonly [string, string][] },
  entries: readonly Entry[],
): string {
  const door = new FakeDoor();
  const { key = null, state } = facts;
  const target = { service: "S", handler: "h", key };
  door.add(1, { id: hex(id), target, modifiedAtMs: 1000 - facts.durationMs });
  const invocation = door.invocations.get(1);
  assert(invocation !== undefined);
  const snapshot = {
    entries: (state ?? []).map(([name, value]) => ({
      key: Buffer.from(name),
      value: Buffer.from(value),
    })),
    isComplete: state !== undefined,
  };
  const debugId = invocationIdToString(invocation.id);
  const bytes = openingBytes(
    invocation,
    { debugId, version: 6, nowMs: 1000, state: snapshot },
    entries,
  );
  return hexOf(bytes);
}

describe("the captured attempt", () => {
  it("A.1, the simplest call, begins with these bytes and ends", () => {
    const start =
      "0000000000000052 0a18f8b0bb61eb5ab4b653399788e897b1e289558552a8200f8b1226696e765f31664777596d726161784a7534656f5175594f4239346e385168746c4b5a4e625239180128014002488cc7d4fc81f9dfb170";
    const input =
      "040000000000006a 0a280a16782d726573746174652d696e67726573732d70617468120e2f477265657465722f67726565740a200a0c636f6e74656e742d7479706512106170706c69636174696f6e2f6a736f6e0a130a0e636f6e74656e742d6c656e67746812013572070a0522426f6222";
    const id = "f8b0bb61eb5ab4b653399788e897b1e289558552a8200f8b";
    assert.equal(
      opening(id, { durationMs: 2 }, [entry(0, input)]),
      hexOf(Buffer.concat([hex(start), hex(input)])),
    );
    const { door } = after(
      6,
      "040100000000000f 720d0a0b2248656c6c6f20426f6222",
      "0003000000000000",
    );
    assert.deepEqual(door.types, ["append-command", "end"]);
    const [output] = door.inputs;
    assert(output?.type === "append-command" && output.command.type === MessageType.OutputCommand);
    assert(output.command.result.kind === "value");
    assert.equal(Buffer.from(output.command.result.value).toString(), '"Hello Bob"');
  });

  it("A.2, a step, is answered with the notification in V6 and with an acknowledgement in V7", () => {
    const completion = "8011000000000008 08012a040a023432";
    const frames = ["0411000000000005 5801620161", "0005000000000006 080172023432"] as const;
    const v6 = after(6, ...frames);
    assert.deepEqual(v6.door.types, ["append-command", "propose-run"]);
    const { type, body } = entry(2, completion);
    assert.equal(hexOf(v6.session.forward(2, type, body)), hexOf(hex(completion)));

    const awaiting = "000600000000000a 0a080a01011201012801";
    const v7 = after(7, frames[0], "0005800000000006 080172023432", awaiting);
    assert.deepEqual(v7.door.types, ["append-command", "propose-run"]);
    const proposal = v7.door.inputs[1];
    assert(proposal?.type === "propose-run" && proposal.ackRequested);
    assert.equal(hexOf(v7.session.acknowledgeRun(2, 1)), "00070000000000020801");
    v7.session.receive(hex(`${awaiting} 0401000000000006 72040a023433 0003000000000000`));
    assert.deepEqual(v7.door.types.slice(2), ["append-command", "end"]);
  });

  it("A.3, a sleep, suspends and is replayed as it came", () => {
    const sleep = "040c00000000000e 08f8b4f5baa034580162036e6170";
    const { door } = after(6, sleep, "0001000000000006 0a0101120101");
    assert.deepEqual(door.types, ["append-command", "suspend"]);
    const [command, suspend] = door.inputs;
    assert(command?.type === "append-command" && command.command.type === MessageType.SleepCommand);
    assert.equal(command.command.wakeUpTimeMs, 1_795_419_888_248);
    assert.equal(hexOf(command.body), hexOf(hex(sleep).subarray(8)));
    assert(suspend?.type === "suspend");
    assert.deepEqual(suspend.suspension, {
      type: MessageType.Suspension,
      completions: [1],
      signals: [1],
      namedSignals: [],
    });
  });

  it("A.4, an object, begins with its key and its whole state", () => {
    const id = "548ae3cba54055b36f17ce21cd2b29dd9df88eb6fe7846f6";
    const none = opening(id, { durationMs: 1, key: "k1", state: [] }, []);
    assert(none.includes("32026b31"), "the key");
    assert(!none.includes("2801"), "partial state");
    const both: [string, string][] = [
      ["last", '"v"'],
      ["count", "1"],
    ];
    const some = opening(id, { durationMs: 1, key: "k1", state: both }, []);
    assert(some.includes("220b0a046c6173741203227622220a0a05636f756e74120131"), "the state");
    const lazy = opening(id, { durationMs: 1, key: "k1" }, []);
    assert(lazy.includes("280132026b31"), "partial state, then the key");
  });

  it("A.6, a race in V7, suspends with its tree", () => {
    const tree = "16120101220f12011122030a010122030a01022801 2801";
    const leaf = (completion: number): Future => ({
      completions: [completion],
      signals: [],
      namedSignals: [],
      nested: [],
      combinator: 0,
    });
    const race = { completions: [], signals: [17], namedSignals: [], nested: [leaf(1), leaf(2)] };
    const all = { completions: [], signals: [1], namedSignals: [], combinator: 1 } as const;
    const expected: Future = { ...all, nested: [{ ...race, combinator: 1 }] };
    const { door, session } = after(7, `0006000000000018 0a${tree}`);
    assert.deepEqual(session.awaitingOn, expected);
    session.receive(hex(`0001000000000018 22${tree}`));
    assert.deepEqual(door.types, ["suspend"]);
    const [suspend] = door.inputs;
    assert(suspend?.type === "suspend");
    assert.deepEqual(suspend.suspension.awaitingOn, expected);
  });

  it("A.9, a failing step, tells where and when again", () => {
    const { door } = after(
      6,
      "0002000000000017 08f403 1204626f6f6d 2001 2a05666c616b79 309108 4032",
    );
    const { failure, retryAfterMs } = door.failure;
    assert.equal(retryAfterMs, 50);
    assert.deepEqual(failure, {
      code: 500,
      errorCode: "RT0007",
      message: "boom",
      relatedCommandIndex: 1,
      relatedCommandName: "flaky",
      relatedCommandType: 1041,
    });
  });
});
