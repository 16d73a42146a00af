/** Arbitrary messages for properties: every type of the union, with the values at which encodings change their length. */
import fc from "fast-check";
import { UINT32_MAX } from "./limits.ts";
import { isNotification, MessageType } from "./message-type.ts";
import type {
  Failure,
  Future,
  Header,
  InvocationTarget,
  Message,
  Notification,
  NotificationId,
  NotificationResult,
  Outcome,
  StateEntry,
} from "./messages.ts";

const uint32 = fc.oneof(
  fc.nat(300),
  fc.integer({ min: 0, max: UINT32_MAX }),
  fc.constantFrom(
    0,
    1,
    127,
    128,
    2 ** 14 - 1,
    2 ** 14,
    2 ** 21,
    2 ** 28 - 1,
    2 ** 28,
    2 ** 31,
    UINT32_MAX,
  ),
);

const timeMs = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.constantFrom(
    0,
    127,
    128,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 35,
    2 ** 42,
    2 ** 49,
    Number.MAX_SAFE_INTEGER,
  ),
);

const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n),
);

const string = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 4, arbitrary: fc.string({ unit: "binary-ascii" }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 20, maxLength: 300 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", minLength: 40, maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "\uFEFF",
      "\uFEFFa",
      "é".repeat(63),
      "é".repeat(64),
      "x".repeat(48),
    ),
  },
);

const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array() },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 100, maxLength: 300 }) },
  { weight: 1, arbitrary: fc.nat(70_000).map((length) => new Uint8Array(length).fill(length)) },
);

const header: fc.Arbitrary<Header> = fc.record({ key: string, value: string });
const headers = fc.array(header, { maxLength: 5 });

const failure: fc.Arbitrary<Failure> = fc.record(
  {
    code: fc.integer({ min: 0, max: 0xffff }),
    message: string,
    metadata: fc.array(header, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ["code", "message"] },
);

const value = fc.record({ kind: fc.constant("value" as const), value: bytes });
const voidResult = fc.constant({ kind: "void" as const });
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  value,
  fc.record({ kind: fc.constant("failure" as const), failure }),
);

const signalId = fc.oneof(
  fc.record({ kind: fc.constant("signal-index" as const), index: uint32 }),
  fc.record({ kind: fc.constant("signal-name" as const), name: string }),
);

const target: fc.Arbitrary<InvocationTarget> = fc.oneof(
  fc.record({ kind: fc.constant("invocation-id" as const), invocationId: string }),
  fc.record(
    {
      kind: fc.constant("idempotent" as const),
      service: string,
      key: string,
      handler: string,
      idempotencyKey: string,
      scope: string,
    },
    { requiredKeys: ["kind", "service", "handler", "idempotencyKey"] },
  ),
  fc.record(
    { kind: fc.constant("workflow" as const), service: string, key: string, scope: string },
    { requiredKeys: ["kind", "service", "key"] },
  ),
);

const ids = fc.array(uint32, { maxLength: 6 });
const names = fc.array(string, { maxLength: 3 });

const future: fc.Arbitrary<Future> = fc.letrec<{ future: Future }>((tie) => ({
  future: fc.record({
    completions: ids,
    signals: ids,
    namedSignals: names,
    nested: fc.oneof(
      { depthSize: "small" },
      fc.constant([]),
      fc.array(tie("future"), { maxLength: 3 }),
    ),
    combinator: fc.constantFrom(0, 1, 2, 3, 4),
  }),
})).future;

const stateEntry: fc.Arbitrary<StateEntry> = fc.record({ key: bytes, value: bytes });

const T = MessageType;
const type = <C extends number>(code: C): fc.Arbitrary<C> => fc.constant(code);
const named = { name: string };
const completable = { resultCompletionId: uint32, name: string };
const call = {
  service: string,
  handler: string,
  key: string,
  parameter: bytes,
  headers,
  idempotencyKey: string,
  scope: string,
  limitKey: string,
  invocationIdCompletionId: uint32,
  name: string,
};
const callRequired = [
  "type",
  "service",
  "handler",
  "key",
  "parameter",
  "headers",
  "invocationIdCompletionId",
  "name",
] as const;

const control: readonly fc.Arbitrary<Message>[] = [
  fc.record(
    {
      type: type(T.Start),
      id: fc.uint8Array({ minLength: 24, maxLength: 24 }),
      debugId: string,
      knownEntries: uint32,
      state: fc.array(stateEntry, { maxLength: 4 }),
      partialState: fc.boolean(),
      key: string,
      retryCountSinceLastStoredEntry: uint32,
      durationSinceLastStoredEntryMs: timeMs,
      randomSeed: uint64,
      scope: string,
      limitKey: string,
      idempotencyKey: string,
    },
    {
      requiredKeys: [
        "type",
        "id",
        "debugId",
        "knownEntries",
        "state",
        "partialState",
        "key",
        "retryCountSinceLastStoredEntry",
        "durationSinceLastStoredEntryMs",
        "randomSeed",
      ],
    },
  ),
  fc
    .record({ type: type(T.Suspension), completions: ids, signals: ids, namedSignals: names })
    .filter((flat) => flat.completions.length + flat.signals.length + flat.namedSignals.length > 0),
  fc.record({
    type: type(T.Suspension),
    completions: fc.constant([]),
    signals: fc.constant([]),
    namedSignals: fc.constant([]),
    awaitingOn: future,
  }),
  fc.record(
    {
      type: type(T.Error),
      code: uint32,
      message: string,
      stacktrace: string,
      relatedCommandIndex: uint32,
      relatedCommandName: string,
      relatedCommandType: uint32,
      nextRetryDelayMs: timeMs,
      behavior: fc.constantFrom(0, 1, 2),
    },
    { requiredKeys: ["type", "code", "message", "stacktrace"] },
  ),
  fc.record({ type: type(T.End) }),
  fc.record({ type: type(T.CommandAck), commandIndex: uint32 }),
  fc.record({ type: type(T.ProposeRunCompletion), resultCompletionId: uint32, result: outcome }),
  fc.record({ type: type(T.AwaitingOn), awaitingOn: future, executingSideEffects: fc.boolean() }),
  fc.record({ type: type(T.ProposeRunCompletionAck), completionId: uint32 }),
];

const commands: readonly fc.Arbitrary<Message>[] = [
  fc.record({ type: type(T.InputCommand), headers, value: bytes, ...named }),
  fc.record({ type: type(T.OutputCommand), result: outcome, ...named }),
  fc.record({ type: type(T.GetLazyStateCommand), key: bytes, ...completable }),
  fc.record({ type: type(T.SetStateCommand), key: bytes, value: bytes, ...named }),
  fc.record({ type: type(T.ClearStateCommand), key: bytes, ...named }),
  fc.record({ type: type(T.ClearAllStateCommand), ...named }),
  fc.record({ type: type(T.GetLazyStateKeysCommand), ...completable }),
  fc.record({
    type: type(T.GetEagerStateCommand),
    key: bytes,
    result: fc.oneof(voidResult, value),
    ...named,
  }),
  fc.record({
    type: type(T.GetEagerStateKeysCommand),
    keys: fc.array(bytes, { maxLength: 4 }),
    ...named,
  }),
  fc.record({ type: type(T.GetPromiseCommand), key: string, ...completable }),
  fc.record({ type: type(T.PeekPromiseCommand), key: string, ...completable }),
  fc.record({
    type: type(T.CompletePromiseCommand),
    key: string,
    completion: outcome,
    ...completable,
  }),
  fc.record({ type: type(T.SleepCommand), wakeUpTimeMs: timeMs, ...completable }),
  fc.record(
    { type: type(T.CallCommand), ...call, resultCompletionId: uint32 },
    { requiredKeys: [...callRequired, "resultCompletionId"] },
  ),
  fc.record(
    { type: type(T.OneWayCallCommand), ...call, invokeTimeMs: timeMs },
    { requiredKeys: [...callRequired, "invokeTimeMs"] },
  ),
  fc.record({
    type: type(T.SendSignalCommand),
    targetInvocationId: string,
    signal: signalId,
    result: fc.oneof(outcome, voidResult),
    ...named,
  }),
  fc.record({ type: type(T.RunCommand), ...completable }),
  fc.record({ type: type(T.AttachInvocationCommand), target, ...completable }),
  fc.record({ type: type(T.GetInvocationOutputCommand), target, ...completable }),
  fc.record({
    type: type(T.CompleteAwakeableCommand),
    awakeableId: string,
    result: outcome,
    ...named,
  }),
];

const result: fc.Arbitrary<NotificationResult> = fc.oneof(
  outcome,
  voidResult,
  fc.record({ kind: fc.constant("invocation-id" as const), invocationId: string }),
  fc.record({ kind: fc.constant("state-keys" as const), keys: fc.array(bytes, { maxLength: 4 }) }),
);

const completionId: fc.Arbitrary<NotificationId> = fc.record({
  kind: fc.constant("completion" as const),
  completionId: uint32,
});

const notification: fc.Arbitrary<Notification> = fc.oneof(
  fc.record({ type: type(T.Signal), id: signalId, result }),
  fc.record({
    type: fc.constantFrom(
      T.GetLazyStateCompletion,
      T.GetLazyStateKeysCompletion,
      T.GetPromiseCompletion,
      T.PeekPromiseCompletion,
      T.CompletePromiseCompletion,
      T.SleepCompletion,
      T.CallCompletion,
      T.CallInvocationIdCompletion,
      T.RunCompletion,
      T.AttachInvocationCompletion,
      T.GetInvocationOutputCompletion,
    ),
    id: completionId,
    result,
  }),
);

/** Without the null prototypes that fast-check likes to give to records. */
const plain = <M>(messages: fc.Arbitrary<M>): fc.Arbitrary<M> =>
  messages.map((message) => structuredClone(message));

/** One arbitrary for each control message and command (two for Suspension), and one for all notifications. */
export const MESSAGES: readonly fc.Arbitrary<Message>[] = [
  ...control,
  ...commands,
  notification,
].map((messages) => plain<Message>(messages));

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...MESSAGES);
export const anyNotification: fc.Arbitrary<Notification> = plain(notification);

export const ALL_TYPES: readonly number[] = Object.values(MessageType);
export const NOTIFICATION_TYPES: readonly number[] = ALL_TYPES.filter(isNotification);
