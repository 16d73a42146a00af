/** `ctx.saga`: compensations in reverse order. Nothing but steps and awaits, so that all of it is in the journal. */
import type { Context, RestatePromise, RunAction } from "../define/context.ts";
import { CancelledError, TerminalError } from "../define/errors.ts";
import type { Saga, SagaRunOptions } from "../define/saga.ts";

/** The part of a context that a saga needs. */
type Runs = Pick<Context, "run">;

interface Compensation {
  readonly name: string;
  readonly run: () => PromiseLike<unknown>;
}

export async function runSaga<T>(context: Runs, body: (saga: Saga) => PromiseLike<T>): Promise<T> {
  const saga = new Compensations(context);
  try {
    return await body(saga);
  } catch (error) {
    // Anything else is tried again, from where the journal ends.
    if (error instanceof TerminalError) throw await saga.undo(error);
    throw error;
  }
}

class Compensations implements Saga {
  readonly #context: Runs;
  readonly #compensations: Compensation[] = [];

  constructor(context: Runs) {
    this.#context = context;
  }

  run<T>(name: string, action: RunAction<T>, options: SagaRunOptions<T>): RestatePromise<T> {
    const { undo, undoOptions = {}, ...runOptions } = options;
    const done = this.#context.run(name, action, runOptions);
    this.compensate(name, async () => {
      const value = await outcomeOf(done);
      const undone = this.#context.run(`undo ${name}`, (step) => undo(value, step), undoOptions);
      await uncancelled(() => undone);
    });
    return done;
  }

  compensate(name: string, run: () => PromiseLike<unknown>): void {
    this.#compensations.push({ name, run });
  }

  /** Undoes all of it, whatever fails meanwhile; the error to end with. */
  async undo(cause: TerminalError): Promise<TerminalError> {
    const failures: string[] = [];
    for (const { name, run } of this.#compensations.toReversed()) {
      try {
        // One after the other: the order is what a saga is about.
        await run();
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        failures.push(`${name}: ${error.message}`);
      }
    }
    if (failures.length === 0) return cause;
    const message = `${cause.message}; not undone: ${failures.join("; ")}`;
    const { code: errorCode, metadata } = cause;
    return new TerminalError(message, { errorCode, cause, ...(metadata && { metadata }) });
  }
}

/** What a step gave; one that is not over yet is waited for, as it cannot be undone before. */
async function outcomeOf<T>(done: PromiseLike<T>): Promise<T | undefined> {
  try {
    return await uncancelled(() => done);
  } catch (error) {
    if (error instanceof TerminalError) return undefined;
    throw error;
  }
}

/** Awaits once more what a further cancellation interrupted: undoing is what the handler does about it already. */
async function uncancelled<T>(promise: () => PromiseLike<T>): Promise<T> {
  for (;;) {
    try {
      return await promise();
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error;
    }
  }
}
