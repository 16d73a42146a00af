/**
 * A thread that checkpoints: it copies pages from the write-ahead log into the database on a connection of its own, so that the
 * event loop never waits for it. Its code is a string, because the server ships as one bundled file and a worker needs a
 * file or a string of its own; the driver is required by its absolute path.
 */
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

/** What a pass left behind. Frames are pages in the write-ahead log. */
export interface PassResult {
  readonly frames: number;
  /** Those already in the database; equal to `frames` when nothing is left. */
  readonly checkpointed: number;
}

export type PassDone = (error: Error | null, result: PassResult) => void;

/** Runs checkpoint passes, one at a time. */
export interface Passes {
  /** One PASSIVE checkpoint: never waits for a reader or a writer, and never makes them wait. */
  run(done: PassDone): void;
  close(): Promise<void>;
}

type Answer =
  | { readonly row: readonly [busy: number, frames: number, checkpointed: number] }
  | { readonly message: string; readonly code: string };

const SOURCE = `
"use strict";
const { parentPort, workerData } = require("node:worker_threads");
let db;
let pass;
function open() {
  const Database = require(workerData.driver);
  db = new Database(workerData.file, { fileMustExist: true, timeout: 0 });
  db.exec("PRAGMA wal_autocheckpoint = 0");
  db.exec("PRAGMA synchronous = " + workerData.synchronous);
  return db.prepare("PRAGMA wal_checkpoint(PASSIVE)").raw();
}
parentPort.on("message", (message) => {
  if (message === "close") {
    if (db !== undefined) db.close();
    parentPort.close();
    return;
  }
  try {
    pass ??= open();
    parentPort.postMessage({ row: pass.get() });
  } catch (error) {
    parentPort.postMessage({ message: String(error.message), code: String(error.code) });
  }
});
`;

const NOTHING: PassResult = { frames: 0, checkpointed: 0 };

export class WorkerPasses implements Passes {
  readonly #file: string;
  readonly #durable: boolean;
  #worker: Worker | null = null;
  #done: PassDone | null = null;

  /** With `durable`, a pass syncs the log before it copies and the database after. The thread starts with the first pass. */
  constructor(file: string, durable: boolean) {
    this.#file = file;
    this.#durable = durable;
  }

  run(done: PassDone): void {
    this.#done = done;
    this.#worker ??= this.#start();
    // A pass keeps the process alive, for somebody may wait for it; an idle thread does not.
    this.#worker.ref();
    this.#worker.postMessage("pass", []);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    this.#worker = null;
    this.#done = null;
    await new Promise<void>((resolve) => {
      worker.once("exit", () => resolve());
      worker.ref();
      worker.postMessage("close", []);
    });
  }

  #start(): Worker {
    const driver = createRequire(import.meta.url).resolve("better-sqlite3");
    const synchronous = this.#durable ? "NORMAL" : "OFF";
    const worker = new Worker(SOURCE, {
      eval: true,
      name: "checkpoint",
      execArgv: [],
      workerData: { file: this.#file, driver, synchronous },
    });
    worker.on("message", this.#onAnswer);
    worker.on("error", (error) => this.#answer(error, NOTHING));
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = null;
      this.#answer(new Error("the checkpoint thread ended"), NOTHING);
    });
    return worker;
  }

  readonly #onAnswer = (answer: Answer): void => {
    if ("row" in answer) {
      const [, frames, checkpointed] = answer.row;
      this.#answer(null, { frames, checkpointed });
    } else {
      // Errors of the driver do not survive the way between threads, so they come in parts.
      this.#answer(Object.assign(new Error(answer.message), { code: answer.code }), NOTHING);
    }
  };

  #answer(error: Error | null, result: PassResult): void {
    const done = this.#done;
    this.#done = null;
    this.#worker?.unref();
    done?.(error, result);
  }
}
