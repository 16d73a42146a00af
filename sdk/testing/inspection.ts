/** What a test is shown of invocations and their journals. */

/** What an invocation is doing, and what it has done so far. */
export interface InvocationInfo {
  /** `inv_1…` */
  readonly id: string;
  /** `service/handler` or `service/key/handler`. */
  readonly target: string;
  readonly status:
    | "scheduled"
    | "queued"
    | "running"
    | "suspended"
    | "backing-off"
    | "paused"
    | "completed";
  /** How often its handler was started. */
  readonly attempts: number;
  /** Why its last attempt failed; undefined when it did not. */
  readonly lastFailure?: { readonly code: number; readonly message: string };
  /** Once it is completed: what the handler returned, parsed where it is JSON. */
  readonly value?: unknown;
  /** Once it is completed: the terminal error it ended with. */
  readonly failure?: { readonly code: number; readonly message: string };
}

/** One entry of a journal. What is not there does not apply to its type. */
export interface JournalEntry {
  readonly index: number;
  /** Commands are what the handler did, notifications what became known to it. */
  readonly kind: "command" | "notification";
  /** The message of the service protocol, such as `RunCommand` or `SleepCompletion`. */
  readonly type: string;
  /** Of a step or a sleep, where it has one. */
  readonly name?: string;
  /** Of a piece of state, or of a promise. */
  readonly key?: string;
  /** What is called: `service/handler` or `service/key/handler`. */
  readonly target?: string;
  /** Connects a command with its result. */
  readonly completionId?: number;
  /** Of a signal: its name or its index. */
  readonly signal?: string | number;
  /** Parsed where it is JSON, otherwise the bytes. */
  readonly value?: unknown;
  readonly failure?: { readonly code: number; readonly message: string };
}
