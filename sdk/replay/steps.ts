/** The steps of an attempt, from the command to the recorded result. */
import type { Notification, Start } from "../protocol/messages.ts";
import { MessageType } from "../protocol/message-type.ts";
import { type Leaf, RunLeaf } from "./await-node.ts";
import type { Notifications } from "./notifications.ts";

export class Steps<A> {
  readonly #notifications: Notifications;
  #proposals = 0;
  /** Steps whose action has not been started. */
  #idle = 0;
  /** Steps whose action has been started and whose result the server has not recorded. */
  #busy = 0;

  constructor(notifications: Notifications) {
    this.#notifications = notifications;
  }

  get hasIdle(): boolean {
    return this.#idle > 0;
  }

  get hasBusy(): boolean {
    return this.#busy > 0;
  }

  add(run: RunLeaf<A>): void {
    this.#notifications.expectCompletion(run.completionId, run);
    this.#idle += 1;
  }

  /** Those among the leaves whose action has to be started now. */
  startIdle(leaves: readonly Leaf[]): ReadonlySet<RunLeaf<A>> {
    const started = new Set<RunLeaf<A>>();
    for (const leaf of leaves) {
      if (!isRun<A>(leaf) || leaf.state !== "waiting") continue;
      leaf.state = "executing";
      started.add(leaf);
    }
    this.#idle -= started.size;
    this.#busy += started.size;
    return started;
  }

  areExecuting(leaves: readonly Leaf[]): boolean {
    return leaves.some((leaf) => isRun<A>(leaf) && leaf.state === "executing");
  }

  onProposed(): void {
    this.#proposals += 1;
  }

  /** The server has recorded a result. */
  onCompletion({ id }: Notification): void {
    if (id.kind !== "completion") return;
    const run = this.#proposed(id.completionId);
    if (run !== undefined) this.#record(run);
  }

  /**
   * The completion that an acknowledgement stands for, at this place of the journal; undefined when no proposal was kept
   * for it.
   */
  acknowledged(completionId: number): Notification | undefined {
    const run = this.#proposed(completionId);
    if (run?.proposal === undefined) return undefined;
    this.#record(run);
    return { type: MessageType.RunCompletion, id: run.id, result: run.proposal };
  }

  /**
   * How often and how long earlier attempts have tried this step. The server counts since it last stored a command, so
   * that its figures speak of this step only when nothing was stored after it and before now.
   *
   * @param newCommands written by this attempt
   */
  triedBefore(
    run: RunLeaf<A>,
    start: Start | undefined,
    newCommands: number,
  ): { readonly attempts: number; readonly durationMs: number } {
    const isFirstWork = this.#proposals === 0 && newCommands === (run.isNew ? 1 : 0);
    const attempts = start?.retryCountSinceLastStoredEntry ?? 0;
    if (start === undefined || !isFirstWork || attempts === 0) {
      return { attempts: 0, durationMs: 0 };
    }
    return { attempts, durationMs: start.durationSinceLastStoredEntryMs };
  }

  #proposed(completionId: number): RunLeaf<A> | undefined {
    const leaf = this.#notifications.completionLeaf(completionId);
    return leaf !== undefined && isRun<A>(leaf) && leaf.state === "proposed" ? leaf : undefined;
  }

  #record(run: RunLeaf<A>): void {
    run.state = "recorded";
    this.#busy -= 1;
  }
}

/** All steps of an attempt have actions of one type. */
function isRun<A>(leaf: Leaf): leaf is RunLeaf<A> {
  return leaf instanceof RunLeaf;
}
