import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Pin } from "../machine/invocation.ts";
import type { Deployment } from "../machine/registry.ts";
import { type Plan, planAttempt, type PlanDefaults } from "./attempt-plan.ts";
import { deployment, FakeDoor } from "./fixtures.suite.ts";

const DEFAULTS: PlanDefaults = {
  inactivityTimeoutMs: 60_000,
  abortTimeoutMs: 600_000,
  protocolVersionMax: 6,
};

function planned(
  over: Partial<Deployment>,
  defaults: Partial<PlanDefaults>,
  pin: Pin | null,
): Plan {
  const door = new FakeDoor();
  door.register(deployment(over));
  door.add(1, { pin });
  return door.read((reader) =>
    planAttempt(reader, { seq: 1, epoch: 0 }, { ...DEFAULTS, ...defaults }),
  );
}

describe("an attempt is planned", () => {
  const cases: [string, number | string, Partial<Deployment>, 5 | 6 | 7, number?][] = [
    ["the default", 6, { maxProtocolVersion: 7 }, 6],
    ["what the operator allows", 7, { maxProtocolVersion: 7 }, 7],
    ["what the operator allows", 5, { maxProtocolVersion: 7 }, 5],
    ["what both sides know", 7, { maxProtocolVersion: 9 }, 7],
    ["what both sides know", 6, { maxProtocolVersion: 6 }, 7],
    ["the highest with our own SDK", 7, { maxProtocolVersion: 7, sdkVersion: "holdfast-sdk/1" }, 5],
    [
      "no more than our own SDK of old",
      6,
      { maxProtocolVersion: 6, sdkVersion: "holdfast-sdk/0" },
      6,
    ],
    ["what it has begun in, whatever is set now", 7, { maxProtocolVersion: 7 }, 5, 7],
    ["what it has begun in, whatever is set now", 5, { maxProtocolVersion: 7 }, 7, 5],
    ["none, not yet allowed", "RT0013", { minProtocolVersion: 7, maxProtocolVersion: 7 }, 6],
    ["none, too new", "RT0013", { minProtocolVersion: 8, maxProtocolVersion: 8 }, 7],
  ];
  for (const [what, expected, over, protocolVersionMax, pinned] of cases) {
    it(`in the protocol version that is ${what} (${expected})`, () => {
      const pin = pinned === undefined ? null : { deploymentId: "dp_1", protocolVersion: pinned };
      const plan = planned(over, { protocolVersionMax }, pin);
      if (typeof expected === "number") {
        assert(plan.kind === "ready");
        assert.deepEqual(
          [plan.plan.version, plan.plan.attempt.protocolVersion],
          [expected, expected],
        );
      } else {
        assert(plan.kind === "refused");
        assert.equal(plan.input.failure.errorCode, expected);
      }
    });
  }

  it("and says how to allow a later version, where that is all", () => {
    const allowed = planned({ minProtocolVersion: 7, maxProtocolVersion: 7 }, {}, null);
    assert(allowed.kind === "refused");
    assert.match(allowed.input.failure.message, /speaks 5 to 6; .*--max-protocol-version 7/);
    const never = planned({ minProtocolVersion: 8, maxProtocolVersion: 8 }, {}, null);
    assert(never.kind === "refused");
    assert.doesNotMatch(never.input.failure.message, /--max/);
  });

  it("not for an invocation that is to pause: that yields", () => {
    const door = new FakeDoor();
    door.register(deployment());
    door.add(1, { epoch: 4, state: { status: "running", isPausing: true } });
    const plan = door.read((reader) => planAttempt(reader, { seq: 1, epoch: 4 }, DEFAULTS));
    assert.deepEqual(plan, { kind: "yielded", input: { type: "yield", seq: 1, epoch: 4 } });
    const stale = door.read((reader) => planAttempt(reader, { seq: 1, epoch: 3 }, DEFAULTS));
    assert.equal(stale.kind, "stale");
  });
});
