/** What `all`, `race`, `any`, `allSettled`, `map` and `orTimeout` answer: the same over every protocol version and transport. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadSdk, serve, type Variant } from "../endpoint.ts";
import { at, eventually, type Lab, pause } from "./lab.suite.ts";
import { type Branch, type Op, serviceOf, World } from "./program.suite.ts";

const never: Branch = ["signal", "never"];
const slow: Branch = ["sleep", 60_000];
const step = (value: unknown): Branch => ["step", `step ${String(value)}`, value];
const fails = (message: string): Branch => ["failingStep", `fails ${message}`, message];
const after = (ms: number, label: string): Branch => ["map", ["sleep", ms], label];

const failure = (message: string, code = 500) => ({ name: "TerminalError", code, message });
const timeout = { name: "TimeoutError", code: 408, message: "Timeout occurred" };

/** What each program answers. */
const CASES: readonly (readonly [title: string, op: Op, expected: unknown])[] = [
  ["all, in the order of its branches", ["all", [step(1), ["sleep", 5], step(2)]], [1, null, 2]],
  ["all of nothing", ["all", []], []],
  ["all with a failure", ["try", [["all", [step(1), fails("a"), slow]]]], failure("a")],
  ["race, the first to end", ["race", [slow, after(5, "fast"), never]], "fast:undefined"],
  ["race with a failure first", ["try", [["race", [slow, fails("b")]]]], failure("b")],
  ["any, the first success", ["any", [fails("a"), step("works"), slow]], "works"],
  [
    "allSettled",
    ["allSettled", [step(1), fails("c")]],
    [
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: {} },
    ],
  ],
  ["map of a value", ["map", step("v"), "label"], "label:v"],
  ["map of a failure", ["map", fails("d"), "label"], "label!d"],
  [
    "any when all failed",
    ["try", [["any", [fails("g"), fails("h")]]]],
    { name: "AggregateError", errors: ["g", "h"] },
  ],
  ["orTimeout that is late", ["try", [["timeout", never, 30]]], timeout],
  ["orTimeout that is early", ["timeout", step("x"), 60_000], "x"],
  ["orTimeout of a race", ["try", [["timeout", ["race", [never, slow]], 30]]], timeout],
  [
    "race of alls",
    [
      "race",
      [
        ["all", [slow, step(1)]],
        ["all", [step(2), step(3)]],
      ],
    ],
    [2, 3],
  ],
  [
    "all of races",
    [
      "all",
      [
        ["race", [slow, step(4)]],
        ["race", [step(5), never]],
      ],
    ],
    [4, 5],
  ],
  [
    "map within a race",
    [
      "race",
      [
        ["map", never, "no"],
        ["map", step(6), "yes"],
      ],
    ],
    "yes:6",
  ],
  ["a timeout within all", ["try", [["all", [step(7), ["timeout", never, 20]]]]], timeout],
  [
    "any of races",
    [
      "any",
      [
        ["race", [fails("e"), slow]],
        ["race", [after(5, "f"), slow]],
      ],
    ],
    "f:undefined",
  ],
  ["two sleeps at once", ["all", [after(40, "a"), after(20, "b")]], ["a:undefined", "b:undefined"]],
];

export function combinatorTests(
  lab: () => Lab,
  { sdk: sdkName, transport, tag, title }: Variant,
): void {
  describe(`combinators (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      await lab().register(await serve(sdk, [serviceOf(sdk, world, service)], transport));
    });

    for (const [name, op, expected] of CASES) {
      it(name, async () => {
        const result = at(await lab().run(path, op), 0);
        assert.deepEqual(name === "allSettled" ? withoutReasons(result) : result, expected);
      });
    }

    it("calls combine with signals and awakeables", async () => {
      const name = `${tag}mixed`;
      const id = await lab().send(path, [
        "all",
        [
          ["call", [service, null, "run"], [step("called")]],
          ["awakeable", name],
          ["race", [["signal", "s"], slow]],
        ],
      ]);
      await eventually(() => assert(world.awakeables.has(name)));
      const awakeable = world.awakeables.get(name) ?? "";
      await lab().run(path, ["sendSignal", id, "s", "signalled"]);
      await lab().ask(`/restate/awakeables/${awakeable}/resolve`, { body: { woken: true } });
      const [result] = (await lab().attach(id)).json as unknown[];
      assert.deepEqual(result, [["called"], { woken: true }, "signalled"]);
    });

    it("the winner of a race is the same after a suspension", async () => {
      const race: Branch = [
        "race",
        [
          ["map", ["signal", "a"], "a"],
          ["map", ["signal", "b"], "b"],
        ],
      ];
      const id = await lab().send(path, race, ["sleep", 30], ["signal", "go"]);
      await lab().untilBegun(id);
      await lab().run(path, ["sendSignal", id, "b", 1]);
      await pause(60);
      await lab().run(path, ["sendSignal", id, "a", 2], ["sendSignal", id, "go", 3]);
      assert.deepEqual((await lab().attach(id)).json, ["b:1", null, 3]);
    });
  });
}

/** What `JSON` makes of an error is the SDK's own affair. */
function withoutReasons(settled: unknown): unknown {
  return (settled as { status: string; reason?: unknown }[]).map((each) =>
    each.reason === undefined ? each : { ...each, reason: {} },
  );
}
