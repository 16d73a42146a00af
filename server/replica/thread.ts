/** A thread of the replica: reads the log and the database, and compresses what is shipped, beside the event loop. */
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type BetterSqlite3 from "better-sqlite3";
import { cut, locate } from "./pages-of-wal.ts";
import { Pin, type PinnedState } from "./pin.ts";
import { writeSnapshot } from "./snapshot-file.ts";
import type { Answer, Call, Calls, ThreadData } from "./thread-messages.ts";

const data: ThreadData = workerData;
const stop = new Int32Array(data.stop);
let pin: Pin | undefined;
let pinned: PinnedState | undefined;

const calls: Calls = {
  cut: (request) => cut(data.file, request),
  locate: (position) => locate(data.file, position),
  pin: () => {
    pin ??= new Pin(data.file, driver());
    pinned = pin.take();
    return pinned.position;
  },
  write: (request) => {
    if (pinned === undefined) throw new Error("no state is pinned");
    return writeSnapshot(data, pinned, request, checkStop);
  },
  release: () => {
    pinned = undefined;
    pin?.release();
  },
};

function driver(): typeof BetterSqlite3 {
  return createRequire(data.driver)(data.driver);
}

function checkStop(): void {
  if (Atomics.load(stop, 0) !== 0) throw new Error("the replica's thread is closed");
}

function answer({ id, name, argument }: Call): Answer {
  try {
    if (name !== "release") checkStop();
    // The caller's side is typed by the same names.
    const call: (argument: never) => unknown = calls[name];
    return { id, result: call(argument as never) };
  } catch (error) {
    // Errors of the driver do not survive the way between threads, so they come in parts.
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && "code" in error ? String(error.code) : null;
    return { id, message, code };
  }
}

parentPort?.on("message", (call: Call | "close") => {
  if (call === "close") {
    pin?.close();
    parentPort?.close();
    return;
  }
  const answered = answer(call);
  parentPort?.postMessage(answered, buffersOf(answered));
});

/** What is handed over instead of copied. */
function buffersOf(answered: Answer): ArrayBuffer[] {
  if (!("result" in answered) || answered.result === null) return [];
  const { result } = answered;
  if (typeof result !== "object" || !("body" in result)) return [];
  const { body } = result;
  const isWhole = body instanceof Uint8Array && body.byteLength === body.buffer.byteLength;
  return isWhole && body.buffer instanceof ArrayBuffer ? [body.buffer] : [];
}
