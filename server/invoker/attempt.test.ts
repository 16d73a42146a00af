/** What is told of attempts: to the log, to telemetry, to operators. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeMessage } from "../../sdk/protocol/codec.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import { present } from "../base/assert.ts";
import type { Log } from "../base/log.ts";
import { type AttemptSeen, type Observer, SILENT, type StepSeen } from "../processor/observer.ts";
import { CONTENT_TYPE, forward, inWorld, start, turn } from "./attempts.suite.ts";
import {
  bytesOf,
  COUNTER,
  deployment,
  END,
  INPUT,
  invocationId,
  OUTPUT,
  RUN,
  SUSPENSION,
  text,
} from "./fixtures.suite.ts";

const INVOCATION_ID = invocationIdToString(invocationId(1));

const ERROR: Message = {
  type: MessageType.Error,
  code: 500,
  message: "boom",
  stacktrace: "at line 1",
};

interface Watched {
  readonly observer: Observer;
  readonly attempts: AttemptSeen[];
  readonly steps: StepSeen[];
}

function watcher(isTracing: boolean): Watched {
  const attempts: AttemptSeen[] = [];
  const steps: StepSeen[] = [];
  const observer: Observer = {
    ...SILENT,
    isTracing,
    attempt: (seen) => attempts.push(seen),
    step: (seen) => steps.push(seen),
  };
  return { observer, attempts, steps };
}

describe("telemetry is told of an attempt", () => {
  it("who, where, when, how much and how it ended, when it is gone", async () => {
    const { observer, attempts: told } = watcher(false);
    let nowMs = 0;
    const clock = { nowMs: () => (nowMs += 100) };
    const trace = { traceId: "a".repeat(32), spanId: "b".repeat(16), flags: "01", state: null };
    await inWorld({ observer, clock }, async ({ door, transport, attempts }) => {
      door.add(1, { epoch: 3, trace });
      attempts.start(start(1, { epoch: 3 }));
      const exchange = transport.at(0).head();
      attempts.forward(forward(1, 1, { epoch: 3 }));
      await turn();
      exchange.data(bytesOf(RUN)).data(bytesOf(OUTPUT, END));
      assert.equal(told.length, 0);
      exchange.data(text("more")).finish();
      assert.equal(told.length, 1);
      const seen = present(told[0], "what was told");
      const { startedAtMs, endedAtMs, ...rest } = seen;
      assert(startedAtMs > 0 && startedAtMs < endedAtMs && endedAtMs <= nowMs);
      const [written] = exchange.writes;
      assert.deepEqual(rest, {
        invocationId: INVOCATION_ID,
        target: { service: "Greeter", handler: "greet", key: null },
        epoch: 3,
        deploymentId: "dp_1",
        uri: "http://127.0.0.1:1/",
        protocolVersion: 6,
        status: "completed",
        failure: null,
        sentBytes: exchange.request.body.length + (written?.length ?? 0),
        receivedBytes: bytesOf(RUN, OUTPUT, END).length + 4,
        trace,
      });
    });
  });

  it("how else it ended", async () => {
    const { observer, attempts: told } = watcher(false);
    await inWorld({ observer }, async ({ door, transport, attempts }) => {
      for (const seq of [1, 2, 3, 4]) {
        door.add(seq);
        attempts.start(start(seq));
      }
      transport.at(0).head().data(bytesOf(SUSPENSION)).finish();
      transport.at(1).head().data(bytesOf(ERROR)).finish();
      const { handler } = transport.at(2);
      handler.onError("nothing listens there");
      handler.onClose();
      attempts.close({ type: "close-attempt", seq: 4, epoch: 0 });
      await turn();
      assert.deepEqual(
        told.map(({ status, failure }) => [status, failure?.errorCode]),
        [
          ["suspended", undefined],
          ["failed", "RT0007"],
          ["failed", "RT0010"],
          ["cut", undefined],
        ],
      );
    });
  });

  it("its steps, where somebody traces and nowhere else", async () => {
    const proposal: Message = {
      type: MessageType.ProposeRunCompletion,
      resultCompletionId: 1,
      result: { kind: "value", value: text("1") },
    };
    for (const isTracing of [true, false]) {
      const { observer, steps } = watcher(isTracing);
      await inWorld({ observer }, ({ door, transport, attempts }) => {
        door.add(1, {}, [INPUT, RUN]);
        attempts.start(start(1, { knownEntries: 2 }));
        transport.at(0).head().data(bytesOf(proposal));
      });
      assert.deepEqual(
        steps.map(({ name, invocationId: id }) => [name, id]),
        isTracing ? [["step", INVOCATION_ID]] : [],
      );
    }
  });
});

describe("the log is told of a failed attempt", () => {
  type Line = [string, string, Record<string, unknown>];

  function recording(): { log: Log; lines: Line[] } {
    const lines: Line[] = [];
    const at =
      (level: string): Log["info"] =>
      (event, fields = {}) =>
        lines.push([level, event, fields]);
    const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
    return { log, lines };
  }

  it("in one line that names the invocation, louder where it is not the handler's own error", async () => {
    const { log, lines } = recording();
    await inWorld(
      { log },
      ({ door, transport, attempts }) => {
        door.add(1, {
          target: { service: "Counter", handler: "add", key: "k" },
          kind: "exclusive",
        });
        attempts.start(start(1));
        transport.at(0).head().data(bytesOf(ERROR)).finish();
        door.add(2, { target: { service: "Counter", handler: "get", key: "k" }, kind: "shared" });
        attempts.start(start(2));
        transport.at(1).head(500, undefined).finish();
        door.add(3, { target: { service: "Gone", handler: "get", key: null } });
        attempts.start(start(3));
      },
      [deployment({ services: [COUNTER] })],
    );
    const common = { epoch: 0, code: 500 };
    assert.deepEqual(lines, [
      [
        "info",
        "attempt-failed",
        {
          ...common,
          invocation: INVOCATION_ID,
          target: "Counter/k/add",
          deployment: "dp_1",
          errorCode: "RT0007",
          message: "boom",
        },
      ],
      [
        "warn",
        "attempt-failed",
        {
          ...common,
          invocation: invocationIdToString(invocationId(2)),
          target: "Counter/k/get",
          deployment: "dp_1",
          errorCode: "RT0012",
          message: "the endpoint answered 500",
        },
      ],
      [
        "warn",
        "attempt-failed",
        {
          ...common,
          invocation: invocationIdToString(invocationId(3)),
          target: "Gone/get",
          deployment: null,
          errorCode: "RT0011",
          message: "no deployment offers Gone/get; register one that does",
        },
      ],
    ]);
  });

  it("also where the machine refuses what it said, with what the machine recorded", async () => {
    const { log, lines } = recording();
    await inWorld({ log }, ({ door, transport, attempts }) => {
      const failure = { code: 500, errorCode: "RT0018", message: "nothing offers Nope/x", atMs: 5 };
      const waits = { status: "backing-off", retryAtMs: 9 } as const;
      for (const seq of [1, 2, 3]) {
        door.add(seq);
        attempts.start(start(seq));
        transport.at(seq - 1).head();
      }
      door.add(1, { epoch: 1, state: waits, lastFailure: failure });
      door.add(2, { epoch: 2, state: waits, lastFailure: failure });
      door.add(3, {
        epoch: 1,
        state: { status: "completed", completedAtMs: 9, outputIndex: 1 },
        lastFailure: failure,
      });
      for (const seq of [1, 2, 3]) attempts.close({ type: "close-attempt", seq, epoch: 0 });
      assert(transport.exchanges.every(({ isReset }) => isReset));
    });
    assert.deepEqual(
      lines.map(([level, , { invocation, errorCode, message }]) => [
        level,
        invocation,
        errorCode,
        message,
      ]),
      [["warn", INVOCATION_ID, "RT0018", "nothing offers Nope/x"]],
    );
  });

  it("and of no other", async () => {
    const { log, lines } = recording();
    await inWorld({ log }, async ({ door, transport, attempts }) => {
      for (const seq of [1, 2, 3]) {
        door.add(seq);
        attempts.start(start(seq));
      }
      transport.at(0).head().data(bytesOf(OUTPUT, END)).finish();
      transport.at(1).head().data(bytesOf(SUSPENSION)).finish();
      attempts.close({ type: "close-attempt", seq: 3, epoch: 0 });
      await turn();
    });
    assert.deepEqual(lines, []);
  });
});

describe("operators are told of the attempts that are current", () => {
  it("where they run, since when, on which SDK, and what they said last that they await", async () => {
    const awaitingOn = {
      completions: [],
      signals: [1],
      namedSignals: [],
      nested: [],
      combinator: 1,
    } as const;
    const hint = encodeMessage({
      type: MessageType.AwaitingOn,
      awaitingOn,
      executingSideEffects: false,
    });
    await inWorld(
      { protocolVersionMax: 7 },
      ({ door, transport, attempts }) => {
        door.add(1, { epoch: 2 });
        attempts.start(start(1, { epoch: 2 }));
        const live = {
          seq: 1,
          epoch: 2,
          deploymentId: "dp_1",
          sdkVersion: null,
          startedAtMs: 1000,
          awaitingOn: null,
        };
        assert.deepEqual(attempts.of(1), live);
        const exchange = transport.at(0).head(200, CONTENT_TYPE.replace("v6", "v7"), "my-sdk/1");
        exchange.data(hint);
        const now = { ...live, sdkVersion: "my-sdk/1", awaitingOn };
        assert.deepEqual(attempts.of(1), now);
        assert.deepEqual([...attempts.all()], [now]);
        assert.equal(attempts.of(2), undefined);
        exchange.data(bytesOf(END));
        assert.equal(attempts.inFlight, 1, "it drains");
        assert.equal(attempts.of(1), undefined);
        assert.deepEqual([...attempts.all()], []);
      },
      [deployment({ maxProtocolVersion: 7 })],
    );
  });
});
