import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import { type Observer, SILENT, type StepSeen } from "../processor/observer.ts";
import { ATTEMPT, bytesOf, FakeDoor, INPUT, RUN, runCompletion, text } from "./fixtures.suite.ts";
import { Session } from "./session.ts";
import { StepWatch } from "./step-watch.ts";

const FACTS = {
  invocationId: "inv_1x",
  target: { service: "Greeter", handler: "greet", key: null },
  epoch: 3,
  trace: { traceId: "a".repeat(32), spanId: "b".repeat(16), flags: "01", state: null },
};

function run(resultCompletionId: number, name: string): Message {
  return { type: MessageType.RunCommand, resultCompletionId, name };
}

function proposal(resultCompletionId: number, isFailure = false): Message {
  const failure = { code: 418, message: "no" };
  return {
    type: MessageType.ProposeRunCompletion,
    resultCompletionId,
    result: isFailure ? { kind: "failure", failure } : { kind: "value", value: text("1") },
  };
}

/** A session over this replay, at a time that is a second later with each message. */
function watched(...replay: Message[]): { session: Session; seen: StepSeen[] } {
  const seen: StepSeen[] = [];
  const observer: Observer = { ...SILENT, isTracing: true, step: (step) => seen.push(step) };
  let nowMs = 0;
  const entries = replay.map((message, index) => ({
    index,
    type: message.type,
    body: encodeBody(message),
    atMs: 0,
  }));
  const steps = new StepWatch(FACTS, observer, () => (nowMs += 1000), entries);
  const options = { attempt: ATTEMPT, door: new FakeDoor(), messageBytesMax: 1000, steps };
  const knownEntries = replay.length;
  return { session: new Session({ ...options, knownEntries, onOver: () => {} }), seen };
}

describe("the steps of an attempt", () => {
  it("are told with their name, from their command to their result", () => {
    const { session, seen } = watched(INPUT);
    session.receive(bytesOf(RUN, run(2, "other")));
    assert.deepEqual(seen, []);
    session.receive(bytesOf(proposal(2, true), proposal(1)));
    const times = (startedAtMs: number, endedAtMs: number) => ({ startedAtMs, endedAtMs });
    assert.deepEqual(seen, [
      { ...FACTS, ...times(2000, 3000), name: "other", completionId: 2, failed: true },
      { ...FACTS, ...times(1000, 4000), name: "step", completionId: 1, failed: false },
    ]);
  });

  it("begin with the attempt where their command was replayed without a result", () => {
    const open = run(2, "open");
    const { session, seen } = watched(INPUT, RUN, open, runCompletion(1));
    session.receive(bytesOf(proposal(2), proposal(1)));
    assert.deepEqual(
      seen.map(({ name, completionId }) => [name, completionId]),
      [["open", 2]],
    );
  });

  it("are told once", () => {
    const { session, seen } = watched(INPUT);
    session.receive(bytesOf(RUN, proposal(1), proposal(1), proposal(7)));
    assert.equal(seen.length, 1);
  });
});
