/** `held.json` in a data directory: it was restored to an earlier moment, and nothing goes out before an operator says so. */
import fs from "node:fs";
import path from "node:path";
import { syncDirectory } from "./replica-file.ts";

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

/** What `held.json` holds, and `GET /held` answers with. */
export type HeldDocument = Readonly<Record<string, unknown>>;

/** Durable once the directory is synced. */
export function writeHeldFile(directory: string, report: HeldReport): void {
  const fd = fs.openSync(path.join(directory, FILE), "w", 0o600);
  try {
    fs.writeFileSync(fd, `${JSON.stringify(documentOf(report), null, 1)}\n`);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Null: nothing is held. A file that cannot be read holds all the same. */
export function readHeldFile(directory: string): HeldDocument | null {
  const file = path.join(directory, FILE);
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    const document: unknown = JSON.parse(text);
    const report = reportOf(document);
    if (report !== null) return documentOf(report);
  } catch {
    // Said below.
  }
  return { problem: `${file} cannot be read` };
}

/** Durable when it returns. */
export function removeHeldFile(directory: string): void {
  fs.rmSync(path.join(directory, FILE), { force: true });
  syncDirectory(directory);
}

function documentOf({ restoredTo, latest, problem, ...compared }: HeldReport): HeldDocument {
  return {
    restored_to: momentDocument(restoredTo),
    latest: latest === null ? null : momentDocument(latest),
    problem,
    total: compared.total,
    unknown_count: compared.unknownCount,
    invocations: compared.invocations.map((each) => ({
      id: each.id,
      target: each.target,
      status_then: each.statusThen,
      entries_then: each.entriesThen,
      status_latest: each.statusLatest,
      entries_latest: each.entriesLatest,
    })),
  };
}

function momentDocument({ seq, atIso }: HistoryMoment): HeldDocument {
  return { segment: seq, at: atIso };
}

/** Null where it is not what `writeHeldFile` writes. */
export function reportOf(document: unknown): HeldReport | null {
  try {
    const { restored_to: to, latest, problem, invocations, ...counts } = objectOf(document);
    if (!Array.isArray(invocations)) return null;
    return {
      restoredTo: momentOf(to),
      latest: latest === null ? null : momentOf(latest),
      problem: problem === null ? null : textOf(problem),
      total: countOf(counts["total"]),
      unknownCount: countOf(counts["unknown_count"]),
      invocations: invocations.map(invocationOf),
    };
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function momentOf(value: unknown): HistoryMoment {
  const { segment, at } = objectOf(value);
  return { seq: countOf(segment), atIso: textOf(at) };
}

function invocationOf(value: unknown): HeldInvocation {
  const each = objectOf(value);
  return {
    id: textOf(each["id"]),
    target: textOf(each["target"]),
    statusThen: textOf(each["status_then"]),
    entriesThen: countOf(each["entries_then"]),
    statusLatest: textOf(each["status_latest"]),
    entriesLatest: countOf(each["entries_latest"]),
  };
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new TypeError("an object is missing");
  return { ...value };
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a text is missing");
  return value;
}

function countOf(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("a number is missing");
  return value;
}
