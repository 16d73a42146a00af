import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeFrame } from "../../sdk/protocol/frame.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { StorageError } from "../base/storage-error.ts";
import type { AcknowledgeRun } from "../machine/effect.ts";
import type { Deployment } from "../machine/registry.ts";
import type { Attempts } from "./attempts.ts";
import {
  CONTENT_TYPE,
  type FakeExchange,
  forward,
  inWorld,
  start,
  startOf,
  turn,
} from "./attempts.suite.ts";
import {
  bytesOf,
  deployment,
  END,
  eventually,
  framesOf,
  INPUT,
  invocationId,
  OUTPUT,
  RUN,
  runCompletion,
  SERVICE,
  SUSPENSION,
  text,
} from "./fixtures.suite.ts";
import type { After } from "./sweep.ts";

const CONTENT_TYPE_V7 = CONTENT_TYPE.replace("v6", "v7");

describe("an attempt begins", () => {
  it("with Start and the journal in one buffer, and the headers of the contract", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(7, { retryCountSinceLastStoredEntry: 3, modifiedAtMs: 400 }, [
        INPUT,
        RUN,
        runCompletion(1),
      ]);
      attempts.start(start(7, { knownEntries: 3 }));
      const exchange = transport.at(0);
      const debugId = invocationIdToString(invocationId(7));
      assert.equal(exchange.request.path, "/invoke/Greeter/greet");
      assert.deepEqual(exchange.request.headers, {
        "content-type": CONTENT_TYPE,
        accept: CONTENT_TYPE,
        "x-restate-invocation-id": debugId,
      });
      assert.equal(exchange.request.bodyComplete, false);
      const [, ...entries] = framesOf(exchange.request.body);
      assert.deepEqual(
        entries.map(({ type, body }) => [type, Buffer.from(body)]),
        (door.journals.get(7) ?? []).map(({ type, body }) => [type, Buffer.from(body)]),
      );
      const message = startOf(exchange);
      assert.equal(message.debugId, debugId);
      assert.deepEqual(Buffer.from(message.id), Buffer.from(invocationId(7)));
      assert.equal(message.knownEntries, 3);
      assert.equal(message.partialState, true);
      assert.deepEqual(message.state, []);
      assert.equal(message.key, "");
      assert.equal(message.retryCountSinceLastStoredEntry, 3);
      assert.equal(message.durationSinceLastStoredEntryMs, 600);
      assert.notEqual(message.randomSeed, 0n);
    });
  });

  it("below the path and with the headers of its deployment", async () => {
    const additionalHeaders = { Authorization: "Bearer x", Connection: "close", host: "other" };
    const uri = "https://[::1]:9080/base/path/?tenant=1";
    await inWorld(
      {},
      ({ door, transport, attempts }) => {
        door.add(1);
        attempts.start(start(1));
        const { endpoint, path, headers } = transport.at(0).request;
        assert.equal(path, "/base/path/invoke/Greeter/greet?tenant=1");
        assert.equal(headers["authorization"], "Bearer x");
        assert.equal(headers["connection"], undefined);
        assert.deepEqual(
          [endpoint.origin, endpoint.host, endpoint.port, endpoint.authority, endpoint.secure],
          ["https://[::1]:9080", "::1", 9080, "other", true],
        );
      },
      [deployment({ uri, additionalHeaders })],
    );
  });

  it("with what was durable, and forwards what came since", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1, {}, [INPUT, RUN, runCompletion(1)]);
      attempts.start(start(1, { knownEntries: 2 }));
      assert.equal(startOf(transport.at(0)).knownEntries, 2);
      attempts.forward(forward(1, 1));
      attempts.forward(forward(1, 2));
      await turn();
      assert.deepEqual(transport.at(0).frames, ["RunCompletion"]);
    });
  });

  it("as request and response where the deployment or a timeout of 0 says so", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1, { target: { service: "Greeter", handler: "closed", key: null } });
      attempts.start(start(1));
      assert.equal(transport.at(0).request.bodyComplete, true);
    });
    await inWorld(
      {},
      async ({ door, transport, attempts }) => {
        door.add(1);
        attempts.start(start(1));
        assert.equal(transport.at(0).request.bodyComplete, true);
        attempts.forward(forward(1, 1));
        attempts.acknowledge({ type: "acknowledge-command", seq: 1, epoch: 0, commandIndex: 1 });
        await turn();
        assert.deepEqual(transport.at(0).writes, []);
      },
      [deployment({ protocolMode: "REQUEST_RESPONSE" })],
    );
  });

  it("on the deployment and in the version it is bound to", async () => {
    const old = deployment();
    const latest = deployment({ id: "dp_2", uri: "http://127.0.0.1:2/" });
    await inWorld(
      {},
      ({ door, transport, attempts }) => {
        door.add(1, { pin: { deploymentId: "dp_1", protocolVersion: 5 } });
        attempts.start(start(1));
        door.add(2);
        attempts.start(start(2));
        const [first, second] = [transport.at(0), transport.at(1)];
        assert.equal(first.request.endpoint.port, 1);
        assert.equal(
          first.request.headers["content-type"],
          "application/vnd.restate.invocation.v5",
        );
        assert.equal(second.request.endpoint.port, 2);
        first.head(200, "application/vnd.restate.invocation.v5").data(bytesOf(RUN));
        const [input] = door.inputs;
        assert(input?.type === "append-command");
        assert.deepEqual(input.attempt, {
          seq: 1,
          epoch: 0,
          deploymentId: "dp_1",
          protocolVersion: 5,
        });
      },
      [old, latest],
    );
  });

  it("in the lower version of an old endpoint", async () => {
    await inWorld(
      {},
      ({ door, transport, attempts }) => {
        door.add(1);
        attempts.start(start(1));
        assert.match(transport.at(0).request.headers["content-type"] ?? "", /v5$/);
      },
      [deployment({ maxProtocolVersion: 5 })],
    );
  });

  it("not at all when the invocation has moved on", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1, { epoch: 2 });
      door.add(2, { state: { status: "paused", reason: "operator" } });
      for (const seq of [1, 2, 3]) attempts.start(start(seq));
      assert.deepEqual([transport.exchanges.length, door.inputs.length], [0, 0]);
    });
  });

  const refusals: [string, string, RegExp, Partial<Deployment>, { pinned?: [string, number] }][] = [
    ["nothing offers the handler", "RT0011", /no deployment offers/, { services: [] }, {}],
    ["its deployment is gone", "RT0011", /bound to.*dp_9/, {}, { pinned: ["dp_9", 6] }],
    ["only later versions are offered", "RT0013", /7 to 8.*5 to 6/, later(), {}],
    [
      "its version is not offered any more",
      "RT0013",
      /version 5;.*6 to 6/,
      { minProtocolVersion: 6 },
      { pinned: ["dp_1", 5] },
    ],
    [
      "this server dropped its version",
      "RT0014",
      /version 4, which this server/,
      {},
      { pinned: ["dp_1", 4] },
    ],
  ];
  for (const [what, errorCode, message, over, { pinned }] of refusals) {
    it(`fails with ${errorCode} when ${what}`, async () => {
      await inWorld(
        {},
        ({ door, transport, attempts }) => {
          const pin =
            pinned === undefined ? null : { deploymentId: pinned[0], protocolVersion: pinned[1] };
          door.add(1, { epoch: 4, pin });
          attempts.start(start(1, { epoch: 4 }));
          const { failure, countsForSdk, attempt } = door.failure;
          assert.equal(failure.errorCode, errorCode);
          assert.match(failure.message, message);
          assert.deepEqual([countsForSdk, attempt.seq, attempt.epoch], [false, 1, 4]);
          assert.deepEqual([transport.exchanges.length, attempts.inFlight], [0, 0]);
        },
        [deployment(over)],
      );
    });
  }

  it("fails alone when what is stored of it cannot be read", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1, { knownEntries: 2 }));
      assert.equal(door.failure.failure.errorCode, "RT0006");
      door.add(2);
      attempts.start(start(2));
      assert.equal(transport.exchanges.length, 1);
    });
  });

  it("lets a failure of the medium through", async () => {
    await inWorld({}, ({ door, attempts }) => {
      door.read = () => {
        throw new StorageError("disk I/O error");
      };
      assert.throws(() => attempts.start(start(1)), StorageError);
    });
  });
});

function later(): Partial<Deployment> {
  return { minProtocolVersion: 7, maxProtocolVersion: 8 };
}

describe("an attempt ends", () => {
  it("half-closes at once and makes room when the exchange is gone", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head().data(bytesOf(OUTPUT, END));
      assert.deepEqual(door.types, ["append-command", "end"]);
      assert.deepEqual([exchange.isEnded, exchange.isReset, attempts.inFlight], [true, false, 1]);
      exchange.finish();
      assert.deepEqual([exchange.isReset, attempts.inFlight, door.inputs.length], [false, 0, 2]);
    });
  });

  it("drops what follows and resets when the response does not end", async () => {
    await inWorld({ drainTimeoutMs: 80 }, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head().data(bytesOf(SUSPENSION));
      exchange.data(bytesOf(RUN));
      assert.deepEqual([door.types, exchange.isReset], [["suspend"], false]);
      await eventually(() => attempts.inFlight === 0, "the reset");
      assert(exchange.isReset);
      assert.deepEqual(door.types, ["suspend"]);
    });
  });

  it("cuts a firehose", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head().data(bytesOf(OUTPUT, END));
      const chunk = new Uint8Array(64 * 1024);
      for (let count = 0; count < 100 && !exchange.isReset; count += 1) exchange.data(chunk);
      assert(exchange.isReset);
    });
  });

  it("fails with RT0010 when the exchange breaks", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const { handler } = transport.at(0);
      handler.onError("nothing listens there");
      handler.onClose();
      const { failure, countsForSdk } = door.failure;
      assert.deepEqual([failure.errorCode, failure.message], ["RT0010", "nothing listens there"]);
      assert.deepEqual([countsForSdk, attempts.inFlight], [true, 0]);
    });
  });

  it("fails when the response ends too early", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head().data(bytesOf(RUN)).finish();
      assert.deepEqual(door.types, ["append-command", "fail"]);
      assert.equal(door.failure.failure.errorCode, "RT0007");
      assert(exchange.isEnded);
    });
  });

  it("fails on a bad head with what the endpoint says, and cuts the exchange", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head(404, "application/json");
      exchange.data(text('{"message":\n"unknown handler"}')).handler.onEnd();
      assert.match(door.failure.failure.message, /404.*\{"message": "unknown handler"\}/);
      assert.equal(door.failure.failure.errorCode, "RT0012");
      assert(exchange.isReset);
      await turn();
      assert.equal(attempts.inFlight, 0);
    });
  });

  it("does not wait long for the body of a refusal, nor take all of it", async () => {
    await inWorld({ drainTimeoutMs: 80 }, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      transport.at(0).head(500, undefined);
      await eventually(() => attempts.inFlight === 0, "the reset");
      assert.match(door.failure.failure.message, /answered 500$/);
      door.add(2);
      door.inputs.length = 0;
      attempts.start(start(2));
      transport
        .at(1)
        .head(500, "text/html")
        .data(text("x".repeat(100_000)));
      assert.match(door.failure.failure.message, /answered 500 \(it says: x{300}…\)$/);
    });
  });

  it("is cut without a word when the machine closes it", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head();
      attempts.close({ type: "close-attempt", seq: 1, epoch: 7 });
      assert(!exchange.isReset);
      attempts.close({ type: "close-attempt", seq: 1, epoch: 0 });
      assert(exchange.isReset);
      exchange.data(bytesOf(OUTPUT, END));
      await turn();
      assert.deepEqual([door.inputs, attempts.inFlight], [[], 0]);
    });
  });

  it("is left to drain when the machine closes it after its end", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head().data(bytesOf(END));
      attempts.close({ type: "close-attempt", seq: 1, epoch: 0 });
      assert(!exchange.isReset);
    });
  });

  it("gives way to the next attempt while it drains", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const old = transport.at(0).head().data(bytesOf(SUSPENSION));
      door.add(1, { epoch: 1 });
      attempts.start(start(1, { epoch: 1 }));
      attempts.start(start(1, { epoch: 0 }));
      assert.deepEqual([transport.exchanges.length, attempts.inFlight], [2, 2]);
      old.finish();
      attempts.forward(forward(1, 1, { epoch: 1 }));
      attempts.forward(forward(1, 2, { epoch: 0 }));
      await turn();
      assert.deepEqual(transport.at(1).frames, ["RunCompletion"]);
      assert.deepEqual([old.writes, old.isReset], [[], false]);
    });
  });
});

describe("an attempt forwards", () => {
  it("what comes in one turn in one write", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      attempts.forward(forward(1, 1));
      attempts.acknowledge({ type: "acknowledge-command", seq: 1, epoch: 0, commandIndex: 1 });
      attempts.forward(forward(1, 2));
      assert.deepEqual(transport.at(0).writes, []);
      await turn();
      assert.equal(transport.at(0).writes.length, 1);
      assert.deepEqual(transport.at(0).frames, ["RunCompletion", "CommandAck", "RunCompletion"]);
    });
  });

  it("and lets the endpoint wait while what it sent waits to be applied", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head();
      exchange.data(bytesOf(RUN));
      assert(!exchange.isPaused);
      door.isCongested = true;
      exchange.data(bytesOf(RUN));
      assert(exchange.isPaused);
      door.isCongested = false;
      door.relieve();
      assert(!exchange.isPaused);
    });
  });

  it("no faster than the endpoint reads", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0);
      exchange.isWritable = false;
      for (let index = 1; index <= 5; index += 1) {
        attempts.forward(forward(1, index));
        await turn();
      }
      assert.equal(exchange.frames.length, 1);
      exchange.isWritable = true;
      exchange.handler.onWritable();
      assert.equal(exchange.frames.length, 5);
      assert.equal(exchange.writes.length, 2);
    });
  });

  it("and half-closes when an endpoint does not read at all", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0);
      exchange.isWritable = false;
      const body = new Uint8Array(3 * 1024 * 1024);
      for (let index = 1; index <= 20; index += 1) {
        attempts.forward(forward(1, index, { body }));
        await turn();
      }
      assert(exchange.isEnded);
      const bytes = exchange.writes.reduce((sum, { length }) => sum + length, 0);
      assert(bytes < 16 * 1024 * 1024, `${bytes} bytes`);
      exchange.head().data(bytesOf(SUSPENSION));
      assert.deepEqual(door.types, ["suspend"]);
    });
  });

  it("nothing to the attempt of another epoch", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      attempts.forward(forward(1, 1, { epoch: 1 }));
      attempts.forward(forward(9, 1));
      await turn();
      assert.deepEqual(transport.at(0).writes, []);
    });
  });
});

describe("an attempt in V7", () => {
  const v7 = [deployment({ maxProtocolVersion: 7 })];
  const acknowledged = (index: number, over: Partial<AcknowledgeRun> = {}): AcknowledgeRun => ({
    type: "acknowledge-run",
    seq: 1,
    epoch: 0,
    index,
    completionId: index,
    ...over,
  });

  it("gets acknowledgements and notifications in journal order, each entry once", async () => {
    await inWorld(
      { protocolVersionMax: 7 },
      async ({ door, transport, attempts }) => {
        door.add(1);
        attempts.start(start(1));
        attempts.acknowledgeRun(acknowledged(0));
        attempts.acknowledgeRun(acknowledged(1));
        attempts.forward(forward(1, 1));
        attempts.forward(forward(1, 2));
        attempts.acknowledgeRun(acknowledged(3));
        attempts.acknowledgeRun(acknowledged(4, { epoch: 1 }));
        await turn();
        assert.deepEqual(transport.at(0).frames, [
          "ProposeRunCompletionAck",
          "RunCompletion",
          "ProposeRunCompletionAck",
        ]);
      },
      v7,
    );
  });

  it("replays what was to be acknowledged before it began", async () => {
    await inWorld(
      { attemptsMax: 1, protocolVersionMax: 7 },
      ({ door, transport, attempts }) => {
        door.add(2);
        attempts.start(start(2));
        door.add(1, {}, [INPUT, RUN]);
        attempts.start(start(1, { knownEntries: 2 }));
        door.append(1, runCompletion(1));
        attempts.acknowledgeRun(acknowledged(2));
        transport.at(0).head(200, CONTENT_TYPE_V7).data(bytesOf(END)).finish();
        assert.equal(startOf(transport.at(1)).knownEntries, 3);
      },
      v7,
    );
  });
});

describe("an invocation that is to pause", () => {
  const suspend = (seq: number, epoch = 0) => ({ type: "suspend-attempt", seq, epoch }) as const;

  it("has its attempt asked to suspend", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const exchange = transport.at(0).head();
      attempts.suspend(suspend(1));
      assert.deepEqual([exchange.isEnded, exchange.isReset, door.types], [true, false, []]);
      exchange.data(bytesOf(SUSPENSION));
      attempts.suspend(suspend(1));
      assert.deepEqual(door.types, ["suspend"]);
    });
  });

  it("yields where it has none, or one of another epoch", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1, { epoch: 2 });
      attempts.start(start(1, { epoch: 2 }));
      attempts.suspend(suspend(1, 3));
      attempts.suspend(suspend(9, 5));
      assert(!transport.at(0).isEnded);
      assert.deepEqual(door.inputs, [
        { type: "yield", seq: 1, epoch: 3 },
        { type: "yield", seq: 9, epoch: 5 },
      ]);
    });
  });

  it("yields where its attempt waits for room, and begins none", async () => {
    await inWorld({ attemptsMax: 1 }, ({ door, transport, attempts }) => {
      for (const seq of [1, 2]) {
        door.add(seq);
        attempts.start(start(seq));
      }
      attempts.suspend(suspend(2));
      assert.deepEqual(door.inputs, [{ type: "yield", seq: 2, epoch: 0 }]);
      door.add(2, { epoch: 1, state: { status: "paused", reason: "operator" } });
      transport.at(0).head().data(bytesOf(END)).finish();
      assert.deepEqual([transport.exchanges.length, attempts.waiting], [1, 0]);
    });
  });

  it("yields in place of beginning", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1, { epoch: 4, state: { status: "running", isPausing: true } });
      attempts.start(start(1, { epoch: 4 }));
      assert.deepEqual(door.inputs, [{ type: "yield", seq: 1, epoch: 4 }]);
      assert.deepEqual([transport.exchanges.length, attempts.inFlight], [0, 0]);
    });
  });
});

describe("a deployment that cannot be reached", () => {
  const other = deployment({
    id: "dp_2",
    uri: "http://127.0.0.1:2/",
    services: [{ ...SERVICE, name: "Other" }],
  });

  function refuse({ handler }: FakeExchange): void {
    handler.onError("nothing listens there");
    handler.onClose();
  }

  /** Timers that the test lets run. */
  function timers(): { after: After; pass: () => void } {
    const due = new Set<() => void>();
    const after: After = (delayMs, fn) => {
      if (delayMs === 0) queueMicrotask(fn);
      else due.add(fn);
      return () => due.delete(fn);
    };
    return {
      after,
      pass: () => {
        // What they arm is for the next time.
        const now = Array.from(due);
        due.clear();
        for (const fn of now) fn();
      },
    };
  }

  it("is tried by one attempt at a time until it answers, and holds nobody else up", async () => {
    const { after, pass } = timers();
    const options = { after, attemptsMax: 30, waitingMax: 1 };
    await inWorld(
      options,
      ({ door, transport, attempts }) => {
        const begin = (seq: number, service = "Greeter"): void => {
          door.add(seq, { target: { service, handler: "greet", key: null } });
          attempts.start(start(seq));
        };
        for (let seq = 1; seq <= 10; seq += 1) begin(seq);
        for (const exchange of transport.exchanges) refuse(exchange);
        assert.equal(door.types.filter((type) => type === "fail").length, 10);
        for (let seq = 11; seq <= 20; seq += 1) begin(seq);
        assert.deepEqual([transport.exchanges.length, attempts.waiting], [10, 10]);
        assert.deepEqual([attempts.unreachable(11), attempts.unreachable(10)], ["dp_1", undefined]);
        begin(21, "Other");
        assert.equal(transport.at(10).request.endpoint.port, 2);
        pass();
        assert.deepEqual([transport.exchanges.length, attempts.waiting], [12, 9]);
        refuse(transport.at(11));
        assert.equal(transport.exchanges.length, 12);
        pass();
        assert.equal(transport.exchanges.length, 13);
        door.append(20, RUN);
        attempts.forward(forward(20, 1));
        transport.at(12).head();
        assert.deepEqual([transport.exchanges.length, attempts.waiting], [21, 0]);
        assert.equal(startOf(transport.at(20)).knownEntries, 2);
        begin(22);
        assert.equal(transport.exchanges.length, 22);
        assert.equal(door.types.includes("fetch-ready"), false);
      },
      [deployment(), other],
    );
  });

  it("is not the one whose attempts were answered before they broke", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      for (let seq = 1; seq <= 20; seq += 1) {
        door.add(seq);
        attempts.start(start(seq));
        refuse(transport.at(seq - 1).head());
      }
      assert.equal(transport.exchanges.length, 20);
    });
  });

  it("does not keep an invocation from a new deployment", async () => {
    const { after, pass } = timers();
    await inWorld({ after }, ({ door, transport, attempts }) => {
      for (let seq = 1; seq <= 10; seq += 1) {
        door.add(seq);
        attempts.start(start(seq));
      }
      for (const exchange of transport.exchanges) refuse(exchange);
      door.add(11);
      attempts.start(start(11));
      door.register(deployment({ id: "dp_3", uri: "http://127.0.0.1:3/" }));
      pass();
      assert.equal(transport.at(10).request.endpoint.port, 3);
    });
  });
});

describe("an attempt times out", () => {
  const hasty = { target: { service: "Greeter", handler: "hasty", key: null } };

  it("is asked to suspend when nothing happens, then aborted", async () => {
    await inWorld({ drainTimeoutMs: 160 }, async ({ door, transport, attempts }) => {
      door.add(1, hasty);
      const begunMs = performance.now();
      attempts.start(start(1));
      const exchange = transport.at(0).head();
      await eventually(() => exchange.isEnded, "the half-close");
      assert(performance.now() - begunMs >= 199);
      exchange.data(bytesOf(RUN));
      assert.deepEqual(door.types, ["append-command"]);
      await door.received(2);
      assert(performance.now() - begunMs >= 399);
      assert.equal(door.failure.failure.errorCode, "RT0001");
      assert.match(door.failure.failure.message, /200 ms/);
      assert(!exchange.isReset);
      exchange.data(bytesOf(RUN));
      await eventually(() => attempts.inFlight === 0, "the reset");
      assert(exchange.isReset);
      assert.equal(door.inputs.length, 2);
    });
  });

  for (const [what, act] of [
    ["come", (exchange) => void exchange.data(bytesOf(RUN))],
    ["go", (_exchange, attempts, index) => attempts.forward(forward(1, index))],
  ] as [string, (exchange: FakeExchange, attempts: Attempts, index: number) => void][]) {
    it(`is not asked to suspend while frames ${what}`, async () => {
      await inWorld({}, async ({ door, transport, attempts }) => {
        door.add(1, hasty);
        attempts.start(start(1));
        const exchange = transport.at(0).head();
        for (let index = 1; index <= 6; index += 1) {
          await sleep(80);
          assert(!exchange.isEnded);
          act(exchange, attempts, index);
        }
      });
    });
  }

  it("is not kept alive by bytes that complete no message", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1, hasty);
      attempts.start(start(1));
      const exchange = transport.at(0).head();
      const slow = encodeFrame(MessageType.RunCommand, new Uint8Array(1000));
      let sent = 0;
      while (!exchange.isEnded && sent < 50) {
        await sleep(50);
        exchange.data(slow.subarray(sent, sent + 1));
        sent += 1;
      }
      assert(exchange.isEnded && sent < 40, `${sent} bytes`);
      assert.equal(door.inputs.length, 0);
    });
  });

  it("runs the abort timeout from the beginning for request and response", async () => {
    await inWorld({}, async ({ door, attempts }) => {
      door.add(1, { target: { service: "Greeter", handler: "closed", key: null } });
      const begunMs = performance.now();
      attempts.start(start(1));
      await door.received(1);
      assert.equal(door.failure.failure.errorCode, "RT0001");
      assert(performance.now() - begunMs >= 299);
    });
  });
});

describe("attempts are bounded", () => {
  it("in total: the rest waits in order", async () => {
    await inWorld({ attemptsMax: 2 }, ({ door, transport, attempts }) => {
      for (const seq of [1, 2, 3, 4]) {
        door.add(seq);
        attempts.start(start(seq));
      }
      assert.deepEqual([attempts.inFlight, attempts.waiting], [2, 2]);
      transport.at(1).head().data(bytesOf(END)).finish();
      assert.deepEqual([attempts.inFlight, attempts.waiting], [2, 1]);
      transport.at(0).head().data(bytesOf(END)).finish();
      assert.deepEqual(
        transport.exchanges.map((exchange) => exchange.request.headers["x-restate-invocation-id"]),
        [1, 2, 3, 4].map((seq) => invocationIdToString(invocationId(seq))),
      );
    });
  });

  it("and ask a quiet one to suspend when others wait: it may wait for one of them", async () => {
    let nowMs = 0;
    const due: (() => void)[] = [];
    const after = (delayMs: number, fn: () => void) => {
      if (delayMs === 0) queueMicrotask(fn);
      else due.push(fn);
      return () => {};
    };
    const options = { attemptsMax: 1, after, monotonicMs: () => nowMs };
    await inWorld(options, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      const parent = transport.at(0).head();
      const sweep = (): void => {
        nowMs += 1500;
        for (const fn of due.splice(0)) fn();
      };
      sweep();
      assert(!parent.isEnded, "nobody waits");
      door.add(2);
      attempts.start(start(2));
      sweep();
      assert(parent.isEnded);
    });
  });

  it("for each deployment, without holding up the others", async () => {
    const other = deployment({
      id: "dp_2",
      uri: "http://127.0.0.1:2/",
      services: [{ ...SERVICE, name: "Other" }],
    });
    await inWorld(
      { attemptsPerDeploymentMax: 1 },
      ({ door, transport, attempts }) => {
        for (const seq of [1, 2, 3]) {
          door.add(seq);
          attempts.start(start(seq));
        }
        door.add(4, { target: { service: "Other", handler: "greet", key: null } });
        attempts.start(start(4));
        const ports = () => transport.exchanges.map(({ request }) => request.endpoint.port);
        assert.deepEqual([ports(), attempts.waiting], [[1, 2], 2]);
        transport.at(0).head().data(bytesOf(END)).finish();
        assert.deepEqual([ports(), attempts.waiting], [[1, 2, 1], 1]);
        transport.at(2).head().data(bytesOf(END)).finish();
        assert.deepEqual([ports(), attempts.waiting], [[1, 2, 1, 1], 0]);
      },
      [deployment(), other],
    );
  });

  it("begins a waiting attempt with what has become durable meanwhile", async () => {
    await inWorld({ attemptsMax: 1 }, ({ door, transport, attempts }) => {
      door.add(1);
      door.add(2);
      attempts.start(start(1));
      attempts.start(start(2));
      door.append(2, RUN);
      door.append(2, runCompletion(1));
      door.append(2, runCompletion(2));
      attempts.forward(forward(2, 1));
      attempts.forward(forward(2, 2));
      transport.at(0).head().data(bytesOf(END)).finish();
      assert.equal(startOf(transport.at(1)).knownEntries, 3);
    });
  });

  it("begins a waiting attempt in its newest epoch, or not at all", async () => {
    await inWorld({ attemptsMax: 1 }, ({ door, transport, attempts }) => {
      for (const seq of [1, 2, 3]) {
        door.add(seq);
        attempts.start(start(seq));
      }
      door.add(2, { epoch: 1 }, [INPUT, RUN]);
      attempts.start(start(2, { epoch: 1, knownEntries: 2 }));
      door.add(3, { epoch: 1 });
      transport.at(0).head().data(bytesOf(END)).finish();
      assert.equal(startOf(transport.at(1)).knownEntries, 2);
      transport.at(1).head().data(bytesOf(END)).finish();
      assert.deepEqual([transport.exchanges.length, attempts.waiting], [2, 0]);
    });
  });

  it("asks for dropped hints again when there is room", async () => {
    const options = { attemptsMax: 1, waitingMax: 4 };
    await inWorld(options, ({ door, transport, attempts }) => {
      for (let seq = 1; seq <= 8; seq += 1) {
        door.add(seq);
        attempts.start(start(seq));
      }
      assert.deepEqual([attempts.waiting, door.types], [4, []]);
      transport.at(0).head().data(bytesOf(END)).finish();
      assert.deepEqual(door.types, ["end"]);
      transport.at(1).head().data(bytesOf(END)).finish();
      // Room for a page of two.
      assert.deepEqual(door.inputs.at(-1), { type: "fetch-ready", afterSeq: 0, limit: 2 });
      attempts.start(start(3));
      attempts.start(start(4));
      attempts.readyPage({ type: "ready-page", lastSeq: 4 });
      assert.deepEqual(door.inputs.at(-1), { type: "fetch-ready", afterSeq: 4, limit: 2 });
      attempts.start(start(5));
      attempts.start(start(6));
      attempts.readyPage({ type: "ready-page", lastSeq: 6 });
      // 4 and 5 waited already; 6 waits now, and there is no room for the next page.
      assert.deepEqual([attempts.waiting, door.inputs.length], [3, 4]);
      transport.at(2).head().data(bytesOf(END)).finish();
      assert.deepEqual(door.inputs.at(-1), { type: "fetch-ready", afterSeq: 6, limit: 2 });
      attempts.start(start(7));
      attempts.start(start(8));
      attempts.readyPage({ type: "ready-page", lastSeq: null });
      for (let index = 3; index < 8; index += 1) {
        transport.at(index).head().data(bytesOf(END)).finish();
      }
      assert.equal(attempts.inFlight, 0);
      assert.equal(door.types.filter((type) => type === "fetch-ready").length, 3);
    });
  });

  it("recovers page by page and ignores what runs already", async () => {
    await inWorld({}, ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      attempts.recover();
      assert.deepEqual(door.inputs, [{ type: "fetch-ready", afterSeq: 0, limit: 500 }]);
      attempts.recover();
      door.add(2);
      attempts.start(start(1));
      attempts.start(start(2));
      assert.equal(door.inputs.length, 1);
      attempts.readyPage({ type: "ready-page", lastSeq: null });
      assert.equal(transport.exchanges.length, 2);
    });
  });
});

describe("attempts shut down", () => {
  it("ask what runs to suspend, begin nothing, and wait", async () => {
    await inWorld({ attemptsMax: 1 }, async ({ door, transport, attempts }) => {
      door.add(1);
      door.add(2);
      attempts.start(start(1));
      attempts.start(start(2));
      let isDone = false;
      const done = attempts.shutdown(10_000).finally(() => {
        isDone = true;
      });
      const exchange = transport.at(0);
      assert.deepEqual([exchange.isEnded, exchange.isReset], [true, false]);
      await turn();
      assert(!isDone);
      exchange.head().data(bytesOf(SUSPENSION)).finish();
      await done;
      attempts.start(start(2));
      assert.deepEqual([transport.exchanges.length, transport.isClosed], [1, true]);
      assert.deepEqual(door.types, ["suspend"]);
    });
  });

  it("do not go on with a scan", async () => {
    await inWorld({}, async ({ door, attempts }) => {
      attempts.recover();
      await attempts.shutdown(0);
      attempts.readyPage({ type: "ready-page", lastSeq: 500 });
      assert.deepEqual(door.types, ["fetch-ready"]);
    });
  });

  it("cut what is left at the deadline, without failing it", async () => {
    await inWorld({}, async ({ door, transport, attempts }) => {
      door.add(1);
      attempts.start(start(1));
      await attempts.shutdown(20);
      assert(transport.at(0).isReset);
      await turn();
      assert.deepEqual([door.inputs, attempts.inFlight], [[], 0]);
    });
  });
});
