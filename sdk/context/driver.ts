/**
 * Drives one attempt: joins the replay machine, which knows no promises, to the handler, which knows nothing else.
 *
 * 1. The machine is asked to make results known only when no microtask is left, so the handler has come to rest.
 * 2. What was written since the last rest goes out as one write.
 * 3. When the attempt is over, pending promises stay pending for ever. A suspended handler is not told; it is garbage.
 */
import type { Duration } from "../define/duration.ts";
import { durationToMs } from "../define/duration.ts";
import { CancelledError } from "../define/errors.ts";
import { encodeMessage } from "../protocol/codec.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { ErrorMessage, Message, Outcome } from "../protocol/messages.ts";
import type { AwaitNode, Leaf } from "../replay/await-node.ts";
import type { TreeNode } from "../replay/await-tree.ts";
import { ReplayMachine } from "../replay/machine.ts";
import type { Opening } from "../replay/replay-reader.ts";
import type { Awaiting, Outbox, Progress } from "../replay/progress.ts";
import { sleep } from "../replay/syscalls.ts";
import type { AttemptFailure } from "../replay/terminal-messages.ts";
import type { AttemptErrors } from "./attempt-errors.ts";
import type { Waiting } from "./journal-promise.ts";
import type { Host, Job, Sink } from "./host.ts";
import { Output } from "./output.ts";
import type { ServedHandler } from "./served-handler.ts";
import { type Step, type StepAround, StepRunner } from "./step-runner.ts";
import { NodeWaiter, type Waiter } from "./waiter.ts";

export class Driver implements Outbox, Awaiting, Job, Waiting {
  readonly machine: ReplayMachine<Step>;
  readonly host: Host;
  readonly #output: Output;
  readonly #steps: StepRunner;
  readonly #codec: ServedHandler["codec"];
  readonly #onOver: () => void;
  #failure: ErrorMessage | undefined;
  #waiters: Waiter[] = [];
  #scheduled = false;
  #over = false;
  #generation = 0;

  /** @param onOver called once, when the attempt is over in whatever way */
  constructor(
    host: Host,
    sink: Sink,
    errors: AttemptErrors,
    served: Pick<ServedHandler, "onMismatch" | "explicitCancellation" | "codec">,
    onOver: () => void,
  ) {
    this.machine = new ReplayMachine<Step>(this, errors.version, served);
    this.host = host;
    this.#output = new Output(sink);
    this.#steps = new StepRunner(this.machine, host, errors);
    this.#codec = served.codec;
    this.#onOver = onOver;
  }

  get opening(): Opening | undefined {
    return this.machine.opening;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Nothing happens here before the server says something: the handler waits for it, and no step is executed. */
  get isAtRest(): boolean {
    if (this.#over) return true;
    return !this.#scheduled && this.#waiters.length > 0 && !this.#steps.isExecuting;
  }

  /** What the attempt failed with, if it did. */
  get failure(): ErrorMessage | undefined {
    return this.#failure;
  }

  // ---- from outside ----

  onMessage(message: Message): void {
    this.machine.onMessage(message);
    this.#schedule();
  }

  onInputClosed(): void {
    this.machine.onInputClosed();
    this.#schedule();
  }

  onDrained(): void {
    this.#output.onDrained();
    this.#schedule();
  }

  /** The connection is gone: nothing is written any more. */
  abort(): void {
    this.machine.abort();
    this.#end();
  }

  // ---- from the handler ----

  /** The handler is done. */
  finish(result: Outcome): void {
    this.machine.end(result);
    this.#flush();
  }

  fail(failure: AttemptFailure): void {
    this.machine.fail(failure);
    this.#flush();
  }

  /** Around every step that is executed from now on, the first one outermost. */
  interceptSteps(arounds: readonly StepAround[]): void {
    this.#steps.intercept(arounds);
  }

  /** Throws when the handler uses the context in a step, where it would be missing from the journal on replay. */
  requireOutsideStep(): void {
    this.#steps.requireOutside();
  }

  wait<T>(node: AwaitNode<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      // Also what is known already must not reach a handler whose attempt is over.
      if (this.machine.phase === "closed") return;
      const waiter = new NodeWaiter(node, resolve, reject);
      if (waiter.isDecided) return waiter.settle();
      this.#waiters.push(waiter);
      this.#generation += 1;
      this.#schedule();
    });
  }

  startTimer(duration: Duration | number): AwaitNode<unknown> {
    return this.sleep(duration, "");
  }

  sleep(duration: Duration | number, name: string): Leaf {
    this.requireOutsideStep();
    return sleep(this.machine, name, this.host.nowMs() + durationToMs(duration));
  }

  // ---- for the machine ----

  emit(message: Message, ackRequested: boolean): void {
    if (message.type === MessageType.Error) this.#failure = message;
    // Encoded at once: the handler may change the bytes it gave us.
    const coded = this.#codec === undefined ? message : this.#codec.encode(message);
    this.#output.add(encodeMessage(coded, ackRequested));
    this.#schedule();
  }

  poll(): boolean {
    let decided = false;
    // All of them, so that each finds its winner at this position of the journal.
    for (const waiter of this.#waiters) if (waiter.isDecided) decided = true;
    return decided;
  }

  collect(leaves: Leaf[]): void {
    for (const waiter of this.#waiters) waiter.collect(leaves);
  }

  describe(node: TreeNode, depth: number): void {
    for (const waiter of this.#waiters) waiter.describe(node, depth);
  }

  get generation(): number {
    return this.#generation;
  }

  // ---- turns ----

  #schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    this.host.afterMicrotasks(this);
  }

  run(): void {
    this.#scheduled = false;
    if (this.#over) return;
    // After progress the handler goes on in microtasks; what it writes can go out together with what is there.
    if (this.#advance()) this.#schedule();
    else this.#flush();
  }

  /** True when the handler, or a step, has been given something to do. */
  #advance(): boolean {
    if (this.#waiters.length === 0 || this.#output.isFull) return false;
    let started = false;
    for (;;) {
      const progress: Progress<Step> = this.machine.progress(this);
      switch (progress.kind) {
        case "execute":
          for (const run of progress.runs) this.#steps.execute(run);
          started = true;
          break;
        case "settled":
          this.#settle();
          return true;
        case "cancelled":
          this.#cancel();
          return true;
        case "waiting":
          return started;
        case "closed":
          return false;
      }
    }
  }

  #settle(): void {
    const decided = this.#waiters.filter((waiter) => waiter.isDecided);
    this.#waiters = this.#waiters.filter((waiter) => !waiter.isDecided);
    this.#generation += 1;
    for (const waiter of decided) waiter.settle();
  }

  #cancel(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(new CancelledError());
  }

  #flush(): void {
    if (this.#over) return;
    if (this.machine.phase !== "closed") return this.#output.flush();
    this.#output.end();
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiters = [];
    this.#steps.abort();
    this.#onOver();
  }
}
