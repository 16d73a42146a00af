/** Tells who traces about the steps of one attempt: when each began, and how it ended. */
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Entry } from "../journal/summary.ts";
import type { Observer, StepSeen } from "../processor/observer.ts";

/** What every step of an attempt has in common. */
export type StepFacts = Pick<StepSeen, "invocationId" | "target" | "epoch" | "trace">;

interface Begun {
  readonly name: string;
  readonly atMs: number;
}

export class StepWatch {
  readonly #facts: StepFacts;
  readonly #observer: Observer;
  readonly #nowMs: () => number;
  /** By completion id: the steps without a result. */
  readonly #open = new Map<number, Begun>();

  /** `replayed`: what the attempt is given to replay. Steps without a result in it run again, from now. */
  constructor(
    facts: StepFacts,
    observer: Observer,
    nowMs: () => number,
    replayed: readonly Entry[],
  ) {
    this.#facts = facts;
    this.#observer = observer;
    this.#nowMs = nowMs;
    for (const { type, body } of replayed) this.#replay(type, body);
  }

  began(completionId: number, name: string): void {
    this.#open.set(completionId, { name, atMs: this.#nowMs() });
  }

  ended(completionId: number, failed: boolean): void {
    const begun = this.#open.get(completionId);
    if (begun === undefined) return;
    this.#open.delete(completionId);
    const { name, atMs: startedAtMs } = begun;
    const times = { startedAtMs, endedAtMs: this.#nowMs() };
    this.#observer.step({ ...this.#facts, ...times, name, completionId, failed });
  }

  #replay(type: number, body: Uint8Array): void {
    if (type !== MessageType.RunCommand && type !== MessageType.RunCompletion) return;
    const message = decodeMessage(type, body);
    if (message.type === MessageType.RunCommand) {
      this.began(message.resultCompletionId, message.name);
    } else if (message.type === MessageType.RunCompletion && message.id.kind === "completion") {
      this.#open.delete(message.id.completionId);
    }
  }
}
