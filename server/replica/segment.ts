/** A segment of the replica as a value, and as bytes: `docs/spec/replica.md` section 3. */

/** Frames of the write-ahead log up to and including `frame`, in the generation of these salts. */
export interface WalPosition {
  readonly salt1: number;
  readonly salt2: number;
  /** 0: the generation's beginning. */
  readonly frame: number;
  /** The running checksum after that frame (after the header for frame 0). */
  readonly checksum1: number;
  readonly checksum2: number;
}

/** A large payload that lies beside the database. */
export interface BlobRef {
  /** SHA-256 of the payload: 32 bytes. */
  readonly hash: Uint8Array;
  /** 8 bytes; another each time the payload is stored anew, so that a late delete meets nothing that is needed. */
  readonly id: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

/** What every segment says. */
export interface SegmentHead {
  /** 16 bytes each. */
  readonly replicaId: Uint8Array;
  readonly writerId: Uint8Array;
  readonly epoch: number;
  readonly seq: number;
  /** Hash of the segment before: its last 32 bytes. 32 zeros in the first segment of all. */
  readonly previousHash: Uint8Array;
  readonly timeMs: number;
  /** The machine that wrote it, for people; at most 48 bytes of UTF-8. */
  readonly host: string;
}

/** A server makes itself the writer. The state stays as it is. */
export interface Claim {
  readonly kind: "claim";
}

/** The pages that changed since the segment before, as they are after `position`. */
export interface Delta {
  readonly kind: "delta";
  /** Pages of the database after it. */
  readonly databasePages: number;
  readonly position: WalPosition;
  /** Number of pages in the body. */
  readonly pageCount: number;
  /** Payloads that were stored since the segment before. */
  readonly blobCount: number;
  /** Bytes of the body before compression. */
  readonly rawSize: number;
  /** As it is stored: compressed. */
  readonly body: Uint8Array;
}

/** The state does not follow from the segment before: it is the snapshot of this segment's number and epoch. */
export interface Base {
  readonly kind: "base";
  readonly databasePages: number;
  readonly position: WalPosition;
  /** Hash of the snapshot: its last 32 bytes. */
  readonly snapshotHash: Uint8Array;
  /** Bytes of the snapshot. */
  readonly snapshotSize: number;
}

export type SegmentContent = Claim | Delta | Base;

export interface Segment {
  readonly head: SegmentHead;
  readonly content: SegmentContent;
  /** SHA-256 of everything before it; what the next segment names as `previousHash`. */
  readonly hash: Uint8Array;
}

/** The content of a delta's body. */
export interface DeltaPages {
  readonly blobs: readonly BlobRef[];
  /** Rising; from 1. */
  readonly numbers: readonly number[];
  /** `numbers.length` pages of 4096 bytes, in the same order. */
  readonly pages: Uint8Array;
}
