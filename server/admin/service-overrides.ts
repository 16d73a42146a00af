/** What operators set over the options of a service: read from `PATCH /services/{service}`, and shown (HTTP API 2.3); pure. */
import type { ManifestService } from "../../sdk/protocol/manifest.ts";
import { formatDurationMs } from "../base/duration.ts";
import type { ServiceOverrides } from "../machine/registry.ts";
import { AdminError } from "./admin-error.ts";
import { durationMs, type Fields, invalid, requireKnown } from "./json-body.ts";
import type { View } from "./view.ts";

/** Stands in a request for what the code or the server says: takes back what was set. */
const UNSET = "default";

const DURATIONS = [
  ["idempotency_retention", "idempotencyRetention"],
  ["workflow_completion_retention", "workflowCompletionRetention"],
  ["journal_retention", "journalRetention"],
  ["inactivity_timeout", "inactivityTimeout"],
  ["abort_timeout", "abortTimeout"],
] as const;

const FIELDS: ReadonlySet<string> = new Set(["public", ...DURATIONS.map(([name]) => name)]);

/** Null and absent fields change nothing. */
export function changedOverrides(
  service: ManifestService,
  before: ServiceOverrides,
  fields: Fields,
): ServiceOverrides {
  requireKnown(fields, FIELDS);
  const next: { -readonly [K in keyof ServiceOverrides]: ServiceOverrides[K] } = { ...before };
  for (const [name, option] of DURATIONS) {
    const value = fields[name] ?? null;
    if (value === null) continue;
    if (name === "workflow_completion_retention" && service.ty !== "WORKFLOW") {
      throw new AdminError(
        400,
        `${name} has a meaning for workflows only, and ${service.name} is none`,
      );
    }
    if (value === UNSET) delete next[option];
    else next[option] = durationMs(value, name);
  }
  const isPublic = fields["public"] ?? null;
  if (isPublic === UNSET) delete next.ingressPrivate;
  else if (typeof isPublic === "boolean") next.ingressPrivate = !isPublic;
  else if (isPublic !== null) throw invalid(`public must be true, false or "${UNSET}"`);
  return next;
}

/** Undefined where nothing is set. */
export function overridesView(overrides: ServiceOverrides | undefined): View | undefined {
  if (overrides === undefined) return undefined;
  const view: View = {};
  if (overrides.ingressPrivate !== undefined) view["public"] = !overrides.ingressPrivate;
  for (const [name, option] of DURATIONS) {
    const ms = overrides[option];
    if (ms !== undefined) view[name] = formatDurationMs(ms);
  }
  return Object.keys(view).length === 0 ? undefined : view;
}
