/** Combinators over V7, where the server evaluates the tree of what is awaited. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { combinatorTests } from "./combinators.suite.ts";
import { loadSdk, OFFICIAL, serve } from "../endpoint.ts";
import { at, eventually, Lab, OURS } from "./lab.suite.ts";
import { serviceOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start(["--max-protocol-version", "7"]);
});
after(async () => await lab.close());

for (const variant of OFFICIAL) combinatorTests(() => lab, variant);

it("a handler is woken when the whole of what it awaits is decided, not for each part", async () => {
  const world = new World();
  const sdk = await loadSdk("restate");
  await lab.register(await serve(sdk, [serviceOf(sdk, world, "Woken")], "h2-rr"));
  const id = await lab.send("/Woken/run", [
    "all",
    [
      ["sleep", 60],
      ["sleep", 120],
      ["sleep", 180],
    ],
  ]);
  assert.equal((await lab.attach(id)).status, 200);
  assert.equal(world.attempts.get(id), 2);
  const rows = await lab.sql(
    `SELECT pinned_service_protocol_version AS version FROM sys_invocation WHERE id = '${id}'`,
  );
  assert.equal(at(rows, 0, "version"), 7);
});

it("an open stream says what its handler awaits", OURS, async () => {
  const sdk = await loadSdk("restate");
  await lab.register(await serve(sdk, [serviceOf(sdk, new World(), "Awaiting")], "h2"));
  const id = await lab.send("/Awaiting/run", [
    "all",
    [
      ["signal", "go"],
      [
        "race",
        [
          ["sleep", 60_000],
          ["signal", "stop"],
        ],
      ],
    ],
  ]);
  await eventually(async () => {
    assert.equal(await lab.status(id), "running");
    const why = await lab.why(id);
    const kinds = (at(why, "causes") as unknown[]).map((each) => String(at(each, "kind")));
    assert.deepEqual(kinds.toSorted(), ["signal", "signal", "timer"], JSON.stringify(why));
    assert(at(why, "await_tree") !== undefined);
  });
  await lab.run("/Awaiting/run", ["sendSignal", id, "go", 1], ["sendSignal", id, "stop", 2]);
  assert.deepEqual((await lab.attach(id)).json, [[1, 2]]);
});
