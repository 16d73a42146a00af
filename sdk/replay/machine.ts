/**
 * The replay machine: one attempt of one invocation, as the handler's side sees it. Messages and the handler's operations
 * go in, messages and results come out. No I/O, no clock, no promise.
 *
 * 1. Commands are issued in program order. While the journal holds some that this attempt has not reached, an operation
 *    takes the next one and must equal it; after the last one, operations are written.
 * 2. Notifications become known one at a time, in journal order, and only while the handler awaits something (section 8.5).
 * 3. Exactly one terminal message is written: End, Suspension or Error. After it nothing is written and nothing changes.
 *
 *   waiting-start --Start--> receiving --last known entry--> replaying --last recorded command--> processing
 *   any of them --terminal message, abort--> closed
 */
import { isNotification, MessageType, messageTypeName } from "../protocol/message-type.ts";
import type {
  Command,
  InputCommand,
  Message,
  Notification,
  Outcome,
  Start,
} from "../protocol/messages.ts";
import { Leaf, RunLeaf } from "./await-node.ts";
import { Cancellation } from "./cancellation.ts";
import { describeCommand, describeId, findDifference } from "./command-match.ts";
import { Notifications } from "./notifications.ts";
import { RecordedCommands } from "./recorded-commands.ts";
import { cancelInvocation } from "./syscalls.ts";
import {
  type AttemptFailure,
  errorMessage,
  INTERNAL_ERROR,
  mismatch,
  PROTOCOL_VIOLATION,
  suspension,
} from "./terminal-messages.ts";

/** Where the machine writes. */
export interface Outbox {
  emit(message: Message): void;
}

/** What the handler awaits now. */
export interface Awaiting {
  /** True once what is known decides it. */
  poll(): boolean;
  collect(leaves: Leaf[]): void;
}

export type Progress<A> =
  /** What was awaited is decided. */
  | { readonly kind: "settled" }
  /** The invocation was cancelled: every current await ends. Happens at most once. */
  | { readonly kind: "cancelled" }
  /** These steps are needed; execute them, propose their results, and ask again. */
  | { readonly kind: "execute"; readonly runs: readonly RunLeaf<A>[] }
  /** For the server, or for a step that is being executed. */
  | { readonly kind: "waiting" }
  | { readonly kind: "closed" };

export interface Opening {
  readonly start: Start;
  readonly input: InputCommand;
}

type State =
  | { readonly name: "waiting-start" }
  | {
      readonly name: "receiving";
      readonly start: Start;
      readonly recorded: RecordedCommands;
      readonly received: number;
    }
  | {
      readonly name: "replaying";
      readonly opening: Opening;
      readonly recorded: RecordedCommands;
    }
  | { readonly name: "processing"; readonly opening: Opening }
  | { readonly name: "closed" };

export type Phase = State["name"];

const SETTLED = { kind: "settled" } as const;
const CANCELLED = { kind: "cancelled" } as const;
const WAITING = { kind: "waiting" } as const;
const CLOSED = { kind: "closed" } as const;

export class ReplayMachine<A> {
  readonly #outbox: Outbox;
  readonly #notifications = new Notifications();
  readonly #cancellation = new Cancellation();
  #state: State = { name: "waiting-start" };
  #inputClosed = false;

  #completionIds = 0;
  /** Of the last command; Input is 0. */
  #commandIndex = 0;
  /** Commands written by this attempt. */
  #newCommands = 0;
  #proposals = 0;
  /** Steps whose action has not been started. */
  #idleRuns = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  get phase(): Phase {
    return this.#state.name;
  }

  /** Start and Input, once the whole replay is here; the handler can begin. */
  get opening(): Opening | undefined {
    const state = this.#state;
    return state.name === "replaying" || state.name === "processing" ? state.opening : undefined;
  }

  // ---- from the server ----

  onMessage(message: Message): void {
    const state = this.#state;
    switch (state.name) {
      case "waiting-start":
        return this.#onStart(message);
      case "receiving":
        return this.#onEntry(state, message);
      case "replaying":
      case "processing":
        if (isNotificationMessage(message)) return this.#notifications.push(message);
        return this.#violation(`${messageTypeName(message.type)} came after the replay`);
      case "closed":
    }
  }

  /** The server will send nothing more in this attempt. */
  onInputClosed(): void {
    this.#inputClosed = true;
    const state = this.#state;
    if (state.name === "waiting-start") {
      this.#violation("the request ended before Start");
    } else if (state.name === "receiving") {
      const { received, start } = state;
      this.#violation(`the request ended after ${received} of ${start.knownEntries} known entries`);
    }
  }

  /** The attempt is over for reasons outside the protocol; nothing is written. */
  abort(): void {
    this.#state = { name: "closed" };
  }

  #onStart(message: Message): void {
    if (message.type !== MessageType.Start) {
      this.#violation(`${messageTypeName(message.type)} came before Start`);
    } else if (message.knownEntries === 0) {
      this.fail({ code: INTERNAL_ERROR, message: "Start announces no entries, not even Input" });
    } else {
      const recorded = new RecordedCommands();
      this.#state = { name: "receiving", start: message, recorded, received: 0 };
    }
  }

  #onEntry(state: State & { name: "receiving" }, message: Message): void {
    const { start, recorded, received } = state;
    if (isNotificationMessage(message)) this.#notifications.push(message);
    else if (isCommandMessage(message)) recorded.push(message, received);
    else return this.#violation(`${messageTypeName(message.type)} came within the replay`);
    if (received + 1 < start.knownEntries) {
      this.#state = { name: "receiving", start, recorded, received: received + 1 };
      return;
    }
    const input = recorded.size > 0 ? recorded.take().command : undefined;
    if (input?.type === MessageType.InputCommand) this.#begin({ start, input }, recorded);
    else this.#violation("the first command of the journal is not Input");
  }

  #begin(opening: Opening, recorded: RecordedCommands): void {
    this.#state =
      recorded.size > 0
        ? { name: "replaying", opening, recorded }
        : { name: "processing", opening };
  }

  // ---- from the handler: commands ----

  /** Ids follow program order, so that they are the same in every attempt. */
  allocateCompletionId(): number {
    this.#completionIds += 1;
    return this.#completionIds;
  }

  /** Of the command issued last; Input is 0. */
  get commandIndex(): number {
    return this.#commandIndex;
  }

  /** Issues a command: takes the recorded one, which is returned, or writes this one. */
  command(attempted: Command): Command {
    const state = this.#state;
    switch (state.name) {
      case "processing":
        this.#commandIndex += 1;
        this.#newCommands += 1;
        this.#outbox.emit(attempted);
        return attempted;
      case "replaying":
        return this.#take(state, attempted);
      case "closed":
        return attempted;
      default:
        throw new Error("the handler may not run before the replay is here");
    }
  }

  #take(state: State & { name: "replaying" }, attempted: Command): Command {
    const { opening, recorded } = state;
    const difference = findDifference(recorded.next.command, attempted);
    if (difference !== undefined) {
      const now = `does ${describeCommand(attempted)} (different: ${difference})`;
      this.#mismatch(recorded, now, attempted);
      return attempted;
    }
    const { command } = recorded.take();
    this.#commandIndex += 1;
    this.#begin(opening, recorded);
    return command;
  }

  /** A leaf for the completion with this id. */
  completion(completionId: number): Leaf {
    const leaf = new Leaf({ kind: "completion", completionId });
    this.#notifications.expectCompletion(completionId, leaf);
    return leaf;
  }

  /** A leaf for the invocation id of a call, to which a cancellation will be passed on. */
  childInvocationId(completionId: number): Leaf {
    const leaf = this.completion(completionId);
    this.#cancellation.addChild(leaf);
    return leaf;
  }

  signal(index: number): Leaf {
    return this.#notifications.signal(index);
  }

  namedSignal(name: string): Leaf {
    return this.#notifications.namedSignal(name);
  }

  // ---- from the handler: steps ----

  run(name: string, action: A): RunLeaf<A> {
    const resultCompletionId = this.allocateCompletionId();
    const isNew = this.#state.name === "processing";
    this.command({ type: MessageType.RunCommand, name, resultCompletionId });
    const leaf = new RunLeaf(
      { kind: "completion", completionId: resultCompletionId },
      { name, index: this.#commandIndex, isNew },
      action,
    );
    this.#notifications.expectCompletion(resultCompletionId, leaf);
    this.#idleRuns += 1;
    return leaf;
  }

  /** Hands the result of a step to the server. It becomes known when the server says that it is recorded. */
  proposeRun(run: RunLeaf<A>, result: Outcome): void {
    run.state = "proposed";
    if (!this.#isOpen) return;
    this.#proposals += 1;
    const resultCompletionId = run.id.kind === "completion" ? run.id.completionId : 0;
    this.#outbox.emit({ type: MessageType.ProposeRunCompletion, resultCompletionId, result });
  }

  /**
   * How often and how long earlier attempts have tried this step. The server counts since it last stored a command, so
   * that its figures speak of this step only when nothing was stored after it and before now.
   */
  triedBefore(run: RunLeaf<A>): { readonly attempts: number; readonly durationMs: number } {
    const start = this.opening?.start;
    const isFirstWork = this.#proposals === 0 && this.#newCommands === (run.isNew ? 1 : 0);
    const attempts = start?.retryCountSinceLastStoredEntry ?? 0;
    if (start === undefined || !isFirstWork || attempts === 0)
      return { attempts: 0, durationMs: 0 };
    return { attempts, durationMs: start.durationSinceLastStoredEntryMs };
  }

  /** A step failed in a way that is to be tried again: the attempt fails with it. */
  failRun(run: RunLeaf<A>, failure: AttemptFailure): void {
    const { commandIndex: index, name } = run;
    this.fail({ ...failure, relatedCommand: { index, name, type: MessageType.RunCommand } });
  }

  // ---- from the handler: awaiting ----

  /**
   * Makes results known, one after the other, until what is awaited is decided or there are none left. Call it again
   * whenever something came in. The code of the handler must have come to rest: what it would still do now could come
   * before or after a result, as it happens.
   */
  progress(awaiting: Awaiting): Progress<A> {
    while (this.#isOpen) {
      if (this.#cancellation.isPassingOn) {
        const done = this.#cancellation.passOn((id) => cancelInvocation(this, id));
        if (done) return this.#isOpen ? CANCELLED : CLOSED;
      } else if (awaiting.poll()) {
        return SETTLED;
      }
      const id = this.#notifications.deliverNext();
      if (id === undefined) return this.#blocked(awaiting);
      this.#cancellation.onNotification(id);
    }
    return CLOSED;
  }

  #blocked(awaiting: Awaiting): Progress<A> {
    const mayExecute = !this.#cancellation.isPassingOn && this.#idleRuns > 0;
    if (this.#state.name === "processing" && !mayExecute && !this.#inputClosed) return WAITING;
    const leaves = this.#awaited(awaiting);
    if (this.#state.name === "replaying") {
      // The recorded attempt went on from here, so it knew a result that is not in the journal.
      const ids = leaves.map(({ id }) => describeId(id)).join(", ");
      this.#mismatch(this.#state.recorded, `waits for ${ids === "" ? "nothing" : ids}`);
      return CLOSED;
    }
    const runs = leaves.filter((leaf): leaf is RunLeaf<A> => leaf instanceof RunLeaf);
    const idle = new Set(runs.filter(({ state }) => state === "waiting"));
    if (idle.size > 0) {
      for (const run of idle) run.state = "executing";
      this.#idleRuns -= idle.size;
      return { kind: "execute", runs: [...idle] };
    }
    if (!this.#inputClosed || runs.some(({ state }) => state === "executing")) return WAITING;
    this.#suspend(leaves);
    return CLOSED;
  }

  #awaited(awaiting: Awaiting): Leaf[] {
    const leaves: Leaf[] = [];
    if (this.#cancellation.isPassingOn) this.#cancellation.nextChild?.collect(leaves);
    else awaiting.collect(leaves);
    return leaves;
  }

  #suspend(leaves: readonly Leaf[]): void {
    const message = suspension(leaves, this.#cancellation.isPossible);
    if (message !== undefined) return this.#close(message);
    this.fail({
      code: INTERNAL_ERROR,
      message: "the handler waits for nothing that can ever happen, such as an empty race",
    });
  }

  // ---- terminal messages ----

  /** The handler is done. */
  end(result: Outcome): void {
    this.command({ type: MessageType.OutputCommand, name: "", result });
    const state = this.#state;
    if (state.name === "replaying") this.#mismatch(state.recorded, "is done after its Output");
    else if (state.name !== "closed") this.#close({ type: MessageType.End });
  }

  /** The attempt fails; the server tries again, or does what its policy says. */
  fail(failure: AttemptFailure): void {
    if (this.#isOpen) this.#close(errorMessage(failure));
  }

  #close(terminal: Message): void {
    this.#outbox.emit(terminal);
    this.#state = { name: "closed" };
  }

  get #isOpen(): boolean {
    return this.#state.name !== "closed";
  }

  #violation(what: string): void {
    this.fail({ code: PROTOCOL_VIOLATION, message: `protocol violation: ${what}` });
  }

  /** The code does something else than the next recorded command. */
  #mismatch(recorded: RecordedCommands, now: string, attempted?: Command): void {
    this.#commandIndex += 1;
    const next = recorded.take();
    this.fail(mismatch(next, this.#commandIndex, now, attempted ?? next.command));
  }
}

function isNotificationMessage(message: Message): message is Notification {
  return isNotification(message.type);
}

function isCommandMessage(message: Message): message is Command {
  return message.type >= MessageType.InputCommand && !isNotification(message.type);
}
