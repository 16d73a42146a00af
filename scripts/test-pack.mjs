// The SDK as its users get it: packed, installed into an empty project, type-checked there with strict settings, and loaded.
//   npm run test:pack [-- --node PATH …]   also loads it with other versions of Node
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./bundle.mjs";

const { values: options } = parseArgs({
  options: { node: { type: "string", multiple: true, default: [] } },
});

const USER_CODE = `
import { object, service, serve, workflow, TerminalError } from "@holdfast/sdk";
import type { Context, ObjectContext, WorkflowContext } from "@holdfast/sdk";
import { connect } from "@holdfast/sdk/client";
import { createEndpointHandler } from "@holdfast/sdk/fetch";
import { createEndpointHandler as createLambdaHandler } from "@holdfast/sdk/lambda";

const greeter = service({
  name: "Greeter",
  handlers: { greet: async (ctx: Context, name: string) => ctx.run("a", (step) => step.idempotencyKey + name) },
});
const counter = object({
  name: "Counter",
  handlers: { add: async (ctx: ObjectContext, n: number) => ((await ctx.get<number>("n")) ?? 0) + n },
});
const signup = workflow({
  name: "Signup",
  handlers: { run: async (ctx: WorkflowContext, email: string) => ({ email, by: await ctx.promise<string>("ok") }) },
});
const services = [greeter, counter, signup];
export const fetch = createEndpointHandler({ services });
export const handler = createLambdaHandler({ services });
const ingress = connect({ url: "http://localhost:8080" });
export const greeting: PromiseLike<string> = ingress.serviceClient<typeof greeter>({ name: "Greeter" }).greet("Ada");
// @ts-expect-error -- a name is a string
export const wrong = ingress.serviceClient<typeof greeter>({ name: "Greeter" }).greet(1);
export { serve, TerminalError };
`;

const LOADED = `
import * as sdk from "@holdfast/sdk";
import * as fetched from "@holdfast/sdk/fetch";
import { createEndpointHandler } from "@holdfast/sdk/lambda";
import { connect } from "@holdfast/sdk/client";
if (sdk.TerminalError !== fetched.TerminalError) throw new Error("there are two TerminalErrors");
if (typeof connect !== "function") throw new Error("no client");
const services = [sdk.service({ name: "S", handlers: { h: async () => 1 } })];
const accept = "application/vnd.restate.endpointmanifest.v3+json";
const { statusCode } = await createEndpointHandler({ services })({ path: "/discover", headers: { accept } });
if (statusCode !== 200) throw new Error("discovery answered " + statusCode);
console.log("loaded by", process.version);
`;

const SETTINGS = ["--strict", "--exactOptionalPropertyTypes", "--noEmit", "--target", "es2022"];
const MODULES = [
  ["--module", "nodenext"],
  ["--module", "preserve", "--moduleResolution", "bundler"],
];

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
}

const project = mkdtempSync(path.join(tmpdir(), "holdfast-pack-"));
try {
  run("npm", ["pack", "--silent", "--pack-destination", project], path.join(ROOT, "sdk"));
  const archive = readdirSync(project).find((name) => name.endsWith(".tgz"));
  writeFileSync(path.join(project, "package.json"), '{ "private": true, "type": "module" }');
  const quiet = ["--no-audit", "--no-fund", "--silent"];
  run("npm", ["install", ...quiet, `./${archive}`, "@types/node@20"], project);
  writeFileSync(path.join(project, "user.ts"), USER_CODE);
  writeFileSync(path.join(project, "loaded.mjs"), LOADED);
  const tsc = path.join(ROOT, "node_modules", "typescript", "bin", "tsc");
  for (const modules of MODULES) {
    run(process.execPath, [tsc, ...SETTINGS, ...modules, "--types", "node", "user.ts"], project);
    console.log(`types: ok (${modules.join(" ")})`);
  }
  for (const node of [process.execPath, ...options.node]) run(node, ["loaded.mjs"], project);
} catch (error) {
  console.error(`test:pack: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(project, { recursive: true, force: true });
}
