/**
 * Cancellation of the invocation (protocol section 8.11): signal 1 is part of every await. Before the current await ends
 * with it, it is passed on to all calls made so far, in call order.
 *
 * A handler that survived it can be cancelled again. But signal 1 leaves the await sets with the first one: servers that hold
 * a suspension against the whole journal would find it there again and again. One that is to reach a handler that was
 * cancelled before is expected to wake it by itself.
 */
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type { NotificationId } from "../protocol/messages.ts";
import type { Leaf } from "./await-node.ts";

export class Cancellation {
  /** The invocation ids of calls, in call order; one-way sends are not cancelled. */
  readonly #childIds: Leaf[] = [];
  #passedOn = 0;
  /** Signals that came and have not ended an await yet. */
  #pending = 0;
  #cameBefore = false;

  /** The signal is part of what is awaited. */
  get isAwaited(): boolean {
    return !this.#cameBefore;
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
    this.#pending += 1;
    this.#cameBefore = true;
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
