/** Counts what is read from the bucket, for people who wait. */

export interface ReadSoFar {
  /** Read from the bucket. */
  readonly bytes: number;
  /** Null while it is not known what is to come; grows when it turns out to be more. */
  readonly totalBytes: number | null;
  /** What is being read, such as `segments`. */
  readonly what: string;
}

export class Meter {
  readonly #tell: (soFar: ReadSoFar) => void;
  #bytes = 0;
  #totalBytes: number | null = null;

  constructor(tell: (soFar: ReadSoFar) => void = () => {}) {
    this.#tell = tell;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So many bytes more are to be read. */
  expect(bytes: number): void {
    this.#totalBytes = (this.#totalBytes ?? 0) + bytes;
  }

  read(bytes: number, what: string): void {
    this.#bytes += bytes;
    this.#tell({ bytes: this.#bytes, totalBytes: this.#totalBytes, what });
  }

  async *counted(chunks: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.read(chunk.length, what);
      yield chunk;
    }
  }
}
