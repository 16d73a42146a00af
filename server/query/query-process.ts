/**
 * A process that answers queries, seen from the server. It is a process and not a thread because nothing but its end stops a
 * statement that SQLite is working on: a thread in native code cannot be terminated, and the driver has no interrupt. What a query
 * needs of memory and time is not the server's then, either.
 *
 * Its code is a string, because the server ships as one bundled file: it is read from standard input.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import os from "node:os";
// oxlint-disable-next-line import/default -- the bundler makes the text
import source from "./child/main.ts?bundle";
import type { OpenRequest, QueryAnswer, QueryRequest } from "./messages.ts";

/** Of JavaScript objects in the process; what SQLite takes comes on top. */
const HEAP_MIB_MAX = 512;
const MEMORY = "the query may have needed too much memory, so select fewer rows or columns";
/** The writer goes first where both want the processor. */
const PRIORITY = 10;

export class QueryProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #done: ((answer: QueryAnswer) => void) | null = null;
  #isGone = false;
  #queries = 0;

  constructor(file: string, version: string) {
    this.#child = spawn(
      process.execPath,
      [`--max-old-space-size=${HEAP_MIB_MAX}`, "--input-type=commonjs", "-"],
      {
        stdio: ["pipe", "ignore", "ignore", "ipc"],
        serialization: "advanced",
        env: environment(),
      },
    );
    this.#ended = new Promise((resolve) => {
      const end = (status: 500 | 503, message: string) => {
        this.#isGone = true;
        this.#finish({ ok: false, status, message });
        resolve();
      };
      this.#child.once("error", ({ message }) =>
        end(503, `the process for queries could not be started: ${message}`),
      );
      this.#child.once("exit", (code, signal) =>
        end(500, `the process for queries ended (${signal ?? `exit code ${code}`}): ${MEMORY}`),
      );
    });
    this.#child.on("message", (answer: QueryAnswer) => this.#finish(answer));
    // A process that ended early says so by its exit.
    this.#child.stdin?.on("error", () => {});
    this.#child.stdin?.end(source);
    lowerPriority(this.#child.pid);
    const driver = createRequire(import.meta.url).resolve("better-sqlite3");
    this.#send({ type: "open", file, driver, version });
    this.#unref();
  }

  /** It has ended, or was told to. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** How many it was asked. */
  get queries(): number {
    return this.#queries;
  }

  /** One query at a time. */
  run(request: QueryRequest): Promise<QueryAnswer> {
    this.#queries += 1;
    return new Promise((resolve) => {
      this.#done = resolve;
      // A query keeps the server's process alive, for somebody waits for it; an idle process does not.
      this.#child.ref();
      this.#child.channel?.ref();
      this.#send(request);
    });
  }

  /** Ends it at once, whatever it is doing; a query in progress is answered with `answer`. */
  kill(answer: QueryAnswer): Promise<void> {
    this.#isGone = true;
    this.#finish(answer);
    this.#child.ref();
    this.#child.kill("SIGKILL");
    return this.#ended;
  }

  #send(message: OpenRequest | QueryRequest): void {
    if (!this.#child.connected) return;
    // What could not be sent is answered when the end of the process is known.
    this.#child.send(message, () => {});
  }

  #finish(answer: QueryAnswer): void {
    const done = this.#done;
    this.#done = null;
    if (!this.#isGone) this.#unref();
    done?.(answer);
  }

  #unref(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }
}

/** Without what is meant for this process alone, such as its debugger. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_")),
  );
}

function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    os.setPriority(pid, PRIORITY);
  } catch {
    // It may have ended already, and then says so.
  }
}
