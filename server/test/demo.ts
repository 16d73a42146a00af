/** What `npm start` and `npm run example` start, and a shell for the lines that they print. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { persist } from "./harness.ts";

const exec = promisify(execFile);

const ANY_PORTS = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

export class Demo {
  readonly #child: ChildProcess;
  output = "";

  constructor(example: string, directory: string, flags: readonly string[] = ANY_PORTS) {
    const args = [
      "scripts/demo.mjs",
      "--example",
      example,
      "--data",
      `${directory}/data`,
      ...flags,
    ];
    this.#child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, EXAMPLE_DIRECTORY: directory },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  /** Waits until it has printed this; returns what the pattern captured. */
  async printed(pattern: RegExp): Promise<string> {
    return await persist(() => {
      const match = pattern.exec(this.output);
      if (match === null && this.#child.exitCode !== null) throw new Error(this.output);
      return Promise.resolve(match === null ? undefined : (match[1] ?? match[0]));
    }, 30_000);
  }

  /** Waits until it is ready; returns the lines that it wants to be pasted. */
  async guide(): Promise<string[]> {
    await this.printed(/Ctrl-C stops everything/);
    const lines = this.output.matchAll(/^ {2}((?:curl|kill|id=).*)$/gm);
    return [...lines].map(([, line = ""]) => line);
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, "exit");
      this.#child.kill(signal);
      await gone;
    }
    return this.#child.exitCode;
  }

  get ended(): Promise<unknown> {
    return this.#child.exitCode === null ? once(this.#child, "exit") : Promise.resolve();
  }
}

/** Runs a line in a shell of its own; returns what it printed. */
export async function paste(line: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await exec("bash", ["-c", line], { env: { ...process.env, ...env } });
  return stdout;
}
