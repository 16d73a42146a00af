/**
 * Transactions at random, from a seed: whatever a transaction can do, on a handful of invocations, so that they meet again and
 * again. The same plan run on two stores in the same state does the same to both.
 */
import type { Invocation } from "../machine/invocation.ts";
import { withDeployment } from "../machine/registry.ts";
import type { Transactor } from "../machine/tx.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import {
  appendMessage,
  deploymentOf,
  MESSAGE_NAMES,
  newInvocation,
  NOW_MS,
  STATES,
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

const KINDS = ["start", "sleep", "retry", "purge"] as const;
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
  const seq = 2 + chance.below(seqs);
  const state = chance.pick(STATES) ?? { status: "running" };
  const other = chance.below(5);
  const name = chance.pick(MESSAGE_NAMES) ?? "input";
  const on =
    (fn: (tx: Transactor, invocation: Invocation) => void): Plan =>
    (tx) => {
      const invocation = tx.invocation(seq);
      if (invocation !== undefined) fn(tx, invocation);
    };
  switch (chance.below(12)) {
    case 0:
    case 1:
      return (tx) => {
        const made = tx.insertInvocation(newInvocation(number, { state }));
        appendMessage(tx, made, "input");
      };
    case 2:
    case 3:
      return on((tx, invocation) => {
        Object.assign(invocation, { state, modifiedAtMs: NOW_MS + number });
        if (state.status !== "running") invocation.epoch += 1;
        tx.save(invocation);
      });
    case 4:
    case 5:
      return on((tx, invocation) => void appendMessage(tx, invocation, name));
    case 6: {
      const body = new Uint8Array(BODY_BYTES[other] ?? 0).fill(number % 256);
      return on((tx, invocation) => {
        tx.append(invocation, MessageType.CallCommand, body, NOW_MS);
      });
    }
    case 7:
      return (tx) => tx.deleteInvocation(seq);
    case 8:
      return (tx) =>
        tx.addTimer({ dueMs: NOW_MS + other, seq, kind: KINDS[other % 4] ?? "start", arg: other });
    case 9:
      return (tx) => void tx.takeDueTimers(NOW_MS + other, 2);
    case 10:
      return (tx) => {
        tx.addListener(seq, {
          callerSeq: 1 + other,
          completionId: number % 7,
          messageType: MessageType.CallCompletion,
        });
        if (other === 0) tx.takeListeners(seq + 1);
      };
    default:
      return (tx) => {
        if (other !== 0) return void tx.running(0, 3);
        const deployment = deploymentOf(`dp_${number % 3}`, [`S${number % 5}`]);
        return tx.putDeployment(deployment, withDeployment(tx.registry(), deployment).revisions);
      };
  }
}
