/** The built program as a command that runs once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface CommandResult {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly result: Promise<CommandResult>;
}

const TIMEOUT_MS = 60_000;

export function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningCommand {
  const child = spawn(process.execPath, ["dist/holdfast.mjs", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const result = once(child, "close").then(() => {
    process.off("exit", end);
    return { code: child.exitCode, out, errors };
  });
  return { child, result };
}

export async function command(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return await startCommand(args, env).result;
}
