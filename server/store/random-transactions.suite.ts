/**
 * Transactions at random, from a seed: whatever a transaction can do, on a handful of invocations, so that they meet again and
 * again. The same plan run on two stores in the same state does the same to both.
 */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import type { Instance, Invocation } from "../machine/invocation.ts";
import { withDeployment } from "../machine/registry.ts";
import type { Transactor } from "../machine/tx.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import {
  appendMessage,
  deploymentOf,
  INSTANCES,
  MESSAGE_NAMES,
  newInvocation,
  NOW_MS,
  RUNNING,
  STATES,
  TREE,
} from "./fixtures.suite.ts";

/** Numbers from a seed (xorshift32): the same seed, the same numbers. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  }

  /** 0 to `end`, `end` excluded. */
  below(end: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % end;
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }
}

const KINDS = ["start", "sleep", "retry", "purge", "purge-journal"] as const;
const EVENT = { kind: "suspended", awaiting: TREE } as const;
/** In another order than that of their bytes; one begins with another. */
const STATE_NAMES = ["ÿ", "a", "ab", "", "Z"].map((name) => Buffer.from(name, "latin1"));
const BODY_BYTES = [0, 10, 300, 3000, 9000];

export type Plan = (tx: Transactor) => void;

/** The plan of one transaction; `number` makes its ids its own. It touches seqs from 2 on: the first is the test's. */
export function randomPlan(chance: Chance, number: number, seqs: number): Plan {
  const steps = Array.from({ length: 1 + chance.below(8) }, (_, step) =>
    randomStep(chance, number * 10 + step, seqs),
  );
  return (tx) => {
    for (const step of steps) step(tx);
  };
}

function randomStep(chance: Chance, number: number, seqs: number): Plan {
  switch (chance.below(6)) {
    case 0:
      return stateStep(chance, number);
    case 1:
      return keyStep(chance, number, seqs);
    case 2:
      return promiseStep(chance, number, seqs);
    case 3:
      return dueStep(chance, number, seqs);
    default:
      return invocationStep(chance, number, seqs);
  }
}

function invocationStep(chance: Chance, number: number, seqs: number): Plan {
  const seq = 2 + chance.below(seqs);
  const state = chance.pick(STATES) ?? RUNNING;
  const other = chance.below(5);
  const name = chance.pick(MESSAGE_NAMES) ?? "input";
  const on =
    (fn: (tx: Transactor, invocation: Invocation) => void): Plan =>
    (tx) => {
      const invocation = tx.invocation(seq);
      // Nothing happens any more to an invocation whose journal is purged, but that it is deleted.
      if (invocation !== undefined && !invocation.isJournalPurged) fn(tx, invocation);
    };
  switch (chance.below(10)) {
    case 0:
    case 1:
    case 2:
      return (tx) => {
        const made = tx.insertInvocation(newInvocation(number, { state }));
        appendMessage(tx, made, "input");
      };
    case 3:
    case 4:
      return on((tx, invocation) => {
        // An invocation is scheduled from its first moment or never.
        if (state.status === "scheduled") return;
        Object.assign(invocation, { state, modifiedAtMs: NOW_MS + number });
        if (state.status !== "running") invocation.epoch += 1;
        tx.save(invocation);
      });
    case 5:
    case 6:
      return on((tx, invocation) => void appendMessage(tx, invocation, name));
    case 7: {
      const body = new Uint8Array(BODY_BYTES[other] ?? 0).fill(number % 256);
      return on((tx, invocation) => {
        tx.append(invocation, MessageType.CallCommand, body, NOW_MS);
      });
    }
    case 8:
      return (tx) => tx.deleteInvocation(seq);
    default:
      return on((tx, invocation) => {
        if (invocation.state.status !== "completed" || invocation.journal.length === 0) return;
        invocation.isJournalPurged = true;
        tx.save(invocation);
        tx.purgeJournal(seq, other % invocation.journal.length);
      });
  }
}

function dueStep(chance: Chance, number: number, seqs: number): Plan {
  const seq = 2 + chance.below(seqs);
  const other = chance.below(5);
  switch (chance.below(5)) {
    case 0:
      return (tx) =>
        tx.addTimer({ dueMs: NOW_MS + other, seq, kind: KINDS[other] ?? "start", arg: other });
    case 1:
      return (tx) => void tx.takeDueTimers(NOW_MS + other, 2);
    case 2:
      return (tx) => {
        tx.addListener(seq, {
          callerSeq: 1 + other,
          completionId: number % 7,
          messageType: MessageType.CallCompletion,
        });
        if (other === 0) tx.takeListeners(seq + 1);
      };
    case 3:
      return (tx) => {
        const isThere = tx.invocation(seq) !== undefined;
        if (isThere) tx.addEvent(seq, { ...EVENT, atMs: NOW_MS + number, afterIndex: other });
      };
    default:
      return registryStep(number, other);
  }
}

function registryStep(number: number, other: number): Plan {
  const id = `dp_${number % 3}`;
  const service = `S${number % 5}`;
  const deployment = deploymentOf(id, [service]);
  switch (other) {
    case 0:
      return (tx) =>
        tx.putDeployment(deployment, withDeployment(tx.registry(), deployment).revisions);
    case 1:
      return (tx) => tx.putDeployment({ ...deployment, drainingSinceMs: NOW_MS + number }, []);
    case 2:
      return (tx) => tx.deleteDeployment(id);
    case 3:
      return (tx) => tx.putOverrides(service, { ingressPrivate: true, abortTimeout: number });
    default:
      return (tx) => void tx.running(0, 3);
  }
}

function stateStep(chance: Chance, number: number): Plan {
  const instance = instanceFrom(chance);
  const name = nameFrom(chance);
  switch (chance.below(6)) {
    case 0:
      return (tx) => tx.clearState(instance, name);
    case 1:
      return (tx) => tx.clearAllState(instance);
    default:
      return (tx) => tx.setState(instance, name, valueOf(number));
  }
}

function keyStep(chance: Chance, number: number, seqs: number): Plan {
  const instance = instanceFrom(chance);
  const name = nameFrom(chance);
  const seq = 2 + chance.below(seqs);
  switch (chance.below(7)) {
    case 0:
      return (tx) => void tx.lock(instance, seq);
    case 1:
      return (tx) => tx.unlock(instance);
    case 2:
      return (tx) => tx.removeQueued(1 + (number % 9));
    case 3:
      return (tx) => void tx.dequeue(instance);
    case 4: {
      const version = number % 2 === 0 ? null : "v";
      const mutation = { version, entries: [{ key: name, value: valueOf(number) }] };
      return (tx) => void tx.enqueue(instance, { kind: "mutation", mutation });
    }
    default:
      return (tx) => void tx.enqueue(instance, { kind: "invocation", seq });
  }
}

function promiseStep(chance: Chance, number: number, seqs: number): Plan {
  const instance = instanceFrom(chance);
  const name = chance.pick(["p", "q", ""]) ?? "p";
  const seq = 2 + chance.below(seqs);
  switch (chance.below(6)) {
    case 0:
    case 1:
      return (tx) => {
        if (tx.promise(instance, name) !== undefined) return;
        tx.completePromise(instance, name, number % 2 === 0 ? FAILED : succeeded(number));
      };
    case 2:
      return (tx) => void tx.takePromiseListeners(instance, name);
    case 3:
      return (tx) => tx.clearPromises(instance);
    default:
      return (tx) => tx.addPromiseListener(instance, name, { seq, completionId: number % 3 });
  }
}

const instanceFrom = (chance: Chance): Instance =>
  chance.pick(INSTANCES) ?? { service: "Cart", key: "a" };

const nameFrom = (chance: Chance): Uint8Array => chance.pick(STATE_NAMES) ?? Buffer.from("a");

const valueOf = (number: number): Uint8Array =>
  Uint8Array.of(number % 256, 0, 255).subarray(0, number % 4);

const succeeded = (number: number): Outcome => ({ kind: "value", value: valueOf(number) });

const FAILED: Outcome = {
  kind: "failure",
  failure: { code: 409, message: "m", metadata: [{ key: "k", value: "v" }] },
};
