// What every bundle of this repository has in common: tests, the server, programs run from source.
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The oldest Node that runs what is built: `engines` in package.json. */
const TARGET = "node20.18";

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: "node",
  target: TARGET,
  loader: { ".sql": "text" },
  logLevel: "warning",
};

const PROGRAM = /\?bundle$/;

/**
 * `import source from "./main.ts?bundle"`: a program for a process or thread of its own, bundled with everything it imports except
 * the native addon, as text. It is CommonJS, because that is what Node takes from a string.
 */
const programs = {
  name: "programs",
  setup({ esbuild, onLoad, onResolve }) {
    onResolve({ filter: PROGRAM }, (args) => ({
      path: path.join(args.resolveDir, args.path.replace(PROGRAM, "")),
      namespace: "program",
    }));
    onLoad({ filter: /.*/, namespace: "program" }, async (args) => {
      const built = await esbuild.build({
        ...COMMON,
        entryPoints: [args.path],
        format: "cjs",
        external: ["better-sqlite3"],
        minifyWhitespace: true,
        legalComments: "inline",
        write: false,
      });
      return { contents: built.outputFiles[0]?.text, loader: "text" };
    });
  },
};

/** Options for esbuild. `@holdfast/sdk` resolves to its sources through `paths` in tsconfig.json. */
export const BUNDLE = {
  ...COMMON,
  format: "esm",
  outExtension: { ".js": ".mjs" },
  plugins: [programs],
};
