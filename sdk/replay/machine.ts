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
import { isNotificationMessage } from "../protocol/message-kind.ts";
import { MessageType, messageTypeName } from "../protocol/message-type.ts";
import type { Command, ErrorBehavior, Message, Outcome } from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";
import { Leaf, RunLeaf } from "./await-node.ts";
import { awaitTree } from "./await-tree.ts";
import { Cancellation } from "./cancellation.ts";
import { findDifference } from "./command-match.ts";
import { describeCommand, describeId } from "./describe-command.ts";
import { Notifications } from "./notifications.ts";
import type { Awaiting, MachineOptions, Outbox, Progress } from "./progress.ts";
import type { RecordedCommands } from "./recorded-commands.ts";
import { type Opening, ReplayReader } from "./replay-reader.ts";
import { Steps } from "./steps.ts";
import { cancelInvocation } from "./syscalls.ts";
import {
  type AttemptFailure,
  errorMessage,
  INTERNAL_ERROR,
  mismatch,
  PROTOCOL_VIOLATION,
  RETRY,
  suspension,
  treeSuspension,
} from "./terminal-messages.ts";

type State =
  | { readonly name: "waiting-start" }
  | { readonly name: "receiving"; readonly reader: ReplayReader }
  | {
      readonly name: "replaying";
      readonly opening: Opening;
      readonly recorded: RecordedCommands;
    }
  | { readonly name: "processing"; readonly opening: Opening }
  | { readonly name: "closed" };

export type Phase = State["name"];

/** The first version with await trees, acknowledged steps, and errors that say what is to become of the invocation. */
const TREE_VERSION = 7;

const SETTLED = { kind: "settled" } as const;
const CANCELLED = { kind: "cancelled" } as const;
const WAITING = { kind: "waiting" } as const;
const CLOSED = { kind: "closed" } as const;

export class ReplayMachine<A> {
  readonly #outbox: Outbox;
  readonly #hasTrees: boolean;
  readonly #onMismatch: ErrorBehavior;
  readonly #notifications = new Notifications();
  readonly #steps = new Steps<A>(this.#notifications);
  readonly cancellation: Cancellation;
  #state: State = { name: "waiting-start" };
  #inputClosed = false;

  #completionIds = 0;
  /** Of the last command; Input is 0. */
  #commandIndex = 0;
  /** Commands written by this attempt. */
  #newCommands = 0;
  /** The generation of the await that the server has been told of. */
  #announced = 0;

  constructor(outbox: Outbox, version: ProtocolVersion, options: MachineOptions = {}) {
    const { onMismatch = RETRY, explicitCancellation = false } = options;
    this.#outbox = outbox;
    this.#hasTrees = version >= TREE_VERSION;
    this.#onMismatch = onMismatch;
    this.cancellation = new Cancellation(explicitCancellation);
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
        return this.#onEntry(state.reader, message);
      case "replaying":
      case "processing":
        return this.#onNews(message);
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
      this.#violation(`the request ended after ${state.reader.progress}`);
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
      const reader = new ReplayReader(message, this.#notifications);
      this.#state = { name: "receiving", reader };
    }
  }

  #onEntry(reader: ReplayReader, message: Message): void {
    const problem = reader.take(message);
    if (problem !== undefined) return this.#violation(problem);
    if (!reader.isComplete) return;
    const opening = reader.open();
    if (opening !== undefined) this.#begin(opening, reader.recorded);
    else this.#violation("the first command of the journal is not Input");
  }

  #onNews(message: Message): void {
    if (isNotificationMessage(message)) {
      if (message.type === MessageType.RunCompletion) this.#steps.onCompletion(message);
      return this.#notifications.push(message);
    }
    if (message.type !== MessageType.ProposeRunCompletionAck || !this.#hasTrees) {
      return this.#violation(`${messageTypeName(message.type)} came after the replay`);
    }
    const completion = this.#steps.acknowledged(message.completionId);
    if (completion !== undefined) return this.#notifications.push(completion);
    this.#violation(`step ${message.completionId} was acknowledged, but no result was proposed`);
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

  /** The command of the journal that the next operation must equal; undefined when there is none. */
  get nextRecorded(): Command | undefined {
    return this.#state.name === "replaying" ? this.#state.recorded.next.command : undefined;
  }

  /** Issues a command: takes the recorded one, which is returned, or writes this one. */
  command(attempted: Command): Command {
    const state = this.#state;
    switch (state.name) {
      case "processing":
        this.#commandIndex += 1;
        this.#newCommands += 1;
        this.#outbox.emit(attempted, false);
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
    this.cancellation.addChild(leaf);
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
    const command = { name, index: this.#commandIndex, isNew };
    const leaf = new RunLeaf(resultCompletionId, command, action);
    this.#steps.add(leaf);
    return leaf;
  }

  /**
   * Hands the result of a step to the server. It becomes known when the server says that it is recorded; the bytes must not
   * change until then, because from V7 they are not sent back.
   */
  proposeRun(run: RunLeaf<A>, result: Outcome): void {
    run.state = "proposed";
    if (!this.#isOpen) return;
    if (this.#hasTrees) run.proposal = result;
    this.#steps.onProposed();
    const { completionId: resultCompletionId } = run;
    const type = MessageType.ProposeRunCompletion;
    this.#outbox.emit({ type, resultCompletionId, result }, this.#hasTrees);
  }

  /** How often and how long earlier attempts have tried this step, as far as that is known. */
  triedBefore(run: RunLeaf<A>): { readonly attempts: number; readonly durationMs: number } {
    return this.#steps.triedBefore(run, this.opening?.start, this.#newCommands);
  }

  /** A step failed in a way that is to be tried again: the attempt fails with it. */
  failRun(run: RunLeaf<A>, failure: AttemptFailure): void {
    const { commandIndex: index, name } = run;
    this.fail({
      ...failure,
      relatedCommand: { index, command: { name, type: MessageType.RunCommand } },
    });
  }

  // ---- from the handler: awaiting ----

  /**
   * Makes results known, one after the other, until what is awaited is decided or there are none left. Call it again
   * whenever something came in. The code of the handler must have come to rest: what it would still do now could come
   * before or after a result, as it happens.
   */
  progress(awaiting: Awaiting): Progress<A> {
    while (this.#isOpen) {
      if (this.cancellation.isPassingOn) {
        const done = this.cancellation.passOn((id) => cancelInvocation(this, id));
        if (done) return this.#isOpen ? CANCELLED : CLOSED;
      } else if (awaiting.poll()) {
        return SETTLED;
      }
      const id = this.#notifications.deliverNext();
      if (id === undefined) return this.#blocked(awaiting);
      this.cancellation.onNotification(id);
    }
    return CLOSED;
  }

  #blocked(awaiting: Awaiting): Progress<A> {
    const mayExecute = !this.cancellation.isPassingOn && this.#steps.hasIdle;
    if (this.#state.name === "processing" && !mayExecute && !this.#inputClosed) {
      this.#announce(awaiting);
      return WAITING;
    }
    const leaves = this.#awaited(awaiting);
    if (this.#state.name === "replaying") {
      // The recorded attempt went on from here, so it knew a result that is not in the journal.
      const ids = leaves.map(({ id }) => describeId(id)).join(", ");
      this.#mismatch(this.#state.recorded, `waits for ${ids === "" ? "nothing" : ids}`);
      return CLOSED;
    }
    const runs = this.#steps.startIdle(leaves);
    if (runs.size > 0) return { kind: "execute", runs: [...runs] };
    if (!this.#inputClosed || this.#steps.areExecuting(leaves)) {
      this.#announce(awaiting);
      return WAITING;
    }
    this.#suspend(awaiting, leaves);
    return CLOSED;
  }

  /**
   * Tells the server what the handler waits for, once for each wait; nothing depends on it. Not while a step is under way,
   * which is no wait for the server, and not for the ids of children, which are there at once.
   */
  #announce(awaiting: Awaiting): void {
    if (!this.#hasTrees || this.#inputClosed || this.#steps.hasBusy) return;
    if (awaiting.generation === this.#announced || this.cancellation.isPassingOn) return;
    this.#announced = awaiting.generation;
    const awaitingOn = awaitTree(awaiting, this.cancellation.isAwaited);
    if (awaitingOn === undefined) return;
    const type = MessageType.AwaitingOn;
    this.#outbox.emit({ type, awaitingOn, executingSideEffects: false }, false);
  }

  #awaited(awaiting: Awaiting): Leaf[] {
    const leaves: Leaf[] = [];
    if (this.cancellation.isPassingOn) this.cancellation.nextChild?.collect(leaves);
    else awaiting.collect(leaves);
    return leaves;
  }

  #suspend(awaiting: Awaiting, leaves: readonly Leaf[]): void {
    const { isAwaited, isPassingOn, nextChild } = this.cancellation;
    const awaited = isPassingOn && nextChild !== undefined ? nextChild : awaiting;
    const message = this.#hasTrees
      ? treeSuspension(awaitTree(awaited, isAwaited))
      : suspension(leaves, isAwaited);
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
    if (this.#isOpen) this.#close(errorMessage(failure, this.#hasTrees));
  }

  #close(terminal: Message): void {
    this.#outbox.emit(terminal, false);
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
    const failure = mismatch(next, this.#commandIndex, now, attempted);
    this.fail({ ...failure, behavior: this.#onMismatch });
  }
}
