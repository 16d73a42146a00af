/** What the processor needs of the shells above it. Implemented on floor 4, wired in `boot.ts`. */
import type { TransactOptions } from "../base/deferred.ts";
import type {
  AcknowledgeCommand,
  AcknowledgeRun,
  ArmTimer,
  CloseAttempt,
  Finished,
  Forward,
  Published,
  ReadyPage,
  Reply,
  StartAttempt,
  SuspendAttempt,
} from "../machine/effect.ts";
import type { Future } from "../../sdk/protocol/messages.ts";
import type { Input } from "../machine/input.ts";
import type { Reader, Transactor } from "../machine/tx.ts";

/** Storage with one writer. A failure of the medium is thrown as `StorageError`: the process must stop. */
export interface Store {
  /**
   * Runs `fn` in one transaction. When it throws, nothing of it is stored and every object it was given is void. With `mayDefer` it
   * may throw `Deferred`, which says when to run it again.
   */
  transact<T>(fn: (tx: Transactor) => T, options?: TransactOptions): T;
  /** Reads the last committed state, which may not be durable yet. The objects are not to be kept. */
  read<T>(fn: (reader: Reader) => T): T;
  /**
   * Calls back once everything committed before this call is durable; with an error when that cannot be had. `synced` is called
   * before, where the disk is done earlier than the rest: from then on it pays to commit the next batch.
   */
  barrier(done: (error: Error | null) => void, synced?: () => void): void;
  /** Everything that was committed is durable by now. */
  readonly isDurable: boolean;
  /** Not null while the next commit should wait, so that the log can start over; never rejects. */
  readonly commitGate: Promise<void> | null;
}

export interface AttemptRunner {
  start(effect: StartAttempt): void;
  forward(effect: Forward): void;
  acknowledge(effect: AcknowledgeCommand): void;
  acknowledgeRun(effect: AcknowledgeRun): void;
  suspend(effect: SuspendAttempt): void;
  close(effect: CloseAttempt): void;
  readyPage(effect: ReadyPage): void;
}

/** What an attempt in flight does: known to the invoker alone, gone with the process, for operators. */
export interface LiveAttempt {
  readonly seq: number;
  readonly epoch: number;
  readonly deploymentId: string;
  /** `x-restate-server` of the response; null before there is one. */
  readonly sdkVersion: string | null;
  readonly startedAtMs: number;
  /** What the handler said last that it awaits (V7); null when it said nothing. */
  readonly awaitingOn: Future | null;
}

export interface LiveAttempts {
  of(seq: number): LiveAttempt | undefined;
  /** The deployment that a running invocation waits for since it cannot be reached; undefined where it waits for none. */
  unreachable(seq: number): string | undefined;
  all(): Iterable<LiveAttempt>;
}

export interface TimerQueue {
  arm(effect: ArmTimer): void;
}

/** Those who wait outside for results and published events. */
export interface Waiters {
  finished(effect: Finished): void;
  published(effect: Published): void;
}

export interface Ports {
  readonly attempts: AttemptRunner;
  readonly timers: TimerQueue;
  readonly waiters: Waiters;
}

/** The one door into the system, as the shells see it. */
export interface Door {
  /** Takes an input into the next batch. Returns at once; what follows comes as effects. */
  submit(input: Input): void;
  /** Submits an input that is answered; `answer` is called once, after the barrier that covers it. */
  ask(input: (replyTo: number) => Input, answer: (reply: Reply) => void): void;
  /** More waits to be applied than is good: whoever can let others wait does, until `whenRelieved` calls. */
  readonly isCongested: boolean;
  /** Calls once, when it is congested no longer. */
  whenRelieved(fn: () => void): void;
  /** What `read` sees now is durable. */
  readonly isDurable: boolean;
  /** The last committed state. Not for answers that leave the process: see `readDurable`. */
  read<T>(fn: (reader: Reader) => T): T;
  /** Reads, and hands the value out once all that it saw is durable. */
  readDurable<T>(fn: (reader: Reader) => T): Promise<T>;
}
