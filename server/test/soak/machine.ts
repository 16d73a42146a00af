/** A machine with a server on it: its disk, its addresses, and the process. */
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { freePort } from "../harness.ts";
import { TestProcess } from "../process.ts";

export interface MachineOptions {
  /** Where its disk and its log are. */
  readonly folder: string;
  /** The built server. */
  readonly program: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Health {
  readonly status: string;
  readonly replica?: {
    readonly state: string;
    readonly epoch: number;
    readonly unshipped_bytes: number;
    readonly lag_ms: number;
  };
}

/** A start waits while the bucket is away. */
const READY_TIMEOUT_MS = 120_000;
const HEALTH_TIMEOUT_MS = 1000;

export class Machine {
  readonly program: string;
  readonly data: string;
  readonly logFile: string;
  readonly ingress: string;
  readonly admin: string;
  readonly process: TestProcess;

  private constructor(options: MachineOptions, ingress: string, admin: string) {
    const { folder, program, flags, env } = options;
    this.program = program;
    this.data = path.join(folder, "data");
    this.logFile = path.join(folder, "server.log");
    this.ingress = `http://${ingress}`;
    this.admin = `http://${admin}`;
    const addresses = ["--ingress", ingress, "--admin", admin];
    this.process = new TestProcess({
      args: [program, "serve", ...addresses, "--data", this.data, ...flags],
      env,
      logFile: this.logFile,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }

  static async make(options: MachineOptions): Promise<Machine> {
    mkdirSync(options.folder, { recursive: true });
    const [ingress, admin] = [await freePort(), await freePort()];
    return new Machine(options, `127.0.0.1:${ingress}`, `127.0.0.1:${admin}`);
  }

  /** The disk is gone; the log of the server is ours and stays. */
  loseDisk(): void {
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Null where there is no answer. */
  async health(): Promise<Health | null> {
    try {
      const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
      const answer = await fetch(`${this.admin}/health`, { signal });
      return (await answer.json()) as Health;
    } catch {
      return null;
    }
  }
}
