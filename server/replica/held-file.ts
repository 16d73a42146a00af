/** `held.json` in a data directory: it was restored to an earlier moment, and nothing goes out before an operator says so. */
import fs from "node:fs";
import path from "node:path";

const FILE = "held.json";

/** A state of the history. */
export interface HistoryMoment {
  readonly seq: number;
  /** RFC 3339. */
  readonly atIso: string;
}

/** An invocation that was not over at the restored moment, and whose later steps have run all the same. */
export interface HeldInvocation {
  readonly id: string;
  /** Such as `Cart/add` or `Cart/key/add`. */
  readonly target: string;
  readonly statusThen: string;
  /** Journal entries. */
  readonly entriesThen: number;
  /** `gone`: over, and deleted since. */
  readonly statusLatest: string;
  readonly entriesLatest: number;
}

/** How a state of the past differs from the latest one. */
export interface Comparison {
  /** In the order of their creation; the first of them where there are too many. */
  readonly invocations: readonly HeldInvocation[];
  /** All of them. */
  readonly total: number;
  /** Invocations that began after the restored moment: they are unknown now. */
  readonly unknownCount: number;
}

export interface HeldReport extends Comparison {
  readonly restoredTo: HistoryMoment;
  /** What the report compares with; null: the latest state cannot be had, and the report is empty. */
  readonly latest: HistoryMoment | null;
  /** Why the latest state is not, or not all, of what there was; null: it is. */
  readonly problem: string | null;
}

/** Durable once the directory is synced. */
export function writeHeldFile(directory: string, report: HeldReport): void {
  const fd = fs.openSync(path.join(directory, FILE), "w", 0o600);
  try {
    fs.writeFileSync(fd, `${JSON.stringify(report, null, 1)}\n`);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Null: nothing is held. A file that cannot be read holds all the same. */
export function readHeldFile(directory: string): Readonly<Record<string, unknown>> | null {
  const file = path.join(directory, FILE);
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    const report: unknown = JSON.parse(text);
    if (typeof report === "object" && report !== null) return { ...report };
  } catch {
    // Said below.
  }
  return { problem: `${file} cannot be read` };
}

/** Durable when it returns. */
export function removeHeldFile(directory: string): void {
  fs.rmSync(path.join(directory, FILE), { force: true });
  const folder = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}
