/** Reads a write-ahead log while its database is in use: by a descriptor of its own, which holds none of SQLite's locks. */
import fs from "node:fs";
import type { WalPosition } from "./segment.ts";
import {
  FRAME_BYTES,
  FRAME_HEADER_BYTES,
  FrameCursor,
  frameOffset,
  HEADER_BYTES,
  parseHeader,
  type WalHeader,
} from "./wal.ts";

const CHUNK_FRAMES = 64;

export class WalFile {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens the log of a database for as long as `use` runs; null where there is none. */
  static with<T>(databaseFile: string, use: (wal: WalFile | null) => T): T {
    let fd: number;
    try {
      fd = fs.openSync(`${databaseFile}-wal`, "r");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return use(null);
      throw error;
    }
    try {
      return use(new WalFile(fd));
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Null where there is none that SQLite would accept. */
  header(): WalHeader | null {
    return parseHeader(this.#read(HEADER_BYTES, 0));
  }

  /** Nothing was ever written: as good as no log. */
  isBlank(): boolean {
    return this.#read(HEADER_BYTES, 0).every((byte) => byte === 0);
  }

  /**
   * Where the log is after `frame`, by what stands there, without a look at what is before; null where that ends no transaction of
   * the present generation.
   */
  commitAt(frame: number): { position: WalPosition; databasePages: number } | null {
    const header = this.header();
    const bytes = this.#read(FRAME_HEADER_BYTES, frameOffset(frame));
    if (header === null || bytes.length < FRAME_HEADER_BYTES) return null;
    const view = new DataView(bytes.buffer);
    const [databasePages, salt1, salt2] = [
      view.getUint32(4),
      view.getUint32(8),
      view.getUint32(12),
    ];
    if (databasePages === 0 || salt1 !== header.salt1 || salt2 !== header.salt2) return null;
    const [checksum1, checksum2] = [view.getUint32(16), view.getUint32(20)];
    return { position: { salt1, salt2, frame, checksum1, checksum2 }, databasePages };
  }

  /**
   * Goes through the valid frames behind `from`, up to frame `to` at most, until `visit` returns false. It is given the page's
   * bytes, to be copied. Returns how far it came.
   */
  scan(
    header: WalHeader,
    from: WalPosition,
    to: number,
    visit: (cursor: FrameCursor, page: Uint8Array) => boolean,
  ): WalPosition {
    const cursor = new FrameCursor(header, from);
    const buffer = new ArrayBuffer(
      Math.max(0, Math.min(CHUNK_FRAMES, to - from.frame)) * FRAME_BYTES,
    );
    const bytes = new Uint8Array(buffer);
    for (let frame = from.frame; frame < to;) {
      const wanted = Math.min(CHUNK_FRAMES, to - frame) * FRAME_BYTES;
      const got = readFully(this.#fd, bytes.subarray(0, wanted), frameOffset(frame + 1));
      for (let at = 0; at + FRAME_BYTES <= got; at += FRAME_BYTES) {
        if (!cursor.advance(buffer, at)) return cursor.position;
        frame += 1;
        const page = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_BYTES);
        if (!visit(cursor, page)) return cursor.position;
      }
      if (got < wanted) break;
    }
    return cursor.position;
  }

  /** Reads the page that a frame holds into `page`. */
  page(frame: number, page: Uint8Array): void {
    const got = readFully(this.#fd, page, frameOffset(frame) + FRAME_HEADER_BYTES);
    if (got < page.length) throw new Error(`frame ${frame} of the write-ahead log is gone`);
  }

  #read(size: number, position: number): Uint8Array {
    const bytes = new Uint8Array(size);
    return bytes.slice(0, readFully(this.#fd, bytes, position));
  }
}

/** Fills `into` as far as the file goes; returns the number of bytes. */
export function readFully(fd: number, into: Uint8Array, position: number): number {
  let got = 0;
  while (got < into.length) {
    const read = fs.readSync(fd, into, got, into.length - got, position + got);
    if (read === 0) break;
    got += read;
  }
  return got;
}
