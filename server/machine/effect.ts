/**
 * Everything the machine asks of the world, one union. State is truth, effects are hints: each can be derived again from
 * state, or is safe to lose. They leave in commit order, after the barrier that covers their commit.
 */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import type { InvocationStatus } from "./invocation.ts";

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

/** A proposed step result is stored as entry `index`; from V7 on the endpoint gets this in place of the notification. */
export interface AcknowledgeRun {
  readonly type: "acknowledge-run";
  readonly seq: number;
  readonly epoch: number;
  readonly index: number;
  readonly completionId: number;
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

/** The invocation is to pause: ask its attempt to suspend. Submit `yield` where there is no such attempt. */
export interface SuspendAttempt {
  readonly type: "suspend-attempt";
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

/** The latest value of a published event. */
export interface EventState {
  /** Of its entry: a later value has a higher one. */
  readonly index: number;
  /** When it was set, in ms since the Unix epoch. */
  readonly atMs: number;
  readonly outcome: Outcome;
}

/** An event was set: whoever waits for it may have it. */
export interface Published {
  readonly type: "published";
  readonly seq: number;
  readonly key: string;
  readonly state: EventState;
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

/** Why the machine refuses what an operator asks for. */
export type RefusalReason =
  /** Nothing offers the handler any more. */
  | "unknown-target"
  | "unknown-deployment"
  /** It does not offer the handler, or not in the protocol version of the journal. */
  | "incompatible-deployment"
  | "not-pinned"
  | "deployment-in-use"
  | "unknown-service"
  | "journal-purged"
  | "workflow"
  /** The prefix of the journal ends within the invocation's output, or between a command and its result. */
  | "incomplete-prefix"
  /** The state is not of the version that was asked for. */
  | "version-mismatch";

/** The answer to an input that asked for one. */
export type Reply =
  /** The invocation exists and has no result yet; `finished` follows. `startAtMs` is the start time it was given. */
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
      readonly startAtMs: number | null;
      readonly outcome: Outcome;
      readonly expiresAtMs: number;
    }
  | { readonly kind: "not-found" }
  /** Known, but not in a state in which this can be done. */
  | { readonly kind: "conflict"; readonly status: InvocationStatus }
  /** `status` is what the invocation was doing before, where one was asked for. */
  | { readonly kind: "done"; readonly status?: InvocationStatus }
  /** It will be done, but not yet: a pause waits for the attempt, a mutation for the key. */
  | { readonly kind: "pending" }
  /** A message or an event was stored, now or (`isNew` false) with the same idempotency key before. */
  | { readonly kind: "delivered"; readonly isNew: boolean }
  /** `state` is null where the event was not set yet; once the invocation `isOver` it never will be. */
  | {
      readonly kind: "event";
      readonly seq: number;
      readonly state: EventState | null;
      readonly isOver: boolean;
    }
  | {
      readonly kind: "events";
      readonly events: readonly { readonly key: string; readonly state: EventState }[];
    }
  | { readonly kind: "restarted"; readonly id: Uint8Array }
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly message: string }
  /** The input could not be applied because of a defect of the server; nothing of it was stored. */
  | { readonly kind: "failed"; readonly message: string };

export type Effect =
  | StartAttempt
  | Forward
  | AcknowledgeRun
  | AcknowledgeCommand
  | SuspendAttempt
  | CloseAttempt
  | ArmTimer
  | Finished
  | Published
  | ReadyPage
  | ReplyEffect;
