/** What the machine and those around it say to each other. */
import type { ErrorBehavior, Message } from "../protocol/messages.ts";
import type { Leaf, RunLeaf } from "./await-node.ts";
import type { TreeNode } from "./await-tree.ts";

export interface MachineOptions {
  /** What is to become of an invocation whose handler does not follow the journal; from V7. Default: tried again. */
  readonly onMismatch?: ErrorBehavior;
  /** A cancellation is a result that the handler awaits by itself, and does nothing else. Default false. */
  readonly explicitCancellation?: boolean;
}

/** Where the machine writes. */
export interface Outbox {
  /** @param ackRequested the peer need not repeat what it has been given */
  emit(message: Message, ackRequested: boolean): void;
}

/** What the handler awaits now. */
export interface Awaiting {
  /** Rises each time the handler awaits something else. */
  readonly generation: number;
  /** True once what is known decides it. */
  poll(): boolean;
  collect(leaves: Leaf[]): void;
  /** Adds what is undecided to the node; any of it ends the wait. */
  describe(node: TreeNode, depth: number): void;
}

export type Progress<A> =
  /** What was awaited is decided. */
  | { readonly kind: "settled" }
  /** The invocation was cancelled: every current await ends. */
  | { readonly kind: "cancelled" }
  /** These steps are needed; execute them, propose their results, and ask again. */
  | { readonly kind: "execute"; readonly runs: readonly RunLeaf<A>[] }
  /** For the server, or for a step that is being executed. */
  | { readonly kind: "waiting" }
  | { readonly kind: "closed" };
