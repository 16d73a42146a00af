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

/** Runs checkpoint passes, one thing at a time. */
export interface Passes {
  /** One PASSIVE checkpoint: never waits for a reader or a writer, and never makes them wait. */
  run(done: PassDone): void;
  /** From now on the log cannot start over, though passes copy all of it. It must hold a frame that is not in the database. */
  guard(done: PassDone): void;
  /** Ends that, then one PASSIVE checkpoint. */
  runUnguarded(done: PassDone): void;
  close(): Promise<void>;
}

type Answer =
  | { readonly row: readonly [busy: number, frames: number, checkpointed: number] }
  | { readonly message: string; readonly code: string };

/**
 * The guard: the log starts over only where no reader stands at a frame of it. Two connections take turns at that, each going to the
 * newest frame before the other lets go, so that passes copy up to there. A reader that comes when all of the log is in the
 * database stands at no frame, and would hold nothing: then the other stays where it is.
 */
const SOURCE = `
"use strict";
const { parentPort, workerData } = require("node:worker_threads");
let db;
let pass;
let progress;
let isGuarded = false;
let guards;
let guard;
function open() {
  const Database = require(workerData.driver);
  db = new Database(workerData.file, { fileMustExist: true, timeout: 0 });
  db.exec("PRAGMA wal_autocheckpoint = 0");
  db.exec("PRAGMA synchronous = " + workerData.synchronous);
  progress = db.prepare("PRAGMA wal_checkpoint(NOOP)").raw();
  return db.prepare("PRAGMA wal_checkpoint(PASSIVE)").raw();
}
function openGuard() {
  const Database = require(workerData.driver);
  const reader = new Database(workerData.file, { readonly: true, timeout: workerData.guardTimeoutMs });
  return { reader, touch: reader.prepare("SELECT rootpage FROM sqlite_schema LIMIT 1") };
}
function end(reader) {
  if (reader.inTransaction) reader.exec("ROLLBACK");
}
function move() {
  guards ??= [openGuard(), openGuard()];
  const [, frames, checkpointed] = progress.get();
  if (frames === checkpointed) return;
  const next = guards[0] === guard ? guards[1] : guards[0];
  try {
    next.reader.exec("BEGIN");
    next.touch.get();
    if (progress.get()[2] >= frames) return;
    if (guard !== undefined) end(guard.reader);
    guard = next;
  } finally {
    if (guard !== next) end(next.reader);
  }
}
function run(message) {
  pass ??= open();
  if (message === "guard") isGuarded = true;
  if (message === "unguarded") isGuarded = false;
  if (isGuarded) {
    move();
  } else if (guard !== undefined) {
    end(guard.reader);
    guard = undefined;
  }
  return message === "guard" ? progress.get() : pass.get();
}
parentPort.on("message", (message) => {
  if (message === "close") {
    for (const { reader } of guards ?? []) reader.close();
    if (db !== undefined) db.close();
    parentPort.close();
    return;
  }
  try {
    parentPort.postMessage({ row: run(message) });
  } catch (error) {
    parentPort.postMessage({ message: String(error.message), code: String(error.code) });
  }
});
`;

/** A reader has to wait only while another process recovers the log, or removes it. */
const GUARD_TIMEOUT_MS = 5000;
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
    this.#ask("pass", done);
  }

  guard(done: PassDone): void {
    this.#ask("guard", done);
  }

  runUnguarded(done: PassDone): void {
    this.#ask("unguarded", done);
  }

  #ask(message: "pass" | "guard" | "unguarded", done: PassDone): void {
    this.#done = done;
    this.#worker ??= this.#start();
    // A pass keeps the process alive, for somebody may wait for it; an idle thread does not.
    this.#worker.ref();
    this.#worker.postMessage(message, []);
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
      workerData: { file: this.#file, driver, synchronous, guardTimeoutMs: GUARD_TIMEOUT_MS },
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
