/** Virtual objects: what they remember, and that their exclusive handlers run one at a time, in order. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab, OURS, pause } from "./lab.suite.ts";
import { objectOf, serviceOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`objects (${title})`, { concurrency: true }, () => {
    const world = new World();
    const object = `${tag}Object`;
    const lazy = `${tag}Lazy`;
    const service = `${tag}Service`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const options = { retryPolicy: { initialInterval: 20, maxInterval: 100 } };
      const services = [
        objectOf(sdk, world, object, options),
        objectOf(sdk, world, lazy, { ...options, enableLazyState: true }),
        serviceOf(sdk, world, service, options),
      ];
      await lab.register(await serve(sdk, services, transport));
    });

    for (const [name, how] of [
      [object, "eager"],
      [lazy, "lazy"],
    ] as const) {
      it(`remember what was set, ${how}`, async () => {
        const path = `/${name}/remember/run`;
        assert.deepEqual(await lab.run(path, ["get", "a"], ["keys"]), [null, []]);
        assert.deepEqual(
          await lab.run(path, ["set", "a", { n: 1 }], ["set", "b", "x"], ["get", "a"], ["keys"]),
          [null, null, { n: 1 }, ["a", "b"]],
        );
        assert.deepEqual(
          await lab.run(path, ["get", "b"], ["clear", "b"], ["get", "b"], ["set", "c", 0]),
          ["x", null, null, null],
        );
        assert.deepEqual(await lab.run(path, ["keys"], ["get", "c"]), [["a", "c"], 0]);
        assert.deepEqual(await lab.run(path, ["clearAll"], ["keys"], ["get", "a"]), [
          null,
          [],
          null,
        ]);
        assert.deepEqual(await lab.run(`/${name}/remember/look`, ["keys"]), [[]]);
      });

      it(`keep what a failed attempt had set, ${how}`, async () => {
        const path = `/${name}/survive/run`;
        const crash = `${name}-survive`;
        assert.deepEqual(
          await lab.run(path, ["set", "a", 1], ["sleep", 1], ["crash", crash, 2], ["get", "a"]),
          [null, null, null, 1],
        );
        assert.equal(world.crashed(crash), 3);
      });

      it(`keep what was set before a terminal failure, ${how}`, async () => {
        const body = [
          ["set", "a", "kept"],
          ["throw", "no", 418],
        ];
        assert.equal((await lab.ask(`/${name}/terminal/run`, { body })).status, 418);
        assert.deepEqual(await lab.run(`/${name}/terminal/look`, ["get", "a"]), ["kept"]);
      });

      it(`see their own changes after a suspension, ${how}`, async () => {
        const path = `/${name}/again/run`;
        assert.deepEqual(
          await lab.run(path, ["get", "a"], ["set", "a", 1], ["sleep", 30], ["get", "a"], ["keys"]),
          [null, null, null, 1, ["a"]],
        );
      });
    }

    it("run exclusive handlers of a key one at a time, in the order of arrival", async () => {
      const path = `/${object}/fifo/run`;
      const gate = `${tag}fifo`;
      const first = await lab.send(path, ["gate", gate], ["set", "order", [0]]);
      await eventually(() => assert.equal(world.times(gate), 1));
      const sent: string[] = [];
      for (let index = 1; index <= 6; index += 1) {
        sent.push(
          await lab.send(path, ["get", "order"], ["sleep", 5], ["step", `${gate}-${index}`]),
        );
      }
      assert.deepEqual(
        await Promise.all(sent.map((id) => lab.status(id))),
        sent.map(() => "queued"),
      );
      world.open(gate);
      for (const id of [first, ...sent]) assert.equal((await lab.attach(id)).status, 200);
      assert.deepEqual(
        world.steps.filter((step) => step.startsWith(`${gate}-`)),
        [1, 2, 3, 4, 5, 6].map((index) => `${gate}-${index}`),
      );
    });

    it("run shared handlers while an exclusive one runs, who see what it has set so far", async () => {
      const gate = `${tag}shared`;
      const id = await lab.send(`/${object}/shared/run`, ["set", "a", 1], ["gate", gate]);
      await eventually(() => assert.equal(world.times(gate), 1));
      const look = `/${object}/shared/look`;
      await eventually(async () => assert.deepEqual(await lab.run(look, ["get", "a"]), [1]));
      assert.deepEqual(await lab.run(look, ["keys"]), [["a"]]);
      assert.equal(await lab.status(id), "running");
      world.open(gate);
      assert.equal((await lab.attach(id)).status, 200);
    });

    it("run exclusive handlers of different keys and objects at the same time", async () => {
      const gate = `${tag}keys`;
      const busy = [`/${object}/one/run`, `/${object}/two/run`, `/${lazy}/one/run`];
      const ids = await Promise.all(busy.map((path) => lab.send(path, ["gate", gate])));
      await eventually(() => assert.equal(world.times(gate), 3));
      world.open(gate);
      for (const id of ids) assert.equal((await lab.attach(id)).status, 200);
    });

    it("have keys of any characters, and the empty key", async () => {
      const keys = ["", "a b", "é中😀", "50%", "a/b", "?#", "'\"\\"];
      await Promise.all(
        keys.map((key) =>
          lab.run(`/${object}/${encodeURIComponent(key)}/run`, ["set", "key", key]),
        ),
      );
      for (const key of keys) {
        const path = `/${object}/${encodeURIComponent(key)}/look`;
        assert.deepEqual(await lab.run(path, ["get", "key"]), [key], JSON.stringify(key));
      }
      const other = `/${lazy}/${encodeURIComponent("é中😀")}/look`;
      assert.deepEqual(await lab.run(other, ["get", "key"]), [null]);
      const viaService = await lab.run(`/${service}/run`, [
        "call",
        [object, "", "look"],
        [["get", "key"]],
      ]);
      assert.deepEqual(viaService, [[""]]);
    });

    it("call each other, and themselves from shared handlers", async () => {
      assert.deepEqual(
        await lab.run(
          `/${object}/caller/run`,
          [
            "call",
            [object, "callee", "run"],
            [
              ["set", "a", 1],
              ["get", "a"],
            ],
          ],
          ["call", [lazy, "callee", "run"], [["keys"]]],
        ),
        [[null, 1], [[]]],
      );
      assert.deepEqual(
        await lab.run(`/${object}/self/look`, [
          "call",
          [object, "self", "run"],
          [
            ["set", "a", 2],
            ["get", "a"],
          ],
        ]),
        [[null, 2]],
      );
      assert.deepEqual(
        await lab.run(`/${object}/self/run`, ["call", [object, "self", "look"], [["get", "a"]]]),
        [[2]],
      );
    });

    it("put a delayed send into the queue of its key when it is due, not before", async () => {
      const path = `/${object}/delayed/run`;
      const name = `${tag}delayed`;
      const delayed = await lab.send(`${path}?delay=2s`, ["step", `${name}-late`]);
      assert.equal(await lab.status(delayed), "scheduled");
      const now = await lab.send(path, ["step", `${name}-now`]);
      await lab.attach(now);
      await lab.attach(delayed);
      assert.deepEqual(
        world.steps.filter((step) => step.startsWith(`${name}-`)),
        [`${name}-now`, `${name}-late`],
      );
    });

    it("are called and sent to by handlers with a delay and with an idempotency key", async () => {
      const name = `${tag}idem`;
      const input = [["step", name]] as const;
      const to = [object, "idem", "run"] as const;
      const results = await lab.run(
        `/${service}/run`,
        ["call", to, input, { idempotencyKey: "once" }],
        ["call", to, input, { idempotencyKey: "once" }],
        ["send", to, input, { idempotencyKey: "once" }],
        ["send", to, input, { delay: 50 }],
      );
      assert(Array.isArray(results));
      assert.equal((await lab.attach(String(results[3]))).status, 200);
      assert.equal(world.times(name), 2);
    });

    it("hold the key of a paused invocation until it ends", OURS, async () => {
      const gate = `${tag}held`;
      const path = `/${object}/held/run`;
      const id = await lab.send(path, ["signal", gate]);
      await lab.untilBegun(id);
      assert([200, 202].includes(await lab.patch(id, "pause")));
      await lab.until(id, "paused");
      const next = await lab.send(path, ["id"]);
      await pause(50);
      assert.equal(await lab.status(next), "queued");
      assert.equal(await lab.patch(id, "kill"), 200);
      assert.equal((await lab.attach(next)).status, 200);
    });
  });
}

describe("the state of an object, for operators", { concurrency: true }, () => {
  const world = new World();
  const object = "AdminObject";
  const bytes = (text: string): number[] => [...Buffer.from(text)];
  const mutate = (key: string, state: Record<string, number[]>, version?: string) =>
    lab.tell("POST", `/services/${object}/state`, {
      object_key: key,
      new_state: state,
      ...(version === undefined ? {} : { version }),
    });
  before(async () => {
    const sdk = await loadSdk("restate");
    const services = [objectOf(sdk, world, object), serviceOf(sdk, world, "AdminPlain")];
    await lab.register(await serve(sdk, services, "h2"));
  });

  it("is replaced as a whole", async () => {
    await lab.run(`/${object}/replace/run`, ["set", "old", 1], ["set", "both", 1]);
    assert.equal((await mutate("replace", { both: bytes("2"), new: bytes('"x"') })).status, 202);
    await eventually(async () =>
      assert.deepEqual(
        await lab.run(`/${object}/replace/look`, ["keys"], ["get", "both"], ["get", "new"]),
        [["both", "new"], 2, "x"],
      ),
    );
    assert.equal((await mutate("replace", {})).status, 202);
    await eventually(async () =>
      assert.deepEqual(await lab.run(`/${object}/replace/look`, ["keys"]), [[]]),
    );
  });

  it("changes only when the handlers that came before are done", async () => {
    const path = `/${object}/busy/run`;
    await lab.send(path, ["gate", "busy"], ["set", "a", 1]);
    const second = await lab.send(path, ["get", "a"]);
    assert.equal((await mutate("busy", { a: bytes("2") })).status, 202);
    const third = await lab.send(path, ["get", "a"]);
    assert.deepEqual(await lab.run(`/${object}/busy/look`, ["get", "a"]), [null]);
    world.open("busy");
    assert.deepEqual((await lab.attach(second)).json, [1]);
    assert.deepEqual((await lab.attach(third)).json, [2]);
  });

  it("is in the view `state`, with its bytes", async () => {
    await lab.run(`/${object}/sql/run`, ["set", "count", 5]);
    const rows = await lab.sql(
      `SELECT service_name, service_key, key, value_utf8, value FROM state WHERE service_name = '${object}' AND service_key = 'sql'`,
    );
    assert.deepEqual(rows, [
      { service_name: object, service_key: "sql", key: "count", value_utf8: "5", value: "35" },
    ]);
  });

  it("is replaced only if it is of the version that was asked for", OURS, async () => {
    await lab.run(`/${object}/version/run`, ["set", "count", 5]);
    assert.equal((await mutate("version", { count: bytes("9") }, versionOf({}))).status, 412);
    assert.deepEqual(await lab.run(`/${object}/version/look`, ["get", "count"]), [5]);
    const current = versionOf({ count: "5" });
    assert.equal(current, "S6MyUcVGhqv_Nm54F5guL_XKfJMeFCOXIi7QEc5GZZA");
    assert.equal((await mutate("version", { count: bytes("6") }, current)).status, 202);
    assert.deepEqual(await lab.run(`/${object}/version/run`, ["get", "count"]), [6]);
  });

  it("is refused for what has none", async () => {
    const path = (service: string) => `/services/${service}/state`;
    const body = { object_key: "k", new_state: { a: [1] } };
    assert.equal((await lab.tell("POST", path("AdminPlain"), body)).status, 400);
    assert.equal((await lab.tell("POST", path("Nobody"), body)).status, 404);
  });

  it("cannot be written by a shared handler, nor read by a plain service", async () => {
    const shared = await lab.send(`/${object}/shared/look`, ["set", "a", 1]);
    const plain = await lab.send("/AdminPlain/run", ["get", "a"]);
    for (const id of [shared, plain]) {
      await lab.until(id, "backing-off");
      const [row] = await lab.sql(`SELECT last_failure FROM sys_invocation WHERE id = '${id}'`);
      assert.match(String(at(row, "last_failure")), /./);
      assert.equal(await lab.patch(id, "kill"), 200);
    }
    assert.deepEqual(await lab.run(`/${object}/shared/look`, ["keys"]), [[]]);
  });
});

/** The version of a state as clients of the admin API compute it. */
function versionOf(state: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  Object.entries(state).forEach(([key, value], index) => {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(index));
    hash
      .update(number)
      .update("\u0001")
      .update(key)
      .update("\u0002")
      .update(value)
      .update("\u0003");
  });
  return hash.digest("base64url");
}
