/** What is known of the bucket's health: told by everything that talks to it, said in the log, in `/health` and in the metrics. */
import type { Log } from "../base/log.ts";
import type { BucketError, BucketFailure } from "./bucket-error.ts";

/** While it lasts, trouble is said again this often. */
const REPEAT_MS = 60_000;

export interface Trouble {
  readonly kind: BucketFailure;
  readonly message: string;
  readonly sinceMs: number;
  /** Failures since then. */
  readonly failures: number;
}

export class BucketWatch {
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #failures = new Map<BucketFailure, number>();
  #trouble: Trouble | null = null;
  #saidAtMs = 0;

  constructor(log: Log, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Null: the last thing that was asked of it, it did. */
  get trouble(): Trouble | null {
    return this.#trouble;
  }

  /** By kind, since the start. */
  get failures(): ReadonlyMap<BucketFailure, number> {
    return this.#failures;
  }

  failed({ kind, message }: BucketError): void {
    const nowMs = this.#nowMs();
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
    const { sinceMs = nowMs, failures = 0 } = this.#trouble ?? {};
    this.#trouble = { kind, message, sinceMs, failures: failures + 1 };
    if (failures > 0 && nowMs - this.#saidAtMs < REPEAT_MS) return;
    this.#saidAtMs = nowMs;
    this.#log.warn("bucket-failed", {
      kind,
      message,
      failures: failures + 1,
      forMs: nowMs - sinceMs,
    });
  }

  answered(): void {
    if (this.#trouble === null) return;
    const { sinceMs, failures } = this.#trouble;
    this.#trouble = null;
    this.#log.info("bucket-answers-again", { failures, afterMs: this.#nowMs() - sinceMs });
  }
}
