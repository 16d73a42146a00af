/** Routes on work that is held: the state is one of the past, restored, and an operator says when its work goes out. */
import { AdminError, jsonAnswer } from "./admin-error.ts";
import type { Route } from "./routes.ts";

export interface HeldWork {
  /** What ran after the restored state; null: nothing is held. */
  report(): Readonly<Record<string, unknown>> | null;
  /** Lets it go, durably. Throws where the disk says no; this process then holds on. */
  release(): void;
}

export const NOTHING_HELD: HeldWork = { report: () => null, release: () => {} };

export function heldRoutes(held: HeldWork): Route[] {
  return [
    {
      method: "GET",
      path: "/held",
      handle: () => {
        const report = held.report();
        return jsonAnswer(200, report === null ? { held: false } : { held: true, ...report });
      },
    },
    {
      method: "POST",
      path: "/held/release",
      handle: () => {
        if (held.report() === null) return jsonAnswer(200, { released: false });
        try {
          held.release();
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          throw new AdminError(
            500,
            `the release could not be made durable, so work stays held: ${why}`,
          );
        }
        return jsonAnswer(200, { released: true });
      },
    },
  ];
}
