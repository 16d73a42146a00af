/** A data directory bound to its replica: the result of a claim, and where shipping begins. */
import type { WalPosition } from "./segment.ts";

/** Who writes. */
export interface WriterIdentity {
  /** 16 bytes each. */
  readonly replicaId: Uint8Array;
  readonly writerId: Uint8Array;
  readonly epoch: number;
  /** The machine, for people. */
  readonly host: string;
}

export interface HistoryEnd {
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly timeMs: number;
}

export interface Attachment {
  readonly identity: WriterIdentity;
  /** The number of the next segment; hash and time of the one before: the claim. */
  readonly end: HistoryEnd;
  /** Where in this directory's log the history's state is; "start": before its first frame; "base": nowhere. */
  readonly start: WalPosition | "start" | "base";
}
