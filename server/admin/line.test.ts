import assert from "node:assert/strict";
import { test } from "node:test";
import { Line } from "./line.ts";

const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

test("work does not overlap and comes in order, also behind work that fails", async () => {
  const line = new Line();
  const seen: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    seen.push(`${name} begins`);
    await pause();
    seen.push(`${name} ends`);
    if (name === "b") throw new Error("b failed");
    return name;
  };
  const results = await Promise.allSettled(["a", "b", "c"].map((name) => line.run(work(name))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(seen, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});
