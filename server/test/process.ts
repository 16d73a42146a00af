/** A child process of a test: started, killed without warning, started again, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";

export interface ProcessOptions {
  /** Arguments of the command. */
  readonly args: readonly string[];
  /** Default: node, whose arguments begin with a script. */
  readonly command?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Gets all of what it writes to stderr, appended. */
  readonly logFile?: string;
  readonly readyTimeoutMs?: number;
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
    const { command = process.execPath, args, env, logFile } = this.#options;
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
    });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stderr.on("data", (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString()).slice(-20_000);
      if (logFile !== undefined) appendFileSync(logFile, chunk);
    });
    return await this.#firstLine(child);
  }

  /** As by the kernel or the power company: nothing is flushed, nothing is said. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Halts it as it is: it neither runs nor closes anything, until `continue`. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  continue(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
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
      const { readyTimeoutMs = READY_TIMEOUT_MS } = this.#options;
      const timer = setTimeout(() => fail("not ready in time"), readyTimeoutMs);
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
