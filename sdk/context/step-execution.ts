/** One execution of a step: what its action is told, and how it ends early. */
import type { RunStep } from "../define/context.ts";

export class StepExecution implements RunStep {
  readonly #invocationId: string;
  readonly #commandIndex: number;
  #controller: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(invocationId: string, commandIndex: number) {
    this.#invocationId = invocationId;
    this.#commandIndex = commandIndex;
  }

  /** The place in the journal is the step's own in every attempt. */
  get idempotencyKey(): string {
    return `${this.#invocationId}-${this.#commandIndex}`;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isOver) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** What it gives from now on comes too late. */
  get isOver(): boolean {
    return this.#isOver;
  }

  endAfter(timeoutMs: number, onTimeout: () => void): void {
    this.#timer = setTimeout(onTimeout, timeoutMs);
  }

  /** It came to its end, or nobody waits for it any more. */
  end(reason?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (reason !== undefined) this.#controller?.abort(reason);
  }
}
