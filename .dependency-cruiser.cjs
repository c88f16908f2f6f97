/** The house as a rule: a folder may import those below it, never one above or beside it. Lowest first. */
const floors = [
  ["files"],
  ["checkpoint", "budget"],
  ["graph"],
  ["runtime"],
  ["cache"],
  ["models"],
  ["generate", "metrics"],
  ["sampling", "evaluation", "profile"],
  ["cli"],
];

/** For every folder: what is not below it. `errors.ts` lies on no floor and is for everyone. */
const downward = floors.flatMap((floor, level) =>
  floor.map((folder) => {
    const notBelow = floors
      .slice(level)
      .flat()
      .filter((other) => other !== folder);
    return {
      name: `${folder}-imports-down`,
      comment: `src/${folder} may only import what lies below it; see docs/ARCHITECTURE.md.`,
      severity: "error",
      // A test, or a suite of them, may look down on its subject from anywhere: an operator's runs it through a session.
      from: { path: `^src/${folder}/`, pathNot: "\\.(?:test|case)\\.ts$" },
      to: { path: `^src/(?:${notBelow.join("|")})/` },
    };
  }),
);

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...downward,
    {
      name: "no-circles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-unresolved",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "errors-import-nothing",
      severity: "error",
      from: { path: "^src/errors\\.ts$" },
      to: { path: "." },
    },
    {
      name: "index-is-the-top",
      comment: "Nothing inside the house imports the public API.",
      severity: "error",
      from: { path: "^src/.+/" },
      to: { path: "^src/index\\.ts$" },
    },
    {
      name: "only-runtime-knows-onnxruntime",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/runtime/", "\\.(?:test|case)\\.ts$"] },
      to: { path: "node_modules/onnxruntime-" },
    },
    {
      name: "no-development-package-in-the-product",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.(?:test|case)\\.ts$" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^src/graph/gen/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["node", "import", "types"] },
  },
};
