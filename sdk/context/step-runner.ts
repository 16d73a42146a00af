/** Executes the actions of `ctx.run` and hands what they give to the machine. */
import {
  errorCode,
  PauseError,
  RetryableError,
  retryAfterMs,
  TerminalError,
} from "../define/errors.ts";
import type { Any } from "../define/any.ts";
import type { RunStep } from "../define/context.ts";
import type { Serde } from "../define/serde.ts";
import type { RunLeaf } from "../replay/await-node.ts";
import type { ReplayMachine } from "../replay/machine.ts";
import { decideRunRetry, type RunRetryPolicy } from "../replay/run-retry.ts";
import { PAUSE } from "../replay/terminal-messages.ts";
import type { AttemptErrors } from "./attempt-errors.ts";
import { ownBytes } from "./decode.ts";
import type { Host } from "./host.ts";
import { intercepted } from "./interceptors.ts";
import { StepExecution } from "./step-execution.ts";

export interface Step {
  readonly action: (step: RunStep) => unknown;
  readonly serde: Serde<Any>;
  /** Of one execution; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  /** Absent: the policy of the service or the server. */
  readonly retryPolicy: RunRetryPolicy | undefined;
}

/** Goes around the execution of a step with this name. */
export type StepAround = (name: string, next: () => Promise<void>) => Promise<void>;

export class StepRunner {
  readonly #machine: ReplayMachine<Step>;
  readonly #host: Host;
  readonly #errors: AttemptErrors;
  readonly #executing = new Set<StepExecution>();
  #arounds: readonly StepAround[] = [];
  #inside = false;

  constructor(machine: ReplayMachine<Step>, host: Host, errors: AttemptErrors) {
    this.#machine = machine;
    this.#host = host;
    this.#errors = errors;
  }

  /**
   * Throws while an action runs synchronously. What it does after its first await cannot be told from what the handler does
   * meanwhile.
   */
  requireOutside(): void {
    if (this.#inside) throw new Error("the context must not be used inside ctx.run");
  }

  get isExecuting(): boolean {
    return this.#executing.size > 0;
  }

  /** Around every step that is executed from now on, the first one outermost. */
  intercept(arounds: readonly StepAround[]): void {
    this.#arounds = arounds;
  }

  execute(run: RunLeaf<Step>): void {
    // One that was to be executed along with it may have failed the attempt.
    if (this.#machine.phase === "closed") return;
    const startedMs = this.#host.nowMs();
    const { timeoutMs } = run.action;
    const execution = new StepExecution(this.#invocationId, run.commandIndex);
    let result: unknown;
    try {
      result = this.#arounded(run, execution);
    } catch (thrown) {
      return this.#fail(run, thrown, startedMs);
    }
    if (!isPromiseLike(result)) return this.#succeed(run, result, startedMs);
    this.#executing.add(execution);
    result.then(
      (value) => this.#end(execution) && this.#succeed(run, value, startedMs),
      (thrown: unknown) => this.#end(execution) && this.#fail(run, thrown, startedMs),
    );
    if (timeoutMs !== undefined) {
      execution.endAfter(timeoutMs, () => {
        const error = timedOut(run.name, timeoutMs);
        if (this.#end(execution, error)) this.#fail(run, error, startedMs);
      });
    }
    return undefined;
  }

  #arounded(run: RunLeaf<Step>, execution: StepExecution): unknown {
    const action = () => this.#enter(run.action, execution);
    if (this.#arounds.length === 0) return action();
    const arounds = this.#arounds.map(
      (around) => (next: () => Promise<void>) => around(run.name, next),
    );
    return intercepted(arounds, action);
  }

  #enter({ action }: Step, execution: StepExecution): unknown {
    this.#inside = true;
    try {
      return action(execution);
    } finally {
      this.#inside = false;
    }
  }

  /** The attempt is over: nobody waits for what is being executed. */
  abort(): void {
    const reason = new Error("the attempt is over");
    for (const execution of this.#executing) this.#end(execution, reason);
  }

  /** False when it had ended before. */
  #end(execution: StepExecution, reason?: Error): boolean {
    if (execution.isOver) return false;
    this.#executing.delete(execution);
    execution.end(reason);
    return true;
  }

  get #invocationId(): string {
    return this.#machine.opening?.start.debugId ?? "";
  }

  #succeed(run: RunLeaf<Step>, value: unknown, startedMs: number): void {
    try {
      const { serde } = run.action;
      const bytes = ownBytes(serde, serde.serialize(value));
      this.#machine.proposeRun(run, { kind: "value", value: bytes });
    } catch (thrown) {
      this.#fail(run, thrown, startedMs);
    }
  }

  #fail(run: RunLeaf<Step>, thrown: unknown, startedMs: number): void {
    const error = this.#errors.classify(thrown);
    if (error instanceof TerminalError) return this.#giveUp(run, error);
    const before = this.#machine.triedBefore(run);
    const state = {
      attempt: before.attempts + 1,
      durationMs: before.durationMs + this.#host.nowMs() - startedMs,
    };
    if (error instanceof PauseError) return this.#pause(run, error);
    const decision = decideRunRetry(run.action.retryPolicy, state, retryAfterMs(error));
    if (decision.kind === "give-up") {
      const { message } = error;
      return this.#giveUp(run, new TerminalError(message, { errorCode: errorCode(error) }));
    }
    this.#errors.report(error);
    const { delayMs } = decision;
    this.#machine.failRun(run, {
      code: errorCode(error),
      message: error.message,
      stacktrace: error.stack ?? "",
      ...(delayMs !== undefined && { nextRetryDelayMs: delayMs }),
    });
  }

  #pause(run: RunLeaf<Step>, error: PauseError): void {
    this.#errors.report(error);
    const { message, stack: stacktrace = "" } = error;
    const code = errorCode(error);
    this.#machine.failRun(run, { code, message, stacktrace, behavior: PAUSE });
  }

  #giveUp(run: RunLeaf<Step>, error: TerminalError): void {
    this.#machine.proposeRun(run, { kind: "failure", failure: this.#errors.failure(error) });
  }
}

const REQUEST_TIMEOUT = 408;

function timedOut(name: string, timeoutMs: number): RetryableError {
  const step = name === "" ? "a step" : `the step '${name}'`;
  const message = `${step} took longer than its timeout of ${timeoutMs} ms`;
  return new RetryableError(message, { errorCode: REQUEST_TIMEOUT });
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}
