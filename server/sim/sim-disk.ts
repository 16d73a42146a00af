/**
 * The disk of one machine, as the replica sees it. The database is a list of numbers, one for each commit, a few to a page, so that what is
 * restored tells which commits it holds. Files are only what the replica itself needs: `replica.json`, and a database whose size and time
 * tell whether it was written.
 */
import fs from "node:fs";
import path from "node:path";
import { DATABASE_FILE } from "../replica/restore-folder.ts";
import { PAGE_BYTES } from "../replica/wal.ts";

const COMMITS_PER_PAGE = 16;

/** What outlives the processes of a machine. */
export class SimDisk {
  readonly directory: string;
  readonly databaseFile: string;
  /** The commits, in order. */
  readonly commits: number[] = [];
  /** So many of them survive a loss of power. */
  durable = 0;
  /** Those from here on are frames of the log, one each. */
  logFrom = 0;
  salt1 = 0;
  /** How often the log has started over since it was made. */
  restarts = 0;
  #logFromBefore = 0;

  constructor(directory: string) {
    this.directory = directory;
    this.databaseFile = path.join(directory, DATABASE_FILE);
    fs.mkdirSync(directory, { recursive: true });
  }

  get isEmpty(): boolean {
    return !fs.existsSync(this.databaseFile);
  }

  get frames(): number {
    return this.commits.length - this.logFrom;
  }

  /** The power goes: the commits from here on are lost. Is nothing left of the log since it started over, it is the one before. */
  cutOff(survived: number): void {
    this.commits.length = survived;
    this.durable = survived;
    if (this.restarts === 0 || survived > this.logFrom) return;
    this.restarts -= 1;
    this.salt1 -= 1;
    this.logFrom = this.#logFromBefore;
  }

  /** What a restore has left in the database file. */
  load(salt1: number): void {
    this.commits.splice(0, this.commits.length, ...commitsOf(fs.readFileSync(this.databaseFile)));
    this.durable = this.commits.length;
    this.#beginLog(salt1);
  }

  /** All commits are in the database file; the log is gone. */
  closeLog(nowMs: number, salt1: number): void {
    this.durable = this.commits.length;
    this.#beginLog(salt1);
    this.touch(nowMs);
  }

  /** All commits are in the database file; the next ones begin the log anew. */
  startOver(): void {
    this.durable = this.commits.length;
    this.#logFromBefore = this.logFrom;
    this.logFrom = this.commits.length;
    this.salt1 += 1;
    this.restarts += 1;
  }

  /** The database file is written. */
  touch(nowMs: number): void {
    fs.utimesSync(this.databaseFile, nowMs / 1000, nowMs / 1000);
  }

  #beginLog(salt1: number): void {
    this.logFrom = this.commits.length;
    this.salt1 = salt1;
    this.restarts = 0;
  }
}

/** The commits that a database holds. */
export function commitsOf(database: Uint8Array): number[] {
  const view = new DataView(database.buffer, database.byteOffset, database.byteLength);
  const commits: number[] = [];
  for (let page = 0; page * PAGE_BYTES < database.byteLength; page += 1) {
    for (let index = 0; index < COMMITS_PER_PAGE; index += 1) {
      const commit = view.getUint32(page * PAGE_BYTES + index * 4);
      if (commit > 0) commits.push(commit);
    }
  }
  return commits;
}

export const pageOf = (index: number): number => Math.floor(index / COMMITS_PER_PAGE) + 1;

/** A database is never without a page. */
export const pagesFor = (commits: number): number => pageOf(Math.max(0, commits - 1));

/** The pages from `first` to the last one of a database of these commits. */
export function pagesOf(commits: readonly number[], first: number): Uint8Array {
  const pages = new Uint8Array((pagesFor(commits.length) - first + 1) * PAGE_BYTES);
  const view = new DataView(pages.buffer);
  for (let index = (first - 1) * COMMITS_PER_PAGE; index < commits.length; index += 1) {
    const at = (pageOf(index) - first) * PAGE_BYTES + (index % COMMITS_PER_PAGE) * 4;
    view.setUint32(at, commits[index] ?? 0);
  }
  return pages;
}
