/**
 * Everything the machine asks of the world, one union. State is truth, effects are hints: each can be derived again from
 * state, or is safe to lose. They leave in commit order, after the barrier that covers their commit.
 */
import type { Outcome } from "../../sdk/protocol/messages.ts";

/** Run an attempt. Its replay is the journal up to `knownEntries`: what follows comes as `forward`. */
export interface StartAttempt {
  readonly type: "start-attempt";
  readonly seq: number;
  readonly epoch: number;
  readonly knownEntries: number;
}

/** A notification was stored while an attempt is current: send it on its stream. */
export interface Forward {
  readonly type: "forward";
  readonly seq: number;
  readonly epoch: number;
  readonly index: number;
  readonly messageType: number;
  readonly body: Uint8Array;
}

/** A command that asked for it is durable. */
export interface AcknowledgeCommand {
  readonly type: "acknowledge-command";
  readonly seq: number;
  readonly epoch: number;
  readonly commandIndex: number;
}

/** The attempt is no longer current: stop sending, drain, close. */
export interface CloseAttempt {
  readonly type: "close-attempt";
  readonly seq: number;
  readonly epoch: number;
}

/** A timer is due at `dueMs`; submit `timers-due` then. */
export interface ArmTimer {
  readonly type: "arm-timer";
  readonly dueMs: number;
}

/** An invocation has its result: whoever waits for it may have it. */
export interface Finished {
  readonly type: "finished";
  readonly seq: number;
  readonly outcome: Outcome;
}

/** All of a page of `fetch-ready` was sent; `lastSeq` is where the next page begins, null when there is none. */
export interface ReadyPage {
  readonly type: "ready-page";
  readonly lastSeq: number | null;
}

export interface ReplyEffect {
  readonly type: "reply";
  readonly to: number;
  readonly reply: Reply;
}

/** The answer to an input that asked for one. */
export type Reply =
  /** The invocation exists and has no result yet; `finished` follows. `startAtMs` is null unless it still waits for its time. */
  | {
      readonly kind: "accepted";
      readonly seq: number;
      readonly id: Uint8Array;
      readonly isNew: boolean;
      readonly startAtMs: number | null;
    }
  /** The invocation had its result before the question came. */
  | {
      readonly kind: "completed";
      readonly id: Uint8Array;
      readonly target: { readonly service: string; readonly handler: string };
      readonly outcome: Outcome;
      readonly expiresAtMs: number;
    }
  | { readonly kind: "not-found" }
  /** Known, but not in a state in which this can be done. */
  | { readonly kind: "conflict"; readonly status: string }
  | { readonly kind: "done" }
  /** The input could not be applied because of a defect of the server; nothing of it was stored. */
  | { readonly kind: "failed"; readonly message: string };

export type Effect =
  | StartAttempt
  | Forward
  | AcknowledgeCommand
  | CloseAttempt
  | ArmTimer
  | Finished
  | ReadyPage
  | ReplyEffect;
