/** A thread of the replica: reads the log and the database, and compresses what is shipped, beside the event loop. */
import { createRequire } from "node:module";
import { parentPort } from "node:worker_threads";
import type BetterSqlite3 from "better-sqlite3";
import { cut, locate } from "./pages-of-wal.ts";
import { Pin, type PinnedState } from "./pin.ts";
import { writeSnapshot } from "./snapshot-file.ts";
import type { Answer, Call, Calls, Setup } from "./thread-messages.ts";

class Program implements Calls {
  readonly #setup: Setup;
  #pin: Pin | undefined;
  #pinned: PinnedState | undefined;

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  readonly cut: Calls["cut"] = (request) => cut(this.#setup.file, request);

  readonly locate: Calls["locate"] = (position) => locate(this.#setup.file, position);

  readonly pin: Calls["pin"] = () => {
    this.#pin ??= new Pin(this.#setup.file, load(this.#setup.driver));
    this.#pinned = this.#pin.take();
    return this.#pinned.position;
  };

  readonly write: Calls["write"] = (request) => {
    if (this.#pinned === undefined) throw new Error("no state is pinned");
    return writeSnapshot(this.#setup, this.#pinned, request, this.#checkStop);
  };

  readonly release = (): void => {
    this.#pinned = undefined;
    this.#pin?.release();
  };

  close(): void {
    this.#pin?.close();
  }

  answer({ id, name, argument }: Call<never>): Answer<unknown> {
    try {
      if (name !== "release") this.#checkStop();
      return { id, result: this[name](argument) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const code = error instanceof Error && "code" in error ? String(error.code) : null;
      return { id, message, code };
    }
  }

  readonly #checkStop = (): void => {
    if (Atomics.load(new Int32Array(this.#setup.stop), 0) !== 0)
      throw new Error("the replica's thread is closed");
  };
}

function load(driver: string): typeof BetterSqlite3 {
  return createRequire(driver)(driver);
}

/** What is handed over instead of copied. */
function buffersOf(answer: Answer<unknown>): ArrayBuffer[] {
  if (!("result" in answer) || answer.result === null) return [];
  const { result } = answer;
  if (typeof result !== "object" || !("body" in result)) return [];
  const { body } = result;
  const isWhole = body instanceof Uint8Array && body.byteLength === body.buffer.byteLength;
  return isWhole && body.buffer instanceof ArrayBuffer ? [body.buffer] : [];
}

parentPort?.once("message", (setup: Setup) => {
  const program = new Program(setup);
  parentPort?.on("message", (message: Call<never> | "close") => {
    if (message === "close") {
      program.close();
      parentPort?.close();
      return;
    }
    const answer = program.answer(message);
    parentPort?.postMessage(answer, buffersOf(answer));
  });
});
