/**
 * Every message of the service protocol as one discriminated union, by its type number.
 * Shapes only; the bytes are in `codec.ts`. Field numbers are in `docs/spec/service-protocol.md`.
 *
 * Payloads are bytes and are never interpreted here. `name` on a command is the user-visible label; it may be empty.
 */
import type { MessageType } from "./message-type.ts";

type T = typeof MessageType;

// ---- values ------------------------------------------------------------------------------------

/** A terminal failure as it travels: an HTTP-style code, a message, and (from V6) metadata. */
export interface Failure {
  readonly code: number;
  readonly message: string;
  readonly metadata?: readonly Header[];
}

export interface Header {
  readonly key: string;
  readonly value: string;
}

/** What an invocation, a step or a call ended with. */
export type Outcome =
  | { readonly kind: "value"; readonly value: Uint8Array }
  | { readonly kind: "failure"; readonly failure: Failure };

export type VoidResult = { readonly kind: "void" };

/** What a notification may carry. */
export type NotificationResult =
  | Outcome
  | VoidResult
  | { readonly kind: "invocation-id"; readonly invocationId: string }
  | { readonly kind: "state-keys"; readonly keys: readonly Uint8Array[] };

/** Which await of the handler a notification answers. */
export type NotificationId =
  | { readonly kind: "completion"; readonly completionId: number }
  | { readonly kind: "signal-index"; readonly index: number }
  | { readonly kind: "signal-name"; readonly name: string };

export type InvocationTarget =
  | { readonly kind: "invocation-id"; readonly invocationId: string }
  | {
      readonly kind: "idempotent";
      readonly service: string;
      readonly key?: string;
      readonly handler: string;
      readonly idempotencyKey: string;
      readonly scope?: string;
    }
  | {
      readonly kind: "workflow";
      readonly service: string;
      readonly key: string;
      readonly scope?: string;
    };

/** V7 await tree. `combinator`: 0 unknown, 1 first completed, 2 all completed, 3 first succeeded or all failed, 4 all succeeded or first failed. */
export interface Future {
  readonly completions: readonly number[];
  readonly signals: readonly number[];
  readonly namedSignals: readonly string[];
  readonly nested: readonly Future[];
  readonly combinator: 0 | 1 | 2 | 3 | 4;
}

/** Built-in signal index 1; user signals (awakeables) start at 17. */
export const CANCEL_SIGNAL = 1;
export const FIRST_USER_SIGNAL = 17;

// ---- control -----------------------------------------------------------------------------------

export interface StateEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface Start {
  readonly type: T["Start"];
  /** 24 bytes. */
  readonly id: Uint8Array;
  readonly debugId: string;
  readonly knownEntries: number;
  readonly state: readonly StateEntry[];
  readonly partialState: boolean;
  readonly key: string;
  readonly retryCountSinceLastStoredEntry: number;
  readonly durationSinceLastStoredEntryMs: number;
  readonly randomSeed: bigint;
  readonly scope?: string;
  readonly limitKey?: string;
  readonly idempotencyKey?: string;
}

export interface Suspension {
  readonly type: T["Suspension"];
  readonly completions: readonly number[];
  readonly signals: readonly number[];
  readonly namedSignals: readonly string[];
  /** V7 only; then the three lists are empty. */
  readonly awaitingOn?: Future;
}

/** 0 retry, 1 pause, 2 fail. */
export type ErrorBehavior = 0 | 1 | 2;

export interface ErrorMessage {
  readonly type: T["Error"];
  readonly code: number;
  readonly message: string;
  readonly stacktrace: string;
  readonly relatedCommandIndex?: number;
  readonly relatedCommandName?: string;
  readonly relatedCommandType?: number;
  readonly nextRetryDelayMs?: number;
  readonly behavior?: ErrorBehavior;
}

export interface End {
  readonly type: T["End"];
}

export interface CommandAck {
  readonly type: T["CommandAck"];
  readonly commandIndex: number;
}

export interface ProposeRunCompletion {
  readonly type: T["ProposeRunCompletion"];
  readonly resultCompletionId: number;
  readonly result: Outcome;
}

export interface AwaitingOn {
  readonly type: T["AwaitingOn"];
  readonly awaitingOn: Future;
  readonly executingSideEffects: boolean;
}

export interface ProposeRunCompletionAck {
  readonly type: T["ProposeRunCompletionAck"];
  readonly completionId: number;
}

// ---- commands ----------------------------------------------------------------------------------

interface Named {
  readonly name: string;
}

interface Completable extends Named {
  readonly resultCompletionId: number;
}

export interface InputCommand extends Named {
  readonly type: T["InputCommand"];
  readonly headers: readonly Header[];
  readonly value: Uint8Array;
}

export interface OutputCommand extends Named {
  readonly type: T["OutputCommand"];
  readonly result: Outcome;
}

export interface GetLazyStateCommand extends Completable {
  readonly type: T["GetLazyStateCommand"];
  readonly key: Uint8Array;
}

export interface SetStateCommand extends Named {
  readonly type: T["SetStateCommand"];
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface ClearStateCommand extends Named {
  readonly type: T["ClearStateCommand"];
  readonly key: Uint8Array;
}

export interface ClearAllStateCommand extends Named {
  readonly type: T["ClearAllStateCommand"];
}

export interface GetLazyStateKeysCommand extends Completable {
  readonly type: T["GetLazyStateKeysCommand"];
}

export interface GetEagerStateCommand extends Named {
  readonly type: T["GetEagerStateCommand"];
  readonly key: Uint8Array;
  readonly result: VoidResult | { readonly kind: "value"; readonly value: Uint8Array };
}

export interface GetEagerStateKeysCommand extends Named {
  readonly type: T["GetEagerStateKeysCommand"];
  readonly keys: readonly Uint8Array[];
}

export interface GetPromiseCommand extends Completable {
  readonly type: T["GetPromiseCommand"];
  readonly key: string;
}

export interface PeekPromiseCommand extends Completable {
  readonly type: T["PeekPromiseCommand"];
  readonly key: string;
}

export interface CompletePromiseCommand extends Completable {
  readonly type: T["CompletePromiseCommand"];
  readonly key: string;
  readonly completion: Outcome;
}

export interface SleepCommand extends Completable {
  readonly type: T["SleepCommand"];
  readonly wakeUpTimeMs: number;
}

interface CallFields extends Named {
  readonly service: string;
  readonly handler: string;
  readonly key: string;
  readonly parameter: Uint8Array;
  readonly headers: readonly Header[];
  readonly idempotencyKey?: string;
  readonly scope?: string;
  readonly limitKey?: string;
  readonly invocationIdCompletionId: number;
}

export interface CallCommand extends CallFields {
  readonly type: T["CallCommand"];
  readonly resultCompletionId: number;
}

export interface OneWayCallCommand extends CallFields {
  readonly type: T["OneWayCallCommand"];
  /** 0: now. */
  readonly invokeTimeMs: number;
}

export interface SendSignalCommand extends Named {
  readonly type: T["SendSignalCommand"];
  readonly targetInvocationId: string;
  readonly signal: Exclude<NotificationId, { kind: "completion" }>;
  readonly result: Outcome | VoidResult;
}

export interface RunCommand extends Completable {
  readonly type: T["RunCommand"];
}

export interface AttachInvocationCommand extends Completable {
  readonly type: T["AttachInvocationCommand"];
  readonly target: InvocationTarget;
}

export interface GetInvocationOutputCommand extends Completable {
  readonly type: T["GetInvocationOutputCommand"];
  readonly target: InvocationTarget;
}

export interface CompleteAwakeableCommand extends Named {
  readonly type: T["CompleteAwakeableCommand"];
  readonly awakeableId: string;
  readonly result: Outcome;
}

// ---- notifications -----------------------------------------------------------------------------

/** All notifications share one layout; the type says which command was completed. */
export interface Notification {
  readonly type:
    | T["GetLazyStateCompletion"]
    | T["GetLazyStateKeysCompletion"]
    | T["GetPromiseCompletion"]
    | T["PeekPromiseCompletion"]
    | T["CompletePromiseCompletion"]
    | T["SleepCompletion"]
    | T["CallCompletion"]
    | T["CallInvocationIdCompletion"]
    | T["RunCompletion"]
    | T["AttachInvocationCompletion"]
    | T["GetInvocationOutputCompletion"]
    | T["Signal"];
  readonly id: NotificationId;
  readonly result: NotificationResult;
}

export type ControlMessage =
  | Start
  | Suspension
  | ErrorMessage
  | End
  | CommandAck
  | ProposeRunCompletion
  | AwaitingOn
  | ProposeRunCompletionAck;

export type Command =
  | InputCommand
  | OutputCommand
  | GetLazyStateCommand
  | SetStateCommand
  | ClearStateCommand
  | ClearAllStateCommand
  | GetLazyStateKeysCommand
  | GetEagerStateCommand
  | GetEagerStateKeysCommand
  | GetPromiseCommand
  | PeekPromiseCommand
  | CompletePromiseCommand
  | SleepCommand
  | CallCommand
  | OneWayCallCommand
  | SendSignalCommand
  | RunCommand
  | AttachInvocationCommand
  | GetInvocationOutputCommand
  | CompleteAwakeableCommand;

export type Message = ControlMessage | Command | Notification;
