/** Whether a notification is one that a suspended invocation waits for. V5 and V6: any of the listed ids is enough. */
import type { NotificationId, Suspension } from "../../sdk/protocol/messages.ts";

/** Resume when any of these is in the journal. */
export interface AwaitSet {
  readonly completions: readonly number[];
  readonly signals: readonly number[];
  readonly namedSignals: readonly string[];
}

export function awaitSetOf(suspension: Suspension): AwaitSet {
  const { completions, signals, namedSignals } = suspension;
  return { completions, signals, namedSignals };
}

export function awaits(set: AwaitSet, id: NotificationId): boolean {
  switch (id.kind) {
    case "completion":
      return set.completions.includes(id.completionId);
    case "signal-index":
      return set.signals.includes(id.index);
    case "signal-name":
      return set.namedSignals.includes(id.name);
    default:
      return false;
  }
}
