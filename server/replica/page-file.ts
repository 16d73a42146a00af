/** A database image that is being written: by a restore or a standby, while no SQLite has it open. */
import fs from "node:fs";
import { assert } from "../base/assert.ts";
import { unpackDelta } from "./delta-pages.ts";
import type { BlobRef, Delta } from "./segment.ts";
import { PAGE_BYTES } from "./wal.ts";

/** Only the owner may read it: payloads are in it. */
const FILE_MODE = 0o600;

export class PageFile {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Made where it is missing; what it holds stays. */
  static open(file: string): PageFile {
    return new PageFile(fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, FILE_MODE));
  }

  /** Whole pages, from this number on. */
  write(firstPage: number, pages: Uint8Array): void {
    assert(firstPage >= 1 && pages.length % PAGE_BYTES === 0, "pages are whole and count from 1");
    const at = (firstPage - 1) * PAGE_BYTES;
    let written = 0;
    while (written < pages.length) {
      written += fs.writeSync(this.#fd, pages, written, pages.length - written, at + written);
    }
  }

  /** Brings the image from the state before the delta to the one after. Returns the payloads that came with it. */
  applyDelta(delta: Delta): readonly BlobRef[] {
    const { blobs, numbers, pages } = unpackDelta(delta);
    let begin = 0;
    for (let index = 1; index <= numbers.length; index += 1) {
      const first = numbers[begin] ?? 0;
      if (numbers[index] === first + index - begin) continue;
      this.write(first, pages.subarray(begin * PAGE_BYTES, index * PAGE_BYTES));
      begin = index;
    }
    // Whatever changes the number of pages changes page 1; a delta without pages may not know the number.
    if (delta.pageCount > 0) this.truncate(delta.databasePages);
    return blobs;
  }

  /** To exactly so many pages: what is missing becomes zeros. */
  truncate(pages: number): void {
    fs.ftruncateSync(this.#fd, pages * PAGE_BYTES);
  }

  sync(): void {
    fs.fsyncSync(this.#fd);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
