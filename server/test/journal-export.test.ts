/** `holdfast journal export` against the real server, and replay tests over what it writes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { type Context, service } from "@holdfast/sdk";
import { connect } from "../../sdk/client.ts";
import { replay, ReplayError } from "../../sdk/testing.ts";
import { type Endpoint, loadSdk, serve } from "./endpoint.ts";
import {
  get,
  persist,
  register,
  type RunningServer,
  startServer,
  temporaryDirectory,
} from "./harness.ts";

const TOKEN = "t0ken";

/** Of the journal of today, with the name of its second step as it is in the code. */
const shop = (second: string) =>
  service({
    name: "Shop",
    handlers: {
      place: async (ctx: Context, id: string) => {
        const reserved = await ctx.run("reserve", () => `reserved ${id}`);
        const charged = await ctx.run(second, () => "charged");
        return `${reserved}, ${charged}`;
      },
      wait: async (ctx: Context) => await ctx.awakeable<string>().promise,
    },
  });

describe("holdfast journal export", () => {
  const directory = temporaryDirectory();
  let server: RunningServer;
  let endpoint: Endpoint;

  before(async () => {
    const services = [shop("charge")] as unknown as Parameters<typeof serve>[1];
    endpoint = await serve(await loadSdk("holdfast"), services, "h2");
    server = await startServer(`${directory.path}/data`, ["--inactivity-timeout", "100ms"]);
    await register(server.admin, endpoint.url);
  });

  after(async () => {
    await server.process.stop();
    await endpoint.close();
    directory.remove();
  });

  const holdfast = (...args: readonly string[]) => {
    const run = spawnSync(process.execPath, ["dist/holdfast.mjs", "journal", ...args], {
      encoding: "utf8",
      env: { ...process.env, HOLDFAST_ADMIN: server.admin, HOLDFAST_ADMIN_TOKEN: TOKEN },
      timeout: 20_000,
    });
    return { code: run.status, out: run.stdout, errors: run.stderr };
  };

  const started = async (handler: "place" | "wait", status: string): Promise<string> => {
    const client = connect({ url: server.ingress }).serviceSendClient(shop("charge"));
    const { invocationId } = handler === "place" ? await client.place("o-1") : await client.wait();
    await persist(async () => {
      const { text } = await get(`${server.admin}/invocations/${invocationId}`);
      return text.includes(`"status":"${status}"`) ? true : undefined;
    });
    return invocationId;
  };

  it("writes a file that today's code agrees with, and changed code does not", async () => {
    const id = await started("place", "completed");
    const file = path.join(directory.path, "place.json");
    const { code, errors, out } = holdfast("export", id, "--output", file);
    assert.deepEqual([code, errors, out], [0, "", ""]);
    assert.deepEqual(await replay(shop("charge"), file), { entries: 6, isComplete: true });
    await assert.rejects(
      replay(shop("pay"), file),
      (error) =>
        error instanceof ReplayError &&
        error.difference?.index === 3 &&
        /holds Run "charge", but the code now does Run "pay"/.test(error.message),
    );
    const { protocolVersion, sdk } = JSON.parse(readFileSync(file, "utf8")) as Record<
      string,
      unknown
    >;
    assert.equal(protocolVersion, 7);
    assert.match(String(sdk), /^holdfast-sdk-typescript\//);
  });

  it("writes to standard output, and what is not over yet", async () => {
    const id = await started("wait", "suspended");
    const { code, out } = holdfast("export", id);
    assert.equal(code, 0);
    const fixture: unknown = JSON.parse(out);
    assert.ok(isFixture(fixture));
    assert.equal(fixture.status, "suspended");
    assert.equal((await replay(shop("charge"), fixture)).isComplete, false);
  });

  it("says what is wrong, with an exit code", () => {
    const unknown = holdfast("export", "inv_10GJfy0GGPIZ023xEqVOdV7oUpXN7QVGNH");
    assert.equal(unknown.code, 1);
    assert.match(unknown.errors, /answered 404: .*is not known/);
    const away = holdfast("export", "inv_1", "--admin", "127.0.0.1:1");
    assert.equal(away.code, 1);
    assert.match(away.errors, /cannot be reached/);
    assert.equal(holdfast("export").code, 2);
  });
});

function isFixture(value: unknown): value is Parameters<typeof replay>[1] & { status: string } {
  return typeof value === "object" && value !== null && "entries" in value && "status" in value;
}
