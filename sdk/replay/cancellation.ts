/**
 * Cancellation of the invocation (protocol section 8.11): signal 1 is part of every await. Before the current await ends
 * with it, it is passed on to all calls made so far, in call order.
 *
 * A handler that survived it can be cancelled again. But signal 1 leaves the await sets with the first one: servers that hold
 * a suspension against the whole journal would find it there again and again. One that is to reach a handler that was
 * cancelled before is expected to wake it by itself.
 *
 * Explicit cancellation is none of this: each signal is a result like any other, which the handler may await.
 */
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type { NotificationId, NotificationResult } from "../protocol/messages.ts";
import { type Leaf, QueuedLeaf } from "./await-node.ts";

export class Cancellation {
  readonly #isExplicit: boolean;
  /** The invocation ids of calls, in call order; one-way sends are not cancelled. */
  readonly #childIds: Leaf[] = [];
  #passedOn = 0;
  /** Signals that came and have not ended an await yet. */
  #pending = 0;
  #cameBefore = false;
  /** Explicit ones that the handler has not seen. */
  readonly #results: NotificationResult[] = [];
  #next: QueuedLeaf | undefined;

  constructor(isExplicit: boolean) {
    this.#isExplicit = isExplicit;
  }

  /** The signal is part of what is awaited. */
  get isAwaited(): boolean {
    return !this.#isExplicit && !this.#cameBefore;
  }

  /** The signal has come, but not all children know it yet. */
  get isPassingOn(): boolean {
    return this.#pending > 0;
  }

  addChild(invocationId: Leaf): void {
    this.#childIds.push(invocationId);
  }

  onNotification(id: NotificationId): void {
    if (id.kind !== "signal-index" || id.index !== CANCEL_SIGNAL) return;
    if (this.#isExplicit) {
      this.#results.push({ kind: "void" });
      this.#next?.onResult();
      return;
    }
    this.#pending += 1;
    this.#cameBefore = true;
  }

  /**
   * The leaf of the next explicit one: the same until an await has seen it come, so that none is missed. Never decided when
   * they are not explicit.
   */
  next(): Leaf {
    if (this.#next === undefined || this.#next.isDecided) {
      this.#next = new QueuedLeaf({ kind: "signal-index", index: CANCEL_SIGNAL }, this.#results);
    }
    return this.#next;
  }

  /** Explicit: the calls made so far, to be told by the handler itself; each is given out once. */
  takeChildren(): readonly Leaf[] {
    if (!this.#isExplicit) return [];
    const children = this.#childIds.slice(this.#passedOn);
    this.#passedOn = this.#childIds.length;
    return children;
  }

  /** The child whose invocation id is needed next; undefined when there is none left. */
  get nextChild(): Leaf | undefined {
    return this.#childIds[this.#passedOn];
  }

  /** Tells the children whose ids are known; true once all have been told. */
  passOn(tell: (invocationId: string) => void): boolean {
    for (let child = this.nextChild; child !== undefined; child = this.nextChild) {
      const settled = child.poll();
      if (settled === undefined) return false;
      this.#passedOn += 1;
      if (settled.ok && settled.value.kind === "invocation-id") tell(settled.value.invocationId);
    }
    this.#pending -= 1;
    return true;
  }
}
