/**
 * Binds a data directory to its replica at start: finds out whether the history goes on from this directory, claims it, and tells
 * where shipping begins. Whatever does not fit is refused with what to do.
 */
import fs from "node:fs";
import type { Attachment } from "./attachment.ts";
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { follow, linkOf, readSegment } from "./chain.ts";
import { claim } from "./claim.ts";
import { sameBytes } from "./format.ts";
import { segmentKey, SEGMENTS, seqOfKey } from "./names.ts";
import {
  isStillClean,
  newId,
  readReplicaFile,
  type ReplicaFile,
  writeReplicaFile,
} from "./replica-file.ts";
import type { Segment, WalPosition } from "./segment.ts";
import { nextSeq } from "./segment-codec.ts";
import { isSameGeneration } from "./wal.ts";
import type { WalThread } from "./wal-thread.ts";
import { firstBehindWindow } from "./whole-history.ts";

/**
 * - moved-on: another server has written to the history since
 * - other-replica: the directory belongs to another one
 * - not-replicated: the directory was never part of the replica that is there
 * - history-missing: the directory has a replica, and the bucket holds none
 */
type AttachRefusal = "moved-on" | "other-replica" | "not-replicated" | "history-missing";

/** The directory and the bucket do not fit. The message says what to do. */
export class AttachError extends Error {
  override readonly name = "AttachError";
  readonly code: AttachRefusal;

  constructor(code: AttachRefusal, message: string) {
    super(message);
    this.code = code;
  }
}

export interface AttachOptions {
  readonly bucket: Bucket;
  readonly directory: string;
  readonly databaseFile: string;
  readonly host: string;
  /** Make this directory the newest state, whatever came after it. */
  readonly rollBack: boolean;
  readonly nowMs: () => number;
  /** Between two tries of what failed and may pass. */
  readonly pause: Pause;
}

/** The history as far as this directory may follow it. */
interface Tail {
  /** The last segment; null: there is no history. */
  readonly last: Segment | null;
  /** The last one with a state. */
  readonly state: Segment | null;
}

/** Claims the history for this directory. `locate` asks the log of the opened database. Throws `AttachError`. */
export async function attach(
  options: AttachOptions,
  locate: WalThread["locate"],
): Promise<Attachment> {
  const { bucket, directory, host, nowMs, rollBack } = options;
  for (;;) {
    const file = readReplicaFile(directory);
    const tail = await tailFor(options, file);
    const writerId = file?.writerId ?? newId();
    const replicaId = tail.last?.head.replicaId ?? newId();
    const identity = { replicaId, writerId, host };
    const request = { tail: tail.last, identity, nowMs: nowMs() };
    const claimed = await patiently(() => claim(bucket, request), options.pause);
    // Somebody else was first, or this process slept: look again, and refuse if it comes to that.
    if (claimed.kind !== "claimed") continue;
    const { segment } = claimed;
    const { epoch, seq } = segment.head;
    const shippedSeq = tail.state?.head.seq ?? seq;
    const start = rollBack ? "base" : await startOf(options, file, tail.state, locate);
    const { restart = null, clean = null } = file ?? {};
    writeReplicaFile(directory, {
      replicaId,
      writerId,
      epoch,
      shippedSeq,
      restart,
      clean,
      // With the claim it is done: what follows is a base.
      rolledBack: false,
    });
    return {
      identity: { ...identity, epoch },
      end: { seq: nextSeq(segment), hash: segment.hash, timeMs: segment.head.timeMs },
      start,
    };
  }
}

/** Whether another server has written the history since this directory did. Throws `AttachError` where the two never fitted. */
export async function hasMovedOn(
  options: Pick<AttachOptions, "bucket" | "directory">,
): Promise<boolean> {
  const file = readReplicaFile(options.directory);
  try {
    const { last } = await tailFor({ ...options, rollBack: false }, file);
    // Whoever claimed it may be about to store a state: only a start that is told to may go on from there.
    if (file === null && last !== null) throw notReplicated(options);
    return false;
  } catch (error) {
    const isOlder = error instanceof AttachError && error.code === "moved-on";
    // A state of the past is there on purpose.
    if (isOlder && file?.rolledBack === false) return true;
    throw error;
  }
}

type Pause = (error: BucketError) => Promise<void>;

/** Again and again, while it fails in a way that passes. */
export async function patiently<T>(run: () => Promise<T>, pause: Pause): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof BucketError) || !error.isTransient) throw error;
      await pause(error);
    }
  }
}

type TailOptions = Pick<AttachOptions, "bucket" | "directory" | "rollBack">;

async function tailFor(options: TailOptions, file: ReplicaFile | null): Promise<Tail> {
  const { bucket, directory } = options;
  const first = await readSegment(bucket, 1);
  if (first === null) {
    if (file === null || file.rolledBack) return { last: null, state: null };
    throw new AttachError(
      "history-missing",
      `${directory} belongs to a replica, and ${bucket.url} holds none: is the prefix right? ` +
        `To begin a new replica there, remove ${directory}/replica.json`,
    );
  }
  if (file === null) {
    const last = await lastOfClaimsAlone(bucket, first);
    if (last !== null) return { last, state: null };
    throw notReplicated(options);
  }
  if (!sameBytes(file.replicaId, first.head.replicaId)) {
    throw new AttachError(
      "other-replica",
      `${directory} belongs to another replica than the one in ${bucket.url}: give the bucket it was started with, ` +
        `or an empty --data to go on from ${bucket.url}`,
    );
  }
  if (file.rolledBack && !options.rollBack) throw rolledBack(options);
  return await tailBehind(options, file);
}

/** Not null where servers made themselves the writer and none has come to store a state: anybody may go on from that. */
async function lastOfClaimsAlone(bucket: Bucket, first: Segment): Promise<Segment | null> {
  let last = first;
  for await (const segment of follow(bucket, linkOf(first))) {
    if (segment.content.kind !== "claim") return null;
    last = segment;
  }
  // Retention may have deleted what follows, but never all of it.
  for await (const { key } of bucket.list(SEGMENTS, segmentKey(nextSeq(last) - 1))) {
    if (seqOfKey(key) !== null) return null;
  }
  return last;
}

async function tailBehind(options: TailOptions, file: ReplicaFile): Promise<Tail> {
  const { bucket, rollBack } = options;
  let last = await readSegment(bucket, file.shippedSeq);
  if (last === null) throw movedOn(options, "its last segment is deleted there already");
  let state = last.content.kind === "claim" ? null : last;
  for await (const segment of follow(bucket, linkOf(last))) {
    const { epoch, writerId, host, timeMs } = segment.head;
    const isOwn = sameBytes(writerId, file.writerId);
    const isOurs = segment.content.kind === "claim" ? isOwn : epoch <= file.epoch;
    if (!isOurs && !rollBack) {
      const at = new Date(timeMs).toISOString();
      throw movedOn(
        options,
        `${host} has written it since ${at} (epoch ${epoch}, segment ${segment.head.seq})`,
      );
    }
    last = segment;
    if (segment.content.kind !== "claim") state = segment;
  }
  if (await isCutOff(bucket, last))
    throw movedOn(options, "what comes after its last segment is deleted there already");
  return { last, state };
}

/** This is not the end: retention has deleted what follows, and left a claim. */
async function isCutOff(bucket: Bucket, last: Segment): Promise<boolean> {
  const next = nextSeq(last);
  if ((await firstBehindWindow(bucket, next)) === null) return false;
  // It may have been stored since it was asked for.
  return (await readSegment(bucket, next)) === null;
}

/** Where the history's state is in the log of this directory. */
async function startOf(
  { databaseFile }: AttachOptions,
  file: ReplicaFile | null,
  state: Segment | null,
  locate: WalThread["locate"],
): Promise<WalPosition | "start" | "base"> {
  if (file === null) return "base";
  const { clean, restart } = file;
  const isNewest = clean !== null && clean.seq >= (state?.head.seq ?? 0);
  if (isNewest && isUnchanged(databaseFile, file)) return "start";
  if (state === null || state.content.kind === "claim") return "base";
  const { position } = state.content;
  const found = await locate(position);
  if (found === "here") return position;
  const isEnd =
    restart !== null && isSameGeneration(restart, position) && restart.frame === position.frame;
  return found === "ended" && isEnd ? position : "base";
}

/** The log, if there is one, has begun since the database file was noted, and none of it is in that file. */
function isUnchanged(databaseFile: string, { clean }: ReplicaFile): boolean {
  return clean !== null && fs.existsSync(databaseFile) && isStillClean(databaseFile, clean);
}

function notReplicated({
  bucket,
  directory,
}: Pick<AttachOptions, "bucket" | "directory">): AttachError {
  return new AttachError(
    "not-replicated",
    `${bucket.url} holds the replica of another directory: to go on from it, start with an empty --data; ` +
      `to replicate ${directory}, give it a prefix of its own`,
  );
}

function movedOn({ bucket, directory }: TailOptions, why: string): AttachError {
  return new AttachError(
    "moved-on",
    `the history in ${bucket.url} has moved on without ${directory}: ${why}. Move the directory away and start with an ` +
      "empty one to go on from the bucket; or, to make this directory the newest state and give up what came after it, " +
      "start once with --roll-back",
  );
}

function rolledBack({ directory }: TailOptions): AttachError {
  return new AttachError(
    "moved-on",
    `${directory} was restored to an earlier moment: to make that the newest state of the replica, start once with ` +
      "--roll-back; to only look at it, give --bucket another prefix or leave it out",
  );
}
