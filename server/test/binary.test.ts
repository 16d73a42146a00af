/** The single executable, built and started in an empty directory without Node on the path, through the checkout and a crash. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, truncateSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { freePort, get, post, register, temporaryDirectory } from "./harness.ts";
import { TestProcess } from "./process.ts";
import { type Shop, startShop } from "./shop.ts";

describe("the single executable", () => {
  const directory = temporaryDirectory();
  const home = path.join(directory.path, "home");
  const file = path.join(directory.path, "holdfast");
  const env = { PATH: "/nonexistent", HOME: home, XDG_CACHE_HOME: "" };
  let shop: Shop;

  before(async () => {
    const built = spawnSync(process.execPath, ["scripts/binary.mjs", "--out", file], {
      encoding: "utf8",
    });
    assert.equal(built.status, 0, built.stderr);
    mkdirSync(home);
    shop = await startShop("holdfast", directory.path);
  });

  after(async () => {
    await shop.process.kill();
    shop.remove();
    directory.remove();
  });

  const driverFolder = () => {
    const [hash = ""] = readdirSync(path.join(home, ".cache/holdfast"));
    return path.join(home, ".cache/holdfast", hash, "node_modules/better-sqlite3");
  };

  it("says its version, and what it can do", () => {
    const version = spawnSync(file, ["--version"], { encoding: "utf8", env });
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
    const help = spawnSync(file, ["serve", "--help"], { encoding: "utf8", env });
    assert.match(help.stdout, /--ingress/);
    assert.ok(existsSync(path.join(driverFolder(), "better_sqlite3.node")));
  });

  it("mends its driver where that was damaged", () => {
    truncateSync(path.join(driverFolder(), "better_sqlite3.node"), 1000);
    const data = path.join(directory.path, "nothing");
    const flags = ["serve", "--data", data, "--ingress", "nonsense"];
    const refused = spawnSync(file, flags, { encoding: "utf8", env });
    assert.equal(refused.status, 2, refused.stderr);
    const [hash = ""] = readdirSync(path.join(home, ".cache/holdfast"));
    assert.deepEqual(readdirSync(path.join(home, ".cache/holdfast", hash, "node_modules")), [
      "better-sqlite3",
    ]);
  });

  it("says where the driver could lie when there is no place", () => {
    const blocked = path.join(directory.path, "blocked");
    copyFileSync("package.json", blocked);
    const nowhere = spawnSync(file, ["--version"], {
      encoding: "utf8",
      env: { ...env, HOLDFAST_CACHE_DIR: path.join(blocked, "below") },
    });
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /set HOLDFAST_CACHE_DIR to a directory of its own/);
  });

  it("serves the checkout, answers queries, and goes on after kill -9", async () => {
    const [ingress, admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const data = path.join(directory.path, "data");
    const bucket = `file://${path.join(directory.path, "bucket")}`;
    const args = ["serve", "--ingress", ingress, "--admin", admin, "--data", data];
    const server = new TestProcess({ command: file, args: [...args, "--bucket", bucket], env });
    await server.start();
    try {
      await register(`http://${admin}`, shop.endpoint);
      const order = { orderId: "o1", sku: "book", quantity: 1, amountCents: 1000 };
      const place = `http://${ingress}/Checkout/place/send`;
      const headers = { "idempotency-key": "o1" };
      const placed = await post(place, order, headers);
      assert.equal(placed.status, 202, placed.text);
      await server.kill();
      await server.start();
      const again = await post(place, order, headers);
      assert.match(again.text, /"status":"PreviouslyAccepted"/);
      const query =
        "SELECT count(*) AS n FROM sys_invocation WHERE target_service_name = 'Checkout'";
      const rows = await fetch(`http://${admin}/query`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({ query }),
      });
      assert.deepEqual(await rows.json(), { rows: [{ n: 1 }] });
      assert.equal((await get(`http://${admin}/health`)).status, 200);
    } finally {
      await server.kill();
    }
  });
});
