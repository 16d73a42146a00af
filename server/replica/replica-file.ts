/** `replica.json` in the data directory: `docs/spec/replica.md` section 5. */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fromHex, toHex } from "./names.ts";

const FILE = "replica.json";
const FORMAT = 1;

/** The generation of the write-ahead log that ended, wholly shipped, before the present one began. */
export interface EndedGeneration {
  readonly salt1: number;
  readonly salt2: number;
  readonly frame: number;
}

/** The database file as it was when it was, without a write-ahead log, the state after segment `seq`. */
export interface CleanState {
  readonly seq: number;
  /** Bytes. */
  readonly size: number;
  readonly modifiedMs: number;
}

export interface ReplicaFile {
  /** 16 bytes each. */
  readonly replicaId: Uint8Array;
  readonly writerId: Uint8Array;
  /** Of the newest claim of this directory; 0 before the first. */
  readonly epoch: number;
  /** An accepted segment of this history; the newest is this one or later. */
  readonly shippedSeq: number;
  readonly restart: EndedGeneration | null;
  readonly clean: CleanState | null;
  /** The state is an earlier one on purpose. */
  readonly rolledBack: boolean;
}

/** The file is there and cannot be used. */
export class ReplicaFileError extends Error {
  override readonly name = "ReplicaFileError";
}

/** Null where the directory has never been replicated. Throws `ReplicaFileError`. */
export function readReplicaFile(directory: string): ReplicaFile | null {
  const file = path.join(directory, FILE);
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    return parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ReplicaFileError(
      `${file} cannot be read (${why}): restore the directory from the bucket, or remove that file to begin a replica anew in an empty prefix`,
    );
  }
}

/** Durable when it returns. */
export function writeReplicaFile(directory: string, value: ReplicaFile): void {
  const file = path.join(directory, FILE);
  const text = JSON.stringify({
    format: FORMAT,
    replica: toHex(value.replicaId),
    writer: toHex(value.writerId),
    epoch: value.epoch,
    shipped: value.shippedSeq,
    restart: value.restart,
    clean: value.clean,
    rolledBack: value.rolledBack,
  });
  const next = `${file}.next`;
  const fd = fs.openSync(next, "w", 0o600);
  try {
    fs.writeSync(fd, `${text}\n`);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(next, file);
  syncDirectory(directory);
}

/** Makes the entries of a directory durable. */
export function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** What the database file is like now, to tell later whether anybody has changed it. */
export function cleanState(databaseFile: string, seq: number): CleanState {
  const { size, mtimeMs } = fs.statSync(databaseFile);
  return { seq, size, modifiedMs: Math.trunc(mtimeMs) };
}

/** Nobody has written the database file since it was noted; a write-ahead log beside it has begun behind that state. */
export function isStillClean(databaseFile: string, noted: CleanState): boolean {
  const { size, modifiedMs } = cleanState(databaseFile, noted.seq);
  return size === noted.size && modifiedMs === noted.modifiedMs;
}

/** A new id of a replica or of a data directory. */
export function newId(): Uint8Array {
  return randomBytes(16);
}

function parse(value: unknown): ReplicaFile {
  const { format, replica, writer, epoch, shipped, restart, clean, rolledBack } = object(value);
  if (format !== FORMAT) throw new Error(`format ${String(format)} is not known`);
  return {
    replicaId: id(replica),
    writerId: id(writer),
    epoch: count(epoch),
    shippedSeq: count(shipped),
    restart: restart === null ? null : generation(object(restart)),
    clean: clean === null ? null : state(object(clean)),
    rolledBack: rolledBack === true,
  };
}

const generation = (each: Record<string, unknown>): EndedGeneration => ({
  salt1: count(each["salt1"]),
  salt2: count(each["salt2"]),
  frame: count(each["frame"]),
});

const state = (each: Record<string, unknown>): CleanState => ({
  seq: count(each["seq"]),
  size: count(each["size"]),
  modifiedMs: count(each["modifiedMs"]),
});

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error("an object is missing");
  return { ...value };
}

function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new Error("a number is missing");
  return value;
}

function id(value: unknown): Uint8Array {
  if (typeof value !== "string" || !/^[0-9a-f]{32}$/.test(value))
    throw new Error("an id is missing");
  return fromHex(value);
}
