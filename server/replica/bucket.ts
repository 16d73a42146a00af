/**
 * Object storage as the replica needs it: a bucket of S3, a directory, or memory; one suite tests them all.
 *
 * K1 `putNew` is atomic: of any number of writers of one key one gets "created", all others "exists", for ever.
 * K2 An object that was put is got whole or not at all, from then on. A list may be behind: nothing is decided by what it lacks.
 * K3 An operation that fails with an error may have happened, or may still: its caller looks before it says it did not.
 */
export interface Bucket {
  /** For people, without secrets: `s3://name/prefix`, `file:///dir`, `memory:`. */
  readonly url: string;
  /** The whole object; null when there is none. For what fits into memory: see `read`. */
  get(key: string): Promise<Uint8Array | null>;
  /** The object in pieces as they arrive; null when there is none. Breaking off the iteration ends the download. */
  read(key: string): Promise<AsyncIterable<Uint8Array> | null>;
  /** Stores the object unless one of this key exists (`If-None-Match: *`). */
  putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists">;
  /** Stores the object, whatever was there. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Stores a file, in parts where it is large; the object appears whole, at the end. `onProgress` is told the bytes sent so far. */
  putFile(key: string, file: string, onProgress?: (bytes: number) => void): Promise<void>;
  /** What begins with `prefix`, in the order of the keys' bytes, behind `after` where that is given. */
  list(prefix: string, after?: string): AsyncIterable<ObjectInfo>;
  /** What is not there is no error. */
  delete(keys: readonly string[]): Promise<void>;
  /** Ends connections; operations under way fail. */
  close(): void;
}

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modifiedAtMs: number;
}
