import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { Deferred, type TransactOptions } from "../base/deferred.ts";
import { StorageError } from "../base/storage-error.ts";
import { deploymentOf } from "../machine/deployment.suite.ts";
import type { Effect, Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import { EMPTY_REGISTRY, withDeployment } from "../machine/registry.ts";
import type { Reader, Transactor } from "../machine/tx.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Ports, Store } from "./ports.ts";
import { Processor } from "./processor.ts";

/** A store whose barriers pass when the test says so. */
class SlowStore implements Store {
  readonly memory = new MemoryStore();
  readonly barriers: ((error: Error | null) => void)[] = [];
  transactions = 0;
  /** Of the next transaction that may be deferred. */
  until: Promise<void> | null = null;

  transact<T>(fn: (tx: Transactor) => T, options?: TransactOptions): T {
    this.transactions += 1;
    const { until } = this;
    const isDeferred = until !== null && options?.mayDefer === true;
    if (isDeferred) this.until = null;
    return this.memory.transact((tx) => {
      const value = fn(this.#unreadable(tx));
      if (isDeferred) throw new Deferred(until);
      return value;
    });
  }
  read<T>(fn: (reader: Reader) => T): T {
    return this.memory.read(fn);
  }
  barrier(done: (error: Error | null) => void): void {
    this.barriers.push(done);
  }
  commitGate: Promise<void> | null = null;
  readonly isDurable = true;
  /** As a row that was written wrong: whoever loads it fails. */
  unreadableSeq: number | null = null;

  #unreadable(tx: Transactor): Transactor {
    return new Proxy(tx, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          assert(name !== "invocation" || args[0] !== this.unreadableSeq, "the row is broken");
          return Reflect.apply(value, target, args);
        };
      },
    });
  }

  pass(): void {
    for (const done of this.barriers.splice(0)) done(null);
  }
}

let nowMs = 1000;

class Fixture {
  readonly store = new SlowStore();
  readonly seen: Effect[] = [];
  readonly fatal: Error[] = [];
  readonly defects: unknown[] = [];
  readonly processor = new Processor({
    store: this.store,
    clock: { nowMs: () => nowMs },
    onFatal: (error) => this.fatal.push(error),
    onDefect: (error) => this.defects.push(error),
  });

  constructor() {
    const services = [{ name: "S", ty: "SERVICE" as const, handlers: [{ name: "h" }] }];
    const { revisions } = withDeployment(EMPTY_REGISTRY, deploymentOf(nowMs, services));
    this.store.memory.transact((tx) => tx.putDeployment(deploymentOf(nowMs, services), revisions));
    const see = (effect: Effect): void => void this.seen.push(effect);
    const attempts = {
      start: see,
      forward: see,
      acknowledge: see,
      acknowledgeRun: see,
      suspend: see,
      close: see,
      readyPage: see,
    };
    const ports: Ports = {
      attempts,
      timers: { arm: see },
      waiters: { finished: see, published: see },
    };
    this.processor.connect(ports);
  }
}

/** Long enough for a batch that does not grow any more. */
async function turn(): Promise<void> {
  for (let count = 0; count < 3; count += 1) await new Promise((resolve) => setImmediate(resolve));
}

function invoke(number: number, replyTo: number | null = null): Input {
  const id = new Uint8Array(24).fill(number);
  const target = { service: "S", handler: "h", key: null };
  const rest = { idempotencyKey: null, startAtMs: 0, caller: null, trace: null, replyTo };
  return { type: "invoke", id, target, headers: [], parameter: new Uint8Array(), ...rest };
}

/** An input that the machine cannot apply: a defect, made by lying about its type. */
const poison = (): Input => ({ ...invoke(9), id: undefined }) as unknown as Input;

describe("the processor", () => {
  it("applies what was submitted in one turn in one transaction", async () => {
    const { processor, store } = new Fixture();
    for (let number = 1; number <= 5; number += 1) processor.submit(invoke(number));
    assert.equal(store.transactions, 0);
    await turn();
    assert.equal(store.transactions, 1);
  });

  it("runs a deferred batch again, once and before all that came meanwhile", async () => {
    const { processor, store, seen, fatal } = new Fixture();
    let resume = (): void => {};
    store.until = new Promise((resolve) => (resume = resolve));
    processor.submit(invoke(1));
    await turn();
    processor.submit(invoke(2));
    await turn();
    assert.deepEqual([store.transactions, store.barriers.length], [1, 0]);
    const settled = processor.settled();
    resume();
    await turn();
    await turn();
    store.pass();
    await turn();
    store.pass();
    await settled;
    assert.equal(store.transactions, 3);
    const started = seen.flatMap((effect) => (effect.type === "start-attempt" ? [effect.seq] : []));
    assert.deepEqual(started, [1, 2]);
    const ids = store.memory.read((reader) => reader.running(0, 9).map(({ id }) => id[0]));
    assert.deepEqual(ids, [1, 2]);
    assert.deepEqual(fatal, []);
  });

  it("defers no batch twice, and none that is applied input by input after a defect", async () => {
    const { processor, store, defects } = new Fixture();
    store.until = Promise.resolve();
    processor.submit(invoke(1));
    await turn();
    // The second time nobody may defer it.
    assert.deepEqual([store.transactions, store.barriers.length], [2, 1]);
    store.pass();
    processor.submit(poison());
    processor.submit(invoke(2));
    await turn();
    store.until = Promise.resolve();
    assert.equal(defects.length, 1);
    assert.equal(
      store.memory.read((reader) => reader.running(0, 9).length),
      2,
    );
  });

  it("stops where what it waits for cannot be had", async () => {
    const { processor, store, fatal } = new Fixture();
    store.until = Promise.reject(new StorageError("disk full"));
    store.until.catch(() => {});
    processor.submit(invoke(1));
    await turn();
    assert.deepEqual(
      fatal.map(({ message }) => message),
      ["disk full"],
    );
  });

  it("collects what comes while a barrier is under way into one transaction", async () => {
    const { processor, store } = new Fixture();
    processor.submit(invoke(1));
    await turn();
    for (const number of [2, 3, 4]) {
      processor.submit(invoke(number));
      await turn();
    }
    assert.equal(store.transactions, 1);
    store.pass();
    await turn();
    assert.equal(store.transactions, 2);
  });

  it("does not hold a batch for ever while inputs stream in", async () => {
    const { processor, store } = new Fixture();
    for (let number = 1; number <= 8; number += 1) {
      processor.submit(invoke(number));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(store.transactions, 1);
  });

  it("lets no effect out before its barrier, and keeps their order", async () => {
    const { processor, store, seen } = new Fixture();
    const replies: Reply[] = [];
    processor.ask(
      (replyTo) => invoke(1, replyTo),
      (reply) => replies.push(reply),
    );
    await turn();
    processor.submit(invoke(2));
    await turn();
    assert.deepEqual([seen, replies], [[], []]);
    store.pass();
    await turn();
    assert.equal(seen.length, 1);
    store.pass();
    assert.deepEqual(
      seen.map((effect) => effect.type === "start-attempt" && effect.seq),
      [1, 2],
    );
    assert.equal(replies[0]?.kind, "accepted");
  });

  it("asks for no barrier when nothing leaves", async () => {
    const { processor, store } = new Fixture();
    const attempt = { seq: 77, epoch: 0, deploymentId: "dp", protocolVersion: 6 };
    processor.submit({ type: "end", attempt });
    await turn();
    assert.equal(store.transactions, 1);
    assert.equal(store.barriers.length, 0);
  });

  it("costs a defect one input, not its neighbours", async () => {
    const { processor, store, seen, defects } = new Fixture();
    const replies: Reply[] = [];
    processor.submit(invoke(1));
    processor.ask(
      (replyTo) => ({ ...poison(), replyTo }) as Input,
      (reply) => replies.push(reply),
    );
    processor.submit(invoke(2));
    await turn();
    store.pass();
    assert.equal(defects.length, 1);
    assert.equal(replies[0]?.kind, "failed");
    assert.equal(seen.filter((effect) => effect.type === "start-attempt").length, 2);
  });

  it("drops the one timer that cannot be applied, and fires the others", async () => {
    const { processor, store, seen, defects } = new Fixture();
    const delayed = (number: number) => ({ ...invoke(number), startAtMs: 1001 }) as Input;
    for (const number of [1, 2, 3]) processor.submit(delayed(number));
    await turn();
    store.pass();
    store.unreadableSeq = 2;
    seen.length = 0;
    nowMs = 2000;
    processor.submit({ type: "timers-due" });
    await turn();
    store.pass();
    nowMs = 1000;
    assert(defects.length > 0);
    const started = seen.filter((effect) => effect.type === "start-attempt");
    assert.deepEqual(
      started.map((effect) => effect.seq),
      [1, 3],
    );
  });

  it("fails the attempt whose input is a defect, so that it is tried again", async () => {
    const { processor, store, seen, defects } = new Fixture();
    processor.submit(invoke(1));
    await turn();
    const attempt = { seq: 1, epoch: 0, deploymentId: "dp", protocolVersion: 6 };
    const command = { type: MessageType.SendSignalCommand, targetInvocationId: undefined };
    const broken = {
      type: "append-command",
      attempt,
      command,
      body: new Uint8Array(),
      ackRequested: true,
    };
    store.pass();
    processor.submit(broken as unknown as Input);
    await turn();
    store.pass();
    assert.equal(defects.length, 1);
    const status = processor.read((reader) => reader.invocation(1)?.state.status);
    assert.equal(status, "backing-off");
    assert(seen.some((effect) => effect.type === "close-attempt"));
  });

  it("holds its commits while the store asks for it, and loses nothing", async () => {
    const { processor, store } = new Fixture();
    let open: () => void = () => {};
    store.commitGate = new Promise((resolve) => (open = resolve));
    processor.submit(invoke(1));
    await turn();
    processor.submit(invoke(2));
    await turn();
    assert.equal(store.transactions, 0);
    store.commitGate = null;
    open();
    await turn();
    assert.equal(store.transactions, 1);
    assert.equal(
      processor.read((reader) => reader.running(0, 9).length),
      2,
    );
  });

  it("is congested by a flood, and says when that is over", async () => {
    const { processor, store } = new Fixture();
    let relieved = 0;
    for (let number = 0; number < 6000; number += 1) processor.submit({ type: "timers-due" });
    assert(processor.isCongested);
    processor.whenRelieved(() => (relieved += 1));
    assert.equal(relieved, 0);
    for (let count = 0; count < 10; count += 1) await turn();
    store.pass();
    assert(!processor.isCongested);
    assert.equal(relieved, 1);
  });

  it("is congested by bytes as well as by numbers", () => {
    const { processor } = new Fixture();
    const attempt = { seq: 1, epoch: 0, deploymentId: "dp", protocolVersion: 6 };
    const value = new Uint8Array(65 * 1024 * 1024);
    const result = { kind: "value", value } as const;
    processor.submit({
      type: "propose-run",
      attempt,
      completionId: 1,
      result,
      ackRequested: false,
    });
    assert(processor.isCongested);
  });

  it("stops when the medium fails, and says so once", async () => {
    const { processor, store, fatal, seen } = new Fixture();
    processor.submit(invoke(1));
    await turn();
    processor.submit(invoke(2));
    await turn();
    for (const done of store.barriers.splice(0)) done(new StorageError("fdatasync failed"));
    processor.submit(invoke(3));
    await turn();
    assert.equal(fatal.length, 1);
    assert.equal(store.transactions, 1);
    assert.deepEqual(seen, []);
  });

  it("hands out what it read once that is durable", async () => {
    const { processor, store } = new Fixture();
    processor.submit(invoke(1));
    await turn();
    let value: string | undefined;
    const read = processor
      .readDurable((reader) => reader.invocation(1)?.state.status)
      .then((status) => (value = status));
    await turn();
    assert.equal(value, undefined);
    store.pass();
    await read;
    assert.equal(value, "running");
  });
});
