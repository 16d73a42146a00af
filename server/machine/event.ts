/** What happened to an invocation between two entries of its journal: for people, never replayed. */
import type { Future } from "../../sdk/protocol/messages.ts";
import type { AttemptFailure, PauseReason } from "./invocation.ts";

export type JournalEventKind =
  | { readonly kind: "attempt-failed"; readonly failure: AttemptFailure }
  | { readonly kind: "suspended"; readonly awaiting: Future }
  | {
      readonly kind: "paused";
      readonly reason: PauseReason;
      readonly lastFailure: AttemptFailure | null;
    }
  | { readonly kind: "resumed"; readonly deploymentId: string | null };

export type JournalEvent = JournalEventKind & {
  readonly atMs: number;
  /** It happened after this entry was stored. */
  readonly afterIndex: number;
};
