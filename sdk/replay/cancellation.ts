/**
 * Cancellation of the invocation (protocol section 8.11): signal 1 is part of every await. Before the current await ends
 * with it, it is passed on to all calls made so far, in call order.
 *
 * It happens once: a second cancel signal cannot be told from the first one delivered twice. So signal 1 leaves the await
 * sets, and what the handler does to clean up is not interrupted.
 */
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type { NotificationId } from "../protocol/messages.ts";
import type { Leaf } from "./await-node.ts";

export class Cancellation {
  /** The invocation ids of calls, in call order; one-way sends are not cancelled. */
  readonly #childIds: Leaf[] = [];
  #passedOn = 0;
  #state: "possible" | "passing-on" | "done" = "possible";

  /** Still to come, if it comes. */
  get isPossible(): boolean {
    return this.#state === "possible";
  }

  /** The signal has come, but not all children know it yet. */
  get isPassingOn(): boolean {
    return this.#state === "passing-on";
  }

  addChild(invocationId: Leaf): void {
    this.#childIds.push(invocationId);
  }

  onNotification(id: NotificationId): void {
    const cancels = id.kind === "signal-index" && id.index === CANCEL_SIGNAL;
    if (cancels && this.#state === "possible") this.#state = "passing-on";
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
    this.#state = "done";
    return true;
  }
}
