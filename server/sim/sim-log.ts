/** The write-ahead log of a simulated disk while a process has it open: what the replica asks of a store, and of its threads. */
import fs from "node:fs";
import { packDelta } from "../replica/delta-pages.ts";
import {
  type Cut,
  type CutRequest,
  type Located,
  type Lost,
  NO_LOG,
} from "../replica/pages-of-wal.ts";
import type { WalPosition } from "../replica/segment.ts";
import { SnapshotEncoder } from "../replica/snapshot-codec.ts";
import type { SnapshotRequest, WrittenSnapshot } from "../replica/snapshot-file.ts";
import type { Head, Replication, Source } from "../replica/source.ts";
import { PAGE_BYTES } from "../replica/wal.ts";
import type { Commits } from "./commits.ts";
import type { Life } from "./life.ts";
import { pageOf, pagesFor, pagesOf, type SimDisk } from "./sim-disk.ts";
import type { World } from "./world.ts";

const SYNC_MS_MAX = 4;
const THREAD_MS_MAX = 5;

interface Pinned {
  /** All of the database's. */
  readonly commits: readonly number[];
  readonly position: WalPosition;
}

export class SimLog implements Source {
  readonly databaseFd = -1;
  readonly #world: World;
  readonly #life: Life;
  readonly #disk: SimDisk;
  readonly #commits: Commits;
  readonly #openedAt: number;
  #onCommit: () => void = () => {};
  #replication: Replication | null = null;
  #lastSyncMs = 0;
  /** While it asks whether it may start over, commits are held. */
  #isHeld = false;
  #pinned: Pinned | null = null;

  constructor(world: World, life: Life, disk: SimDisk, commits: Commits) {
    this.#world = world;
    this.#life = life;
    this.#disk = disk;
    this.#commits = commits;
    this.#openedAt = disk.commits.length;
    if (!disk.isEmpty) return;
    fs.writeFileSync(disk.databaseFile, "");
    disk.salt1 = world.below(2 ** 31);
  }

  get file(): string {
    return this.#disk.databaseFile;
  }

  get isDurable(): boolean {
    return this.#disk.durable === this.#disk.commits.length;
  }

  get frames(): number {
    return this.#disk.frames;
  }

  /** Not null while commits have to wait. */
  get commitGate(): Promise<void> | null {
    if (!this.#isHeld) return this.#replication?.commitGate() ?? null;
    return new Promise((resolve) => void this.#life.after(1, resolve));
  }

  commit(number: number): void {
    this.#disk.commits.push(number);
    this.#onCommit();
  }

  head(): Head {
    const { commits, frames, salt1 } = this.#disk;
    return { commits: commits.length - this.#openedAt, frames, salt1 };
  }

  /** Barriers are reported in the order in which they were asked for. */
  barrier(done: (error: Error | null) => void): void {
    const { length } = this.#disk.commits;
    const nowMs = this.#world.nowMs();
    this.#lastSyncMs = Math.max(this.#lastSyncMs, nowMs + this.#world.below(SYNC_MS_MAX));
    this.#life.after(this.#lastSyncMs - nowMs, () => {
      this.#disk.durable = Math.max(this.#disk.durable, length);
      done(null);
    });
  }

  onCommit(fn: () => void): void {
    this.#onCommit = fn;
  }

  /** The first commit guards the log, and changes nothing. */
  replicate(replication: Replication): void {
    this.#replication = replication;
    if (this.#world.chance(0.5)) this.commit(this.#commits.nothing());
  }

  /** The log is long enough: it starts over, when the replica lets it and nobody is in the way. */
  startOver(): void {
    const disk = this.#disk;
    if (this.#isHeld || this.#replication === null || disk.frames === 0) return;
    disk.touch(this.#world.nowMs());
    this.#isHeld = true;
    const { length } = disk.commits;
    this.#replication.mayStartOver((isAllowed) => {
      this.#isHeld = false;
      const isInTheWay = disk.commits.length > length || this.#world.chance(0.1);
      // The process may die between the replica's note and the log.
      if (!isAllowed || isInTheWay || !this.#life.isAlive) return;
      this.#world.trace("the log starts over");
      disk.startOver();
      this.commit(this.#commits.nothing());
    });
  }

  async locate(position: WalPosition): Promise<Located> {
    await this.#works();
    const { frames, salt1, restarts } = this.#disk;
    if (frames === 0 && restarts === 0) return "ended";
    if (position.salt1 !== salt1) return position.salt1 + 1 === salt1 ? "ended" : "other";
    return isEqual(this.#position(position.frame), position) ? "here" : "other";
  }

  async cut(request: CutRequest): Promise<Cut | Lost> {
    await this.#works();
    const { from, toFrame, toSalt1, rawBytesMax } = request;
    const position = from === "start" ? NO_LOG : from;
    const isAtEnd = toFrame === 0 || (position.frame === toFrame && position.salt1 === toSalt1);
    if (isAtEnd) return this.#cut(position, position.frame, position.frame);
    const { salt1, restarts } = this.#disk;
    if (salt1 !== toSalt1) return { lost: "the log started over by itself" };
    const isFirst = isEqual(position, NO_LOG) && restarts === 0;
    const isNext = request.restarted && position.salt1 + 1 === salt1;
    if (!isFirst && !isNext && !isEqual(position, this.#position(position.frame)))
      return { lost: "the log started over before all of it was shipped" };
    const begin = isFirst || isNext ? 0 : position.frame;
    if (begin > toFrame) return { lost: "the log is shorter than what was shipped" };
    const end = Math.min(toFrame, begin + Math.max(1, Math.floor(rawBytesMax / PAGE_BYTES)));
    return this.#cut(this.#position(end), begin, end);
  }

  async pin(): Promise<{ readonly frame: number; readonly salt1: number }> {
    await this.#works();
    const { frames, commits } = this.#disk;
    const position = frames === 0 ? NO_LOG : this.#position(frames);
    this.#pinned = { commits: [...commits], position };
    return position;
  }

  async write({ file, ...head }: SnapshotRequest): Promise<WrittenSnapshot> {
    await this.#works();
    if (this.#pinned === null) throw new Error("no state is pinned");
    const { commits, position } = this.#pinned;
    const databasePages = pagesFor(commits.length);
    const encoder = new SnapshotEncoder({ ...head, databasePages });
    const parts = [encoder.header(), encoder.block(1, pagesOf(commits, 1))];
    const { bytes, hash } = encoder.end();
    const whole = Buffer.concat([...parts, bytes]);
    fs.writeFileSync(file, whole);
    return { hash, size: whole.length, databasePages, position };
  }

  async release(): Promise<void> {
    await this.#works();
    this.#pinned = null;
  }

  async close(): Promise<void> {
    await this.#works();
  }

  /** A thread takes its time. */
  #works(): Promise<void> {
    return new Promise((resolve) => {
      this.#life.after(this.#world.below(THREAD_MS_MAX), resolve);
    });
  }

  #cut(position: WalPosition, begin: number, end: number): Cut {
    const { commits, logFrom } = this.#disk;
    const cutCommits = commits.slice(0, logFrom + end);
    const databasePages = begin === end ? 0 : pagesFor(cutCommits.length);
    const first = pageOf(logFrom + begin);
    const pageCount = Math.max(0, databasePages - first + 1);
    const numbers = Array.from({ length: pageCount }, (_, index) => first + index);
    const pages = pageCount === 0 ? new Uint8Array(0) : pagesOf(cutCommits, first);
    const packed = packDelta({ blobs: [], numbers, pages });
    return { position, databasePages, pageCount, blobCount: 0, frames: end - begin, ...packed };
  }

  /** The checksum is that of all commits, so that no two logs are taken for one another. */
  #position(frame: number): WalPosition {
    const { commits, logFrom, salt1 } = this.#disk;
    let checksum1 = 1;
    for (const commit of commits.slice(0, logFrom + frame))
      checksum1 = (Math.imul(checksum1, 31) + commit) >>> 0;
    return { salt1, salt2: 1, frame, checksum1, checksum2: 0 };
  }
}

function isEqual(one: WalPosition, other: WalPosition): boolean {
  return (
    one.salt1 === other.salt1 && one.frame === other.frame && one.checksum1 === other.checksum1
  );
}
