/** The machine over both stores: the same inputs have the same effects and leave the same rows, and nobody is left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { apply } from "../machine/apply.ts";
import type { Effect } from "../machine/effect.ts";
import type { AttemptRef, Input } from "../machine/input.ts";
import { instanceOf, type Invocation, isExclusive } from "../machine/invocation.ts";
import { DEFAULT_SETTINGS } from "../machine/settings.ts";
import { finishStep, newStep } from "../machine/step.ts";
import type { Reader } from "../machine/tx.ts";
import { DEPLOYMENT, output, T0 } from "../machine/world.suite.ts";
import type { Store } from "../processor/ports.ts";
import { dump } from "./fixtures.suite.ts";
import { KEYS, randomInput } from "./machine.suite.ts";
import { MemoryStore } from "./memory-store.ts";
import { Chance } from "./random-transactions.suite.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { tempDirectories } from "./temp.suite.ts";

const directory = tempDirectories();
const SETTINGS = { ...DEFAULT_SETTINGS, cleanupIntervalMs: 100, journalRetentionMs: 2000 };
const SEQ_MAX = 400;

class Pair {
  readonly memory = new MemoryStore();
  readonly sqlite = openSqliteStore(directory(), { durability: "none" });
  readonly attempts: AttemptRef[] = [];
  readonly ids: Uint8Array[] = [];
  /** Of each running invocation the epoch that was asked for, or asked to suspend, last. */
  readonly asked = new Map<number, number>();
  nowMs = T0;

  /** Returns the effects, which are the same of both. */
  apply(...inputs: Input[]): readonly Effect[] {
    const [expected, effects] = [this.memory, this.sqlite].map((store: Store) =>
      store.transact((tx) => {
        const step = newStep(tx, this.nowMs, SETTINGS);
        for (const input of inputs) apply(step, input);
        return finishStep(step);
      }),
    );
    assert.equal(plain(effects), plain(expected));
    for (const effect of effects ?? []) this.#see(effect);
    return effects ?? [];
  }

  #see(effect: Effect): void {
    if (effect.type !== "start-attempt" && effect.type !== "suspend-attempt") return;
    const { seq, epoch } = effect;
    this.asked.set(seq, epoch);
    this.attempts.push({ seq, epoch, deploymentId: "dp_1", protocolVersion: 6 });
    const found = this.memory.read((reader) => reader.invocation(seq));
    if (found !== undefined) this.ids.push(found.id);
  }

  all(reader: Reader): Invocation[] {
    return Array.from({ length: SEQ_MAX }, (_, seq) => reader.invocation(seq)).flatMap(
      (each) => each ?? [],
    );
  }

  /** Whoever holds a key or waits for one is known to do so, and whoever runs was asked to. */
  check(): void {
    this.memory.read((reader) => {
      for (const invocation of this.all(reader)) {
        const { seq, epoch, state, kind } = invocation;
        if (state.status === "running") assert.equal(this.asked.get(seq), epoch);
        const instance = instanceOf(invocation);
        if (instance === null || !isExclusive(kind)) continue;
        const isWaiting = reader.queue(instance, SEQ_MAX).includes(seq);
        assert.equal(isWaiting, state.status === "queued");
        const isOutside = ["scheduled", "queued", "completed"].includes(state.status);
        assert.equal(reader.lockHolder(instance) === seq, !isOutside, `${seq} ${state.status}`);
        if (isWaiting) assert.notEqual(reader.lockHolder(instance), undefined);
      }
    });
  }

  /** Resumes, lets time pass and answers every attempt, until all is over. */
  heal(): void {
    for (let round = 0; round < 200; round += 1) {
      this.nowMs += 10;
      this.apply({ type: "timers-due" });
      const open = this.memory.read((reader) =>
        this.all(reader).filter(({ state }) => state.status !== "completed"),
      );
      if (open.length === 0) return;
      for (const { seq, id, epoch } of open) {
        this.apply({ type: "resume", id, deployment: "keep", replyTo: null });
        const newest = this.attempts.findLast((each) => each.seq === seq);
        const attempt = newest ?? { seq, epoch, deploymentId: "dp_1", protocolVersion: 6 };
        const command = output("healed");
        const body = encodeBody(command);
        this.apply(
          { type: "append-command", attempt, command, body, ackRequested: false },
          { type: "end", attempt },
        );
      }
    }
    assert.fail("somebody is left behind");
  }
}

/** Bytes are a `Uint8Array` of the one store and a `Buffer` of the other. */
function plain(effects: unknown): string {
  return JSON.stringify(
    effects,
    function bytesAsNumbers(this: Record<string, unknown>, key, value) {
      const raw = this[key];
      return raw instanceof Uint8Array ? [...raw] : value;
    },
  );
}

test("the machine does the same over both stores, and leaves nobody behind", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const chance = new Chance(seed);
      const pair = new Pair();
      pair.apply({ type: "register-deployment", deployment: DEPLOYMENT, replyTo: null });
      for (let count = 0; count < 150; count += 1) {
        if (chance.below(6) === 0) pair.nowMs += chance.below(300);
        const batch = Array.from({ length: 1 + chance.below(3) }, () => randomInput(chance, pair));
        pair.apply(...batch);
        pair.check();
      }
      pair.heal();
      for (const service of ["Counter", "Order"]) {
        for (const key of KEYS) {
          pair.memory.read((reader) => {
            assert.equal(reader.lockHolder({ service, key }), undefined);
            assert.deepEqual(reader.queue({ service, key }, 1), []);
          });
        }
      }
      const [memory, sqlite] = [pair.memory, pair.sqlite].map((store): unknown =>
        JSON.parse(dump(store, SEQ_MAX)),
      );
      assert.deepEqual(sqlite, memory);
      await pair.sqlite.close();
    }),
    { numRuns: 40 },
  );
});
