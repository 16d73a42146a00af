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

async function tailFor(options: AttachOptions, file: ReplicaFile | null): Promise<Tail> {
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
    throw new AttachError(
      "not-replicated",
      `${bucket.url} holds the replica of another directory: to go on from it, start with an empty --data; ` +
        `to replicate ${directory}, give it a prefix of its own`,
    );
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

async function tailBehind(options: AttachOptions, file: ReplicaFile): Promise<Tail> {
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
  return { last, state };
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

function movedOn({ bucket, directory }: AttachOptions, why: string): AttachError {
  return new AttachError(
    "moved-on",
    `the history in ${bucket.url} has moved on without ${directory}: ${why}. Move the directory away and start with an ` +
      "empty one to go on from the bucket; or, to make this directory the newest state and give up what came after it, " +
      "start once with --roll-back",
  );
}

function rolledBack({ directory }: AttachOptions): AttachError {
  return new AttachError(
    "moved-on",
    `${directory} was restored to an earlier moment: to make that the newest state of the replica, start once with ` +
      "--roll-back; to only look at it, give --bucket another prefix or leave it out",
  );
}
