/** A replica's thread as seen from the event loop. It starts with the first call and answers one after another. */
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { DatabaseFile } from "./snapshot-file.ts";
// oxlint-disable-next-line import/default -- the bundler makes the text
import source from "./thread.ts?bundle";
import type { Answer, Call, Calls, Setup } from "./thread-messages.ts";

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

export class ThreadClient {
  readonly #database: DatabaseFile;
  readonly #name: string;
  readonly #stop = new SharedArrayBuffer(4);
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #nextId = 1;
  #closed = false;

  constructor(database: DatabaseFile, name: string) {
    this.#database = database;
    this.#name = name;
  }

  get isRunning(): boolean {
    return this.#worker !== null && !this.#closed;
  }

  /** Rejects when the thread fails at it, or ends. */
  call<Name extends keyof Calls>(
    name: Name,
    ...[argument]: Parameters<Calls[Name]>
  ): Promise<ReturnType<Calls[Name]>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error("the replica's thread is closed"));
      const call: Call<unknown> = { id: this.#nextId++, name, argument };
      this.#worker ??= this.#start();
      this.#waiting.set(call.id, { resolve, reject });
      // A call keeps the process alive, for somebody waits for it; an idle thread does not.
      this.#worker.ref();
      this.#worker.postMessage(call, []);
      return undefined;
    });
  }

  /** Resolves when the thread has ended; it gives up what it is at. */
  async close(): Promise<void> {
    this.#closed = true;
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    const worker = this.#worker;
    if (worker === null) return;
    await new Promise<void>((resolve) => {
      worker.once("exit", () => resolve());
      worker.ref();
      worker.postMessage("close", []);
    });
  }

  #start(): Worker {
    const driver = createRequire(import.meta.url).resolve("better-sqlite3");
    const { file, databaseFd } = this.#database;
    const setup: Setup = { file, databaseFd, driver, stop: this.#stop };
    const worker = new Worker(source, { eval: true, name: this.#name, execArgv: [] });
    worker.postMessage(setup, []);
    worker.on("message", this.#onAnswer);
    worker.on("error", (error) => this.#fail(error));
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = null;
      this.#fail(new Error("the replica's thread ended"));
    });
    return worker;
  }

  readonly #onAnswer = (answer: Answer<never>): void => {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0 && !this.#closed) this.#worker?.unref();
    if ("result" in answer) return waiting?.resolve(answer.result);
    const { message, code } = answer;
    const error = new Error(message);
    return waiting?.reject(code === null ? error : Object.assign(error, { code }));
  };

  #fail(error: unknown): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) {
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
