import assert from "node:assert/strict";
import { it } from "node:test";
import { build } from "esbuild";

it("the test kit takes no package along, and of the server no outer shell", async () => {
  const { metafile } = await build({
    entryPoints: ["sdk/testing.ts"],
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const inputs = Object.keys(metafile.inputs);
  assert.ok(inputs.includes("server/machine/apply.ts"), `${inputs.length} files`);
  const shells =
    /^server\/(query|replica|telemetry|boot|main)|^server\/store\/sqlite|http-transport|node_modules/;
  assert.deepEqual(
    inputs.filter((file) => shells.test(file)),
    [],
  );
  const external = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter((each) => each.external === true).map((each) => each.path),
  );
  const foreign = new Set(external.filter((name) => !name.startsWith("node:")));
  assert.deepEqual([...foreign], []);
});
