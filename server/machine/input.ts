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
import type { TraceContext } from "../base/trace.ts";
import type { AttemptFailure, Caller, Instance, Target } from "./invocation.ts";
import type { Deployment, ServiceOverrides } from "./registry.ts";
import type { Listener, StateMutation } from "./tx.ts";

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
  /** Where its spans hang; null when nobody traces. */
  readonly trace: TraceContext | null;
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
  /** From V7 on: an acknowledgement is enough, since the endpoint has the result. */
  readonly ackRequested: boolean;
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

/** A message for a handler, kept in the order of arrival until it is taken (`ctx.recv`). */
export interface SendMessage {
  readonly type: "send-message";
  readonly id: Uint8Array;
  readonly topic: string;
  readonly message: Uint8Array;
  /** A second message on this topic with the same one is the first one once more. */
  readonly idempotencyKey: string | null;
  readonly replyTo: ReplyTo;
}

/** Sets a published event from outside; handlers do it with a signal to themselves. */
export interface PublishEvent {
  readonly type: "publish-event";
  readonly id: Uint8Array;
  readonly key: string;
  readonly value: Uint8Array;
  readonly replyTo: ReplyTo;
}

export interface GetEvent {
  readonly type: "get-event";
  readonly id: Uint8Array;
  readonly key: string;
  readonly replyTo: ReplyTo;
}

export interface ListEvents {
  readonly type: "list-events";
  readonly id: Uint8Array;
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

/** Where an invocation goes on: on the deployment it is pinned to, on the latest one, or on this one. */
export type DeploymentChoice = "keep" | "latest" | { readonly id: string };

/** An operator lets a paused or suspended invocation go on, or a backing-off one retry now. */
export interface Resume {
  readonly type: "resume";
  readonly id: Uint8Array;
  readonly deployment: DeploymentChoice;
  readonly replyTo: ReplyTo;
}

/** An operator stops an invocation until it is resumed: its attempt is asked to suspend, its retries end. */
export interface Pause {
  readonly type: "pause";
  readonly id: Uint8Array;
  readonly replyTo: ReplyTo;
}

/** The attempt of an invocation that was to pause is not there any more, or never was. */
export interface Yield {
  readonly type: "yield";
  readonly seq: number;
  readonly epoch: number;
}

/** Asks a handler to end: it learns of it at its next await. What has not started yet ends at once. */
export interface Cancel {
  readonly type: "cancel";
  readonly id: Uint8Array;
  readonly replyTo: ReplyTo;
}

/** Ends an invocation and everything it called, at once and without its handler. */
export interface Kill {
  readonly type: "kill";
  readonly id: Uint8Array;
  readonly replyTo: ReplyTo;
}

/** Forgets a completed invocation (of a workflow also state and promises), or its journal alone. */
export interface Purge {
  readonly type: "purge";
  readonly id: Uint8Array;
  readonly journalOnly: boolean;
  readonly replyTo: ReplyTo;
}

/** Runs a completed invocation once more as a new one, whose journal begins with the entries up to `upToIndex` of the old one. */
export interface RestartAsNew {
  readonly type: "restart-as-new";
  readonly id: Uint8Array;
  /** 24 bytes, minted outside; a keyed target's own partition replaces its first 8. */
  readonly newId: Uint8Array;
  /** 0: the input alone. */
  readonly upToIndex: number;
  readonly deployment: DeploymentChoice;
  readonly replyTo: ReplyTo;
}

/** Replaces the state of an instance: at once, or when those who wait for the key before it are done. */
export interface MutateState {
  readonly type: "mutate-state";
  readonly instance: Instance;
  readonly mutation: StateMutation;
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

/** A new deployment, or a known one overwritten: its services get a new revision each. */
export interface RegisterDeployment {
  readonly type: "register-deployment";
  readonly deployment: Deployment;
  readonly replyTo: ReplyTo;
}

/** Changes a known deployment in place; new services of it get a revision, known ones keep theirs. */
export interface UpdateDeployment {
  readonly type: "update-deployment";
  readonly deployment: Deployment;
  readonly replyTo: ReplyTo;
}

/** Forgets a deployment. Without `force` only one that no invocation needs, neither a new one nor one that is bound to it. */
export interface DeleteDeployment {
  readonly type: "delete-deployment";
  readonly id: string;
  readonly force: boolean;
  readonly replyTo: ReplyTo;
}

/** What an operator sets for a service; replaces what was set before. */
export interface OverrideService {
  readonly type: "override-service";
  readonly service: string;
  readonly overrides: ServiceOverrides;
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
  | SendMessage
  | PublishEvent
  | GetEvent
  | ListEvents
  | Attach
  | Listen
  | Cancel
  | Kill
  | Pause
  | Yield
  | Resume
  | Purge
  | RestartAsNew
  | MutateState
  | TimersDue
  | FetchReady
  | RegisterDeployment
  | UpdateDeployment
  | DeleteDeployment
  | OverrideService;
