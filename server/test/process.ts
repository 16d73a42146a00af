/** A child process of a test: started, killed without warning, started again, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface ProcessOptions {
  /** Arguments of node: a script and what it is given. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The JSON line that our programs print when they are ready. */
export type ReadyLine = Readonly<Record<string, unknown>>;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
// The runner ends a test that hangs with this signal, which by itself skips the line above.
process.once("SIGTERM", () => process.exit(1));

const READY_TIMEOUT_MS = 30_000;

export class TestProcess {
  readonly #options: ProcessOptions;
  #child: ChildProcess | null = null;
  /** The end of what it wrote to stderr, for messages. */
  errors = "";

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get alive(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<ReadyLine> {
    const { args, env } = this.#options;
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
    });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stderr.on("data", (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString()).slice(-20_000);
    });
    return await this.#firstLine(child);
  }

  /** As by the kernel or the power company: nothing is flushed, nothing is said. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Returns the exit code. */
  async stop(): Promise<number | null> {
    return await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.alive) return null;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
    return child.exitCode;
  }

  #firstLine(child: ChildProcess): Promise<ReadyLine> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${why}\n${this.errors}`));
      const timer = setTimeout(() => fail("not ready in time"), READY_TIMEOUT_MS);
      let text = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        text = (text + chunk.toString()).slice(-100_000);
        // Some programs log on stdout as well.
        const ready = /^\{.*"event":"ready".*\}$/m.exec(text);
        if (ready === null) return;
        clearTimeout(timer);
        resolve(JSON.parse(ready[0]) as ReadyLine);
      });
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        fail(`exited with ${code ?? signal} before it was ready`);
      });
    });
  }
}
