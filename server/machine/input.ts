/**
 * Everything that can happen to the system, one union. Ids, chance and the wall clock come in with the input; what came
 * from outside has been parsed before.
 */
import type {
  Command,
  Header,
  Notification,
  NotificationId,
  Outcome,
  Suspension,
  VoidResult,
} from "../../sdk/protocol/messages.ts";
import type { AttemptFailure, Caller, Target } from "./invocation.ts";
import type { Deployment } from "./registry.ts";
import type { Listener } from "./tx.ts";

/** Names one attempt. Inputs of an attempt that is no longer current are dropped. */
export interface AttemptRef {
  readonly seq: number;
  readonly epoch: number;
  /** Where it runs: becomes the invocation's pin with its first stored command. */
  readonly deploymentId: string;
  readonly protocolVersion: number;
}

/** A token under which the effect `reply` finds the one who asked; null when nobody waits. */
export type ReplyTo = number | null;

/** Starts an invocation, or finds the one with the same identity. */
export interface Invoke {
  readonly type: "invoke";
  /** 24 bytes; minted outside, or derived from the identity or the parent. */
  readonly id: Uint8Array;
  readonly target: Target;
  readonly headers: readonly Header[];
  readonly parameter: Uint8Array;
  readonly idempotencyKey: string | null;
  /** 0: now. */
  readonly startAtMs: number;
  readonly caller: Caller | null;
  readonly replyTo: ReplyTo;
}

/** A command arrived on an attempt. `body` is its encoding as it came off the wire. */
export interface AppendCommand {
  readonly type: "append-command";
  readonly attempt: AttemptRef;
  readonly command: Command;
  readonly body: Uint8Array;
  readonly ackRequested: boolean;
}

/** A step was executed; its result is to be recorded. */
export interface ProposeRun {
  readonly type: "propose-run";
  readonly attempt: AttemptRef;
  readonly completionId: number;
  readonly result: Outcome;
}

/** The handler has nothing to do until a notification arrives. */
export interface Suspend {
  readonly type: "suspend";
  readonly attempt: AttemptRef;
  readonly suspension: Suspension;
  /** How many entries this attempt was given to replay: notifications among them did not unblock it. */
  readonly knownEntries: number;
}

export interface EndAttempt {
  readonly type: "end";
  readonly attempt: AttemptRef;
}

export interface FailAttempt {
  readonly type: "fail";
  readonly attempt: AttemptRef;
  readonly failure: AttemptFailure;
  /** Replaces the delay of the policy for this retry; such a retry does not use up the policy's attempts. */
  readonly retryAfterMs: number | null;
  readonly behavior: "retry" | "pause" | "fail";
  /** False where the endpoint never saw the attempt (wrong protocol version, no deployment). */
  readonly countsForSdk: boolean;
}

/** Something became known to an invocation: the result of a timer, a child, an attach. */
export interface Notify {
  readonly type: "notify";
  readonly seq: number;
  readonly notification: Notification;
}

/** A signal from outside or from another handler: an awakeable resolved, a cancellation. */
export interface SignalInvocation {
  readonly type: "signal";
  readonly id: Uint8Array;
  readonly signal: Exclude<NotificationId, { kind: "completion" }>;
  readonly result: Outcome | VoidResult;
  readonly replyTo: ReplyTo;
}

/** Asks for the result of an invocation; `wait` subscribes the asker when it is not there yet. */
export interface Attach {
  readonly type: "attach";
  readonly id: Uint8Array;
  readonly wait: boolean;
  readonly replyTo: ReplyTo;
}

/** A handler asks for the result of another invocation; with `wait` it gets it when it is there. */
export interface Listen {
  readonly type: "listen";
  readonly id: Uint8Array;
  readonly listener: Listener;
  readonly wait: boolean;
}

/** An operator lets a paused invocation go on, or a backing-off one retry now. */
export interface Resume {
  readonly type: "resume";
  readonly id: Uint8Array;
  readonly replyTo: ReplyTo;
}

export interface TimersDue {
  readonly type: "timers-due";
  /** At most so many fire. Default: a page of them. */
  readonly limit?: number;
  /** They are removed without firing: what they are for cannot be applied. */
  readonly drop?: boolean;
}

/** Asks again for the attempts of running invocations: after a restart, or when hints had to be dropped. */
export interface FetchReady {
  readonly type: "fetch-ready";
  readonly afterSeq: number;
  readonly limit: number;
}

export interface RegisterDeployment {
  readonly type: "register-deployment";
  readonly deployment: Deployment;
  readonly replyTo: ReplyTo;
}

export type Input =
  | Invoke
  | AppendCommand
  | ProposeRun
  | Suspend
  | EndAttempt
  | FailAttempt
  | Notify
  | SignalInvocation
  | Attach
  | Listen
  | Resume
  | TimersDue
  | FetchReady
  | RegisterDeployment;
