/** What happened to an invocation between two entries of its journal, as operators see it; pure. */
import type { JournalEvent } from "../machine/event.ts";
import { failureView } from "./failure-view.ts";
import { futureView } from "./future-view.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";
import type { View } from "./view.ts";

/** `id` is the invocation that it happened to. */
export function eventView(id: Uint8Array, event: JournalEvent): View {
  return {
    kind: event.kind,
    at: rfc3339Nanos(event.atMs),
    after_index: event.afterIndex,
    ...detailsOf(id, event),
  };
}

function detailsOf(id: Uint8Array, event: JournalEvent): View {
  switch (event.kind) {
    case "attempt-failed":
      return { failure: failureView(event.failure) };
    case "suspended":
      return { awaiting_on: futureView(id, event.awaiting) };
    case "paused": {
      const { reason, lastFailure } = event;
      return { reason, failure: lastFailure === null ? undefined : failureView(lastFailure) };
    }
    default:
      return { deployment_id: event.deploymentId ?? undefined };
  }
}
