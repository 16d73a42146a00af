/** Compares a database image with pages as they come, without holding either in memory. */
import fs from "node:fs";
import { PAGE_BYTES } from "./wal.ts";
import { readFully } from "./wal-file.ts";

/** So many are named. */
const NAMED_MAX = 5;

export class ImageDiff {
  readonly #fd: number;
  readonly #pages: number;
  readonly #different: number[] = [];
  #differentCount = 0;
  #seen = 0;

  /** `file` is not open for writing meanwhile. */
  constructor(file: string) {
    this.#fd = fs.openSync(file, "r");
    this.#pages = fs.fstatSync(this.#fd).size / PAGE_BYTES;
  }

  /** Runs of pages in order, from the first. */
  compare(firstPage: number, pages: Uint8Array): void {
    const own = Buffer.alloc(pages.length);
    readFully(this.#fd, own, (firstPage - 1) * PAGE_BYTES);
    this.#seen = firstPage - 1 + pages.length / PAGE_BYTES;
    if (own.equals(pages)) return;
    for (let at = 0; at < pages.length; at += PAGE_BYTES) {
      const isSame = own.subarray(at, at + PAGE_BYTES).equals(pages.subarray(at, at + PAGE_BYTES));
      if (!isSame) this.#note(firstPage + at / PAGE_BYTES);
    }
  }

  /** What differs, in words; null: nothing. */
  close(): string | null {
    fs.closeSync(this.#fd);
    if (this.#seen !== this.#pages)
      return `it has ${this.#seen} pages where the segments lead to ${this.#pages}`;
    if (this.#differentCount === 0) return null;
    const more = this.#differentCount > NAMED_MAX ? ", …" : "";
    return `${this.#differentCount} pages are not what the segments lead to: ${this.#different.join(", ")}${more}`;
  }

  #note(page: number): void {
    this.#differentCount += 1;
    if (this.#different.length < NAMED_MAX) this.#different.push(page);
  }
}
