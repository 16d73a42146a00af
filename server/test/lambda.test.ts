/** Services on AWS Lambda through the built server: registered by ARN, called, retried, their journals replayed. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type * as Restate from "@restatedev/restate-sdk/lambda";
import { get, post, temporaryDirectory } from "./harness.ts";
import { arnOf, LambdaApi, type LambdaHandler } from "./lambda-api.ts";
import { freePort, type RunningServer } from "./harness.ts";
import { TestProcess } from "./process.ts";
import { addWithResolvers } from "./with-resolvers.ts";

addWithResolvers();

const SDKS = ["restate", "holdfast"] as const;

/** The names that both have. */
type LambdaSdk = Pick<typeof Restate, "service" | "createEndpointHandler">;

async function sdkOf(name: (typeof SDKS)[number]): Promise<LambdaSdk> {
  if (name === "restate") return await import("@restatedev/restate-sdk/lambda");
  return (await import("@holdfast/sdk/lambda")) as unknown as LambdaSdk;
}

async function lambdaOf(sdkName: (typeof SDKS)[number]): Promise<LambdaHandler> {
  const sdk = await sdkOf(sdkName);
  const greeter = sdk.service({
    name: "Greeter",
    handlers: {
      greet: async (ctx: Restate.Context, name: string) => {
        const steps: string[] = [];
        for (const step of ["a", "b", "c"]) steps.push(await ctx.run(step, () => step));
        return `Hello ${name} ${steps.join("")}`;
      },
      wait: async (ctx: Restate.Context, id: string) => {
        const awakeable = ctx.awakeable<string>();
        await ctx.run("tell", () => void awakeables.set(id, awakeable.id));
        return awakeable.promise;
      },
    },
  });
  return sdk.createEndpointHandler({ services: [greeter], logger: () => {} }) as LambdaHandler;
}

const awakeables = new Map<string, string>();

for (const sdkName of SDKS) {
  describe(`services on AWS Lambda (${sdkName} SDK)`, () => {
    const directory = temporaryDirectory();
    let api: LambdaApi;
    let server: RunningServer;

    before(async () => {
      awakeables.clear();
      api = await LambdaApi.start();
      api.functions.set("greeter", await lambdaOf(sdkName));
      const [ingress, admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
      const flags = ["--ingress", ingress, "--admin", admin, "--data", `${directory.path}/data`];
      const process = new TestProcess({
        args: ["dist/holdfast.mjs", "serve", ...flags],
        env: {
          AWS_ENDPOINT_URL_LAMBDA: api.url,
          AWS_ACCESS_KEY_ID: "key",
          AWS_SECRET_ACCESS_KEY: "secret",
        },
      });
      await process.start();
      server = { process, ingress: `http://${ingress}`, admin: `http://${admin}`, data: "" };
    });

    after(async () => {
      await server.process.stop();
      await api[Symbol.asyncDispose]();
      directory.remove();
    });

    const registerFunction = async (fields: object) => post(`${server.admin}/deployments`, fields);

    it("are registered by the ARN of a version", async () => {
      const answer = await registerFunction({ arn: arnOf("greeter", "7") });
      assert.equal(answer.status, 201, answer.text);
      const { id } = JSON.parse(answer.text) as { id: string };
      const shown = JSON.parse((await get(`${server.admin}/deployments/${id}`)).text) as Record<
        string,
        unknown
      >;
      assert.equal(shown["arn"], arnOf("greeter", "7"));
      assert.equal(shown["protocol_type"], "RequestResponse");
      assert.equal("uri" in shown, false);
      assert.equal(api.calls[0]?.event.path, "/discover");
      const again = await registerFunction({ arn: arnOf("greeter", "7") });
      assert.equal(again.status, 200);
    });

    it("are refused without a version, and with a warning where it moves", async () => {
      const unqualified = await registerFunction({ arn: arnOf("greeter").replace(/:1$/, "") });
      assert.equal(unqualified.status, 400);
      assert.match(unqualified.text, /names no version/);
      const latest = await registerFunction({ arn: arnOf("greeter", "$LATEST"), dry_run: true });
      assert.match(latest.text, /LATEST moves with each upload/);
      for (const fields of [
        { arn: arnOf("greeter"), uri: "http://localhost:9080" },
        { arn: arnOf("greeter"), use_http_11: true },
        { arn: arnOf("greeter"), assume_role_arn: "me" },
        { uri: "http://localhost:9080", assume_role_arn: "arn:aws:iam::123456789012:role/r" },
      ]) {
        assert.match(String((await registerFunction(fields)).status), /^4(00|22)$/);
      }
      const missing = await registerFunction({ arn: arnOf("nobody") });
      assert.equal(missing.status, 500);
      assert.match(missing.text, /META0003/);
    });

    it("are called, an attempt for each step", async () => {
      api.calls.length = 0;
      const answer = await post(`${server.ingress}/Greeter/greet`, "Ada");
      assert.deepEqual([answer.status, answer.text], [200, '"Hello Ada abc"']);
      assert.ok(api.calls.length > 1, "each step ends an attempt");
      assert.equal(api.calls[0]?.qualifier, "7");
    });

    it("are tried again when Lambda has no room, or the function fails", async () => {
      const limit = { status: 429, type: "TooManyRequestsException", message: "Rate Exceeded." };
      api.faults.push(limit, { status: 500, type: "ServiceException", message: "sorry" });
      const working = api.functions.get("greeter") ?? assert.fail();
      let failures = 2;
      api.functions.set("greeter", async (event, context) => {
        failures -= 1;
        if (failures >= 0) throw new Error("out of memory");
        return working(event, context);
      });
      const answer = await post(`${server.ingress}/Greeter/greet`, "Bob");
      assert.deepEqual([answer.status, answer.text], [200, '"Hello Bob abc"']);
      assert.ok(failures < 0);
    });

    it("go on after the server was killed", async () => {
      const waiting = await post(`${server.ingress}/Greeter/wait/send`, "w");
      const { invocationId } = JSON.parse(waiting.text) as { invocationId: string };
      for (let turn = 0; !awakeables.has("w") && turn < 500; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await server.process.kill();
      await server.process.start();
      const id = awakeables.get("w") ?? assert.fail("no awakeable");
      await post(`${server.ingress}/restate/awakeables/${id}/resolve`, "done");
      const result = await get(`${server.ingress}/restate/invocation/${invocationId}/attach`);
      assert.deepEqual([result.status, result.text], [200, '"done"']);
    });
  });
}
