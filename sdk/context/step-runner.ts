/** Executes the actions of `ctx.run` and hands what they give to the machine. */
import { errorCode, PauseError, retryAfterMs, TerminalError } from "../define/errors.ts";
import type { Any } from "../define/any.ts";
import type { Serde } from "../define/serde.ts";
import type { RunLeaf } from "../replay/await-node.ts";
import type { ReplayMachine } from "../replay/machine.ts";
import { decideRunRetry, type RunRetryPolicy } from "../replay/run-retry.ts";
import { PAUSE } from "../replay/terminal-messages.ts";
import type { AttemptErrors } from "./attempt-errors.ts";
import { ownBytes } from "./decode.ts";
import type { Host } from "./host.ts";

export interface Step {
  readonly action: () => unknown;
  readonly serde: Serde<Any>;
  /** Absent: the policy of the service or the server. */
  readonly retryPolicy: RunRetryPolicy | undefined;
}

export class StepRunner {
  readonly #machine: ReplayMachine<Step>;
  readonly #host: Host;
  readonly #errors: AttemptErrors;
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

  execute(run: RunLeaf<Step>): void {
    // One that was to be executed along with it may have failed the attempt.
    if (this.#machine.phase === "closed") return;
    const startedMs = this.#host.nowMs();
    let result: unknown;
    this.#inside = true;
    try {
      result = run.action.action();
    } catch (thrown) {
      return this.#fail(run, thrown, startedMs);
    } finally {
      this.#inside = false;
    }
    if (!isPromiseLike(result)) return this.#succeed(run, result, startedMs);
    result.then(
      (value) => this.#succeed(run, value, startedMs),
      (thrown: unknown) => this.#fail(run, thrown, startedMs),
    );
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

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}
