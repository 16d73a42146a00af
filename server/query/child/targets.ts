/** What kinds of services and handlers are registered: entries of a journal name targets without saying what they are. */
import type { Database } from "better-sqlite3";
import type { ManifestService } from "../../../sdk/protocol/manifest.ts";
import type { TargetKind } from "../functions/call-json.ts";
import { parseJson } from "../functions/parse-json.ts";
import { keep } from "./keep.ts";

const DEFAULT_KINDS = {
  SERVICE: "SHARED",
  VIRTUAL_OBJECT: "EXCLUSIVE",
  WORKFLOW: "SHARED",
} as const;

/** By `service/handler`; of several deployments the newest counts. */
export function readTargets(db: Database): ReadonlyMap<string, TargetKind> {
  const services = db.prepare<[], string>(
    "SELECT services FROM main.deployment ORDER BY created_at_ms, id",
  );
  const rows = keep(services).pluck().all();
  const targets = new Map<string, TargetKind>();
  for (const row of rows) {
    for (const { name, ty, handlers } of parseJson<readonly ManifestService[]>(row)) {
      for (const handler of handlers) {
        const kind = { service: ty, handler: handler.ty ?? DEFAULT_KINDS[ty] };
        targets.set(`${name}/${handler.name}`, kind);
      }
    }
  }
  return targets;
}
