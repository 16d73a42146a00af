// Keeps a program running: what is killed is started again. What ends by itself is not.
import { spawn } from "node:child_process";

/** How much of what a program wrote on stderr is kept to explain why it could not start. */
const STDERR_TAIL_CHARS = 4000;
/** Ctrl-C reaches the programs as well as us: this is how long they have before they are told again. */
const STOP_GRACE_MS = 1000;
const STOP_TIMEOUT_MS = 7000;

/** A program that ended before it was ready. `stderr` is the end of what it wrote. */
export class StartError extends Error {
  name = "StartError";

  constructor(message, stderr) {
    super(message);
    this.stderr = stderr;
  }
}

/**
 * A Node program that prints one JSON line on stdout when it is ready.
 * `args` is a function of the last ready line, so that a restart can ask for the same ports.
 */
export class Supervised {
  #args;
  #env;
  #onKilled;
  #onBack;
  #onEnd;
  #child;
  #stopping = false;

  constructor({ args, env = process.env, onKilled, onBack, onEnd }) {
    this.#args = args;
    this.#env = env;
    this.#onKilled = onKilled;
    this.#onBack = onBack;
    this.#onEnd = onEnd;
  }

  /** Resolves with the ready line of the first start. */
  async start(last) {
    const { child, ready, stderr } = this.#spawn(last);
    this.#child = child;
    const line = await ready;
    child.on("exit", (code, signal) => void this.#ended(line, code, signal, stderr()));
    return line;
  }

  /** Ends the program; a second request of the same kind would cut its drain short, so Ctrl-C waits first. */
  async stop(signal) {
    this.#stopping = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const timers = [
      setTimeout(() => child.kill("SIGTERM"), signal === "SIGINT" ? STOP_GRACE_MS : 0),
      setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS),
    ];
    await gone;
    for (const timer of timers) clearTimeout(timer);
  }

  async #ended(last, code, signal, stderr) {
    if (this.#stopping) return;
    if (signal === null) {
      this.#onEnd(`ended with code ${code}`, stderr);
      return;
    }
    this.#onKilled(signal);
    const startMs = performance.now();
    try {
      const line = await this.start(last);
      if (!this.#stopping) this.#onBack(line, Math.round(performance.now() - startMs));
    } catch (error) {
      if (!this.#stopping) this.#onEnd(error.message, error.stderr ?? "");
    }
  }

  #spawn(last) {
    const child = spawn(process.execPath, this.#args(last), {
      env: this.#env,
      // The IPC channel lets a program notice that we are gone, however we went.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    let tail = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      process.stderr.write(text);
      tail = (tail + text).slice(-STDERR_TAIL_CHARS);
    });
    const ready = new Promise((resolve, reject) => {
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
        const end = text.indexOf("\n");
        if (end >= 0) resolve(JSON.parse(text.slice(0, end)));
      });
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        reject(new StartError(`could not start (${signal ?? `exit code ${code}`})`, tail)),
      );
    });
    return { child, ready, stderr: () => tail };
  }
}
