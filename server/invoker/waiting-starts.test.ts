import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { WaitingStarts } from "./waiting-starts.ts";

const STARTS_MAX = 5;

interface Start {
  seq: number;
  epoch: number;
  knownEntries: number;
}

type Step =
  | { kind: "add"; start: Start }
  | { kind: "raise"; start: Start }
  | { kind: "take" }
  | { kind: "park"; deployment: string }
  | { kind: "take-parked"; deployment: string }
  | { kind: "unpark"; deployment: string };

const start = fc.record({ seq: fc.nat(8), epoch: fc.nat(2), knownEntries: fc.nat(9) });
const deployment = fc.constantFrom("a", "b");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("add" as const), start }) },
  fc.record({ kind: fc.constant("raise" as const), start }),
  fc.record({ kind: fc.constant("take" as const) }),
  fc.record({ kind: fc.constant("park" as const), deployment }),
  fc.record({ kind: fc.constant("take-parked" as const), deployment }),
  fc.record({ kind: fc.constant("unpark" as const), deployment }),
);

/** The same as plain lists. */
class Model {
  readonly general: Start[] = [];
  readonly parked: Record<string, Start[]> = { a: [], b: [] };

  find(seq: number): Start | undefined {
    return Object.values({ ...this.parked, general: this.general })
      .flat()
      .find((each) => each.seq === seq);
  }

  get size(): number {
    return this.general.length + Object.values(this.parked).flat().length;
  }

  add(added: Start): boolean {
    const known = this.find(added.seq);
    if (known === undefined) {
      if (this.size >= STARTS_MAX) return false;
      this.general.push({ ...added });
    } else if (added.epoch > known.epoch) {
      Object.assign(known, added);
    } else {
      this.raise(added);
    }
    return true;
  }

  raise({ seq, epoch, knownEntries }: Start): void {
    const known = this.find(seq);
    if (known?.epoch === epoch) known.knownEntries = Math.max(known.knownEntries, knownEntries);
  }
}

function apply(todo: Step, model: Model, real: WaitingStarts): void {
  switch (todo.kind) {
    case "add":
      assert.equal(real.add(todo.start), model.add(todo.start));
      break;
    case "raise":
      real.raise(todo.start.seq, todo.start.epoch, todo.start.knownEntries);
      model.raise(todo.start);
      break;
    case "take":
      assert.deepEqual(real.take(), model.general.shift());
      break;
    case "park": {
      const [taken, expected] = [real.take(), model.general.shift()];
      if (taken !== undefined) real.park(todo.deployment, taken);
      if (expected !== undefined) model.parked[todo.deployment]?.push(expected);
      break;
    }
    case "take-parked":
      assert.deepEqual(real.takeParked(todo.deployment), model.parked[todo.deployment]?.shift());
      break;
    case "unpark":
      real.unpark(todo.deployment);
      model.general.push(...(model.parked[todo.deployment]?.splice(0) ?? []));
      break;
    default:
      todo satisfies never;
  }
}

describe("waiting starts", () => {
  it("behave as lists with a bound and one place an invocation", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const real = new WaitingStarts(STARTS_MAX);
        const model = new Model();
        for (const each of steps) {
          apply(each, model, real);
          assert.equal(real.size, model.size);
          assert.equal(real.room, STARTS_MAX - model.size);
          for (let seq = 0; seq < 9; seq += 1) {
            assert.equal(real.has(seq), model.find(seq) !== undefined);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
